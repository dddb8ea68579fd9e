package observe

import (
	"errors"
	"fmt"
	"strings"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
)

// PrometheusCloud says as whom to query the Prometheus service of a cloud: as the
// identity of a pod or, without one, with keys.
type PrometheusCloud struct {
	// Region, and keys or role, for Amazon Managed Service for Prometheus.
	AWS conn.AWSAuth
	// Credentials for Google Cloud Managed Service for Prometheus.
	GCP conn.GCPAuth
	// Cloud of Azure, for Azure Managed Prometheus: AzurePublicCloud,
	// AzureUSGovernmentCloud, AzureChinaCloud, or Private with
	// azureManagedPrometheusResourceURL.
	Azure string `param:"cloud" default:"AzurePublicCloud"`
	// Resource to ask access tokens for in cloud Private.
	AzureResource string `param:"azureManagedPrometheusResourceURL,optional"`

	// Identity is that of a pod.
	Identity scalers.Identity
}

const (
	// awsService is what Amazon's service is called in signatures, gcpScope what
	// Google's asks rights for.
	awsService = "aps"
	gcpScope   = "https://www.googleapis.com/auth/monitoring.read"
)

// azureResources are what access tokens are asked for in each cloud of Azure.
var azureResources = map[string]string{
	"azurepubliccloud":       "https://prometheus.monitor.azure.com",
	"azureusgovernmentcloud": "https://prometheus.monitor.azure.us",
	"azurechinacloud":        "https://prometheus.monitor.azure.cn",
}

// signer is how requests are signed.
func (c *PrometheusCloud) signer() (conn.SignerConfig, error) {
	aws, gcp := c.AWS.Signer(c.Identity, awsService), c.GCP.Signer(c.Identity, gcpScope)
	switch c.Identity.Provider {
	case conn.AWS:
		return aws, nil
	case conn.GCP:
		return gcp, nil
	case conn.AzureWorkload:
		scope, err := c.azureScope()
		return conn.SignerConfig{Provider: conn.AzureWorkload, Identity: c.Identity, Scope: scope}, err
	}
	switch {
	case aws.Provider != "" && gcp.Provider != "":
		return aws, errors.New("credentials of AWS and of Google are given: keep those of one cloud")
	case gcp.Provider != "":
		return gcp, nil
	default:
		return aws, nil
	}
}

// azureScope is what access tokens of Azure are asked for.
func (c *PrometheusCloud) azureScope() (string, error) {
	resource, known := azureResources[strings.ToLower(c.Azure)]
	switch {
	case strings.EqualFold(c.Azure, "private") && c.AzureResource == "":
		return "", errors.New("parameter azureManagedPrometheusResourceURL is missing: cloud is Private")
	case strings.EqualFold(c.Azure, "private"):
		resource = c.AzureResource
	case !known:
		return "", fmt.Errorf("parameter cloud is %q, which is not one of AzurePublicCloud, AzureUSGovernmentCloud, AzureChinaCloud, Private", c.Azure)
	}
	return strings.TrimSuffix(strings.TrimSuffix(resource, "/"), "/.default") + "/.default", nil
}

// validate checks the rules that span parameters, with those of auth.
func (c *PrometheusCloud) validate(auth conn.HTTPAuth) error {
	signer, err := c.signer()
	faults := []error{err, c.AWS.Validate(signer), c.GCP.Validate(signer), signer.Validate()}
	switch {
	case len(auth.Modes) == 0 || signer.Provider == "":
	case !c.Identity.IsNone():
		faults = append(faults, errors.New("parameter authModes is given together with the identity of a pod: keep one of them"))
	case auth.UsesAuthorization():
		faults = append(faults, errors.New("parameter authModes and credentials of a cloud both say as whom to query: keep one of them"))
	}
	return errors.Join(faults...)
}
