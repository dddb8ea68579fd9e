package azure

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Cloud says in which of the clouds of Azure a service is.
type Cloud struct {
	// Cloud of the service: AzurePublicCloud, AzureUSGovernmentCloud,
	// AzureChinaCloud or Private.
	Name string `param:"cloud" default:"AzurePublicCloud"`
	// Domain of the service in cloud Private, such as
	// queue.local.azurestack.external. The other clouds have their own.
	EndpointSuffix string `param:"endpointSuffix,optional"`
}

// private is the cloud whose domains are not known.
const private = "Private"

// domains are those of a service, by cloud.
type domains struct{ public, usGovernment, china string }

// queueDomains are those of the queues of storage accounts.
var queueDomains = domains{
	public:       "queue.core.windows.net",
	usGovernment: "queue.core.usgovcloudapi.net",
	china:        "queue.core.chinacloudapi.cn",
}

// suffix is the end of a service's host names, which is one of known or, in cloud
// Private, as it was given. Names of clouds may be written in any case.
func (c Cloud) suffix(known domains) (string, error) {
	switch strings.ToLower(c.Name) {
	case "azurepubliccloud":
		return known.public, nil
	case "azureusgovernmentcloud":
		return known.usGovernment, nil
	case "azurechinacloud":
		return known.china, nil
	case strings.ToLower(private):
		return c.privateSuffix()
	}
	return "", fmt.Errorf("parameter cloud is %q, which is not one of AzurePublicCloud, AzureUSGovernmentCloud, AzureChinaCloud, Private", c.Name)
}

func (c Cloud) privateSuffix() (string, error) {
	switch suffix := strings.TrimPrefix(c.EndpointSuffix, "."); {
	case suffix == "":
		return "", errors.New("parameter endpointSuffix is missing: cloud Private needs the domain of its service")
	case !hostAndPort.MatchString(suffix):
		return "", fmt.Errorf("parameter endpointSuffix is %q, which is not a domain such as queue.local.azurestack.external", c.EndpointSuffix)
	default:
		return strings.ToLower(suffix), nil
	}
}

var hostAndPort = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$`)
