package azure

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/freshet-io/freshet/scalers/param"
)

// The account of the storage emulator, whose key is public.
const (
	emulatorAccount = "devstoreaccount1"
	emulatorKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
	emulatorPort    = ":10001"
)

// connectionString is the parts of a connection string of Azure Storage by their
// names in lower case.
type connectionString map[string]string

// parseConnection reads the account that a connection string names. It is more
// than the library tells, which keeps the parts to itself: accounts that are
// written differently are one source, and every fault is told. No error holds a
// part's value.
func parseConnection(text string) (account, error) {
	parts := connectionString{}
	for part := range strings.SplitSeq(text, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case ok && name != "":
			parts[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
		case strings.TrimSpace(part) != "":
			return account{}, errors.New("parameter connection is not a connection string: " +
				"it must be parts of the form name=value, separated by semicolons")
		}
	}
	if strings.EqualFold(parts["usedevelopmentstorage"], "true") {
		return parts.emulator()
	}
	endpoint, errEndpoint := parts.endpoint()
	a := account{Endpoint: endpoint}
	return a, errors.Join(errEndpoint, parts.credentials(&a))
}

// emulator is the account of a storage emulator on this or another host.
func (c connectionString) emulator() (account, error) {
	host := c["developmentstorageproxyuri"]
	if host == "" {
		host = "http://127.0.0.1"
	}
	endpoint, err := parseEndpoint("DevelopmentStorageProxyUri", strings.TrimSuffix(host, "/")+emulatorPort+"/"+emulatorAccount)
	return account{Endpoint: endpoint, Name: emulatorAccount, Key: param.NewSecret(emulatorKey)}, err
}

// endpoint is the address of the account's queues.
func (c connectionString) endpoint() (string, error) {
	if given := c["queueendpoint"]; given != "" {
		return parseEndpoint("QueueEndpoint", given)
	}
	name := c["accountname"]
	if name == "" {
		for _, other := range []string{"BlobEndpoint", "TableEndpoint", "FileEndpoint"} {
			if c[strings.ToLower(other)] != "" {
				return "", fmt.Errorf("parameter connection holds %s, which has no queues: add QueueEndpoint or AccountName", other)
			}
		}
		return "", errors.New("parameter connection lacks QueueEndpoint or AccountName: add one of them")
	}
	scheme, suffix := strings.ToLower(c["defaultendpointsprotocol"]), c["endpointsuffix"]
	if scheme == "" {
		scheme = "https"
	}
	if suffix == "" {
		suffix = strings.TrimPrefix(queueDomains.public, "queue.")
	}
	var faults []error
	if scheme != "http" && scheme != "https" {
		faults = append(faults, errors.New("DefaultEndpointsProtocol of parameter connection is neither http nor https"))
	}
	if !accountName.MatchString(name) {
		faults = append(faults, errors.New("AccountName of parameter connection is not the name of a storage account"))
	}
	if !hostAndPort.MatchString(suffix) {
		faults = append(faults, errors.New("EndpointSuffix of parameter connection is not a domain such as core.windows.net"))
	}
	return accountEndpoint(scheme, name, "queue."+suffix), errors.Join(faults...)
}

// credentials puts the key or the shared access signature into a.
func (c connectionString) credentials(a *account) error {
	name, key, sas := c["accountname"], c["accountkey"], strings.TrimPrefix(c["sharedaccesssignature"], "?")
	switch {
	case key != "" && name != "":
		if _, err := base64.StdEncoding.DecodeString(key); err != nil {
			return errors.New("AccountKey of parameter connection is not a key, which is base64: copy the whole of it")
		}
		a.Name, a.Key = name, param.NewSecret(key)
	case sas != "":
		if query, err := url.ParseQuery(sas); err != nil || query.Get("sig") == "" {
			return errors.New("SharedAccessSignature of parameter connection has no signature (sig): copy the whole of it")
		}
		a.SAS = param.NewSecret(sas)
	case key != "":
		return errors.New("parameter connection holds AccountKey and lacks AccountName, whose key it is")
	default:
		return errors.New("parameter connection lacks AccountKey, with AccountName, or SharedAccessSignature: add one of them")
	}
	return nil
}

// accountName is more than names of accounts may be, which have no dots: names of
// secondaries have hyphens, and those in DNS zones have dots.
var accountName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)

// accountEndpoint is the address of an account's queues.
func accountEndpoint(scheme, name, suffix string) string {
	return scheme + "://" + strings.ToLower(name) + "." + strings.ToLower(suffix) + "/"
}

// parseEndpoint reads the address of an account's queues that is given as part
// of a connection string, and ends it with a slash.
func parseEndpoint(part, text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%s of parameter connection is not an address such as https://account.queue.core.windows.net", part)
	}
	u.Host = strings.ToLower(u.Host)
	return strings.TrimRight(u.String(), "/") + "/", nil
}
