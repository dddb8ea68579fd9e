// Package azure signs in to Azure by the identity of a pod.
package azure

import (
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/freshet-io/freshet/scalers"
)

// credentials are those made so far. They keep the tokens that they fetch.
var credentials = struct {
	sync.Mutex

	of map[scalers.Identity]azcore.TokenCredential
}{of: map[scalers.Identity]azcore.TokenCredential{}}

// Credential returns how the identity signs in: by workload identity, as Freshet's
// own pod where the identity does not say otherwise. One identity has one
// credential. An error is of class Configuration.
func Credential(id scalers.Identity) (azcore.TokenCredential, error) {
	credentials.Lock()
	defer credentials.Unlock()
	if c := credentials.of[id]; c != nil {
		return c, nil
	}
	options := &azidentity.WorkloadIdentityCredentialOptions{ClientID: id.ID, TenantID: id.TenantID}
	options.Retry = policy.RetryOptions{MaxRetries: -1}
	options.Telemetry = policy.TelemetryOptions{Disabled: true}
	if id.AuthorityHost != "" {
		options.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: id.AuthorityHost}
	}
	c, err := azidentity.NewWorkloadIdentityCredential(options)
	if err != nil {
		return nil, scalers.ConfigurationError("Freshet's own pod has no Azure workload identity, or the authentication lacks one: %s",
			strings.ReplaceAll(err.Error(), "\n", " "))
	}
	credentials.of[id] = c
	return c, nil
}
