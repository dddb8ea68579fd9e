// Package azurekv has authentications take parameters from Azure Key Vault. A
// program that imports it can.
package azurekv

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/auth"
	"github.com/freshet-io/freshet/scalers/identity"
	"github.com/freshet-io/freshet/scalers/identity/azure"
	"github.com/freshet-io/freshet/scalers/param"
)

func init() { auth.RegisterSource("azureKeyVault", read) }

// read gives the request every parameter of its vault.
func read(ctx context.Context, q *auth.Request) error {
	s, err := newStore(ctx, q)
	if err != nil {
		return err
	}
	for i := range q.Spec.AzureKeyVault.Secrets {
		secret := &q.Spec.AzureKeyVault.Secrets[i]
		answer, err := q.Ask(ctx, auth.Question{
			Key: param.FingerprintOf("azureKeyVault", s, secret.Name, secret.Version), Server: s.server,
			Ask: func(ctx context.Context) (auth.Answer, error) { return s.fetch(ctx, secret) },
		})
		if err != nil {
			return err
		}
		q.Set(secret.Parameter, answer.Values["secret"].Reveal())
	}
	return nil
}

// store is a vault as one request sees it: its exported fields are part of the
// key of every question.
type store struct {
	Vault       string
	Identity    scalers.Identity
	Application azure.Application

	// server names whom is asked, without secrets.
	server string
}

func newStore(ctx context.Context, q *auth.Request) (*store, error) {
	spec := q.Spec.AzureKeyVault
	u, err := url.Parse(spec.VaultURI)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, scalers.ConfigurationError("azureKeyVault.vaultUri is not a URL such as https://queues.vault.azure.net")
	}
	s := &store{Vault: "https://" + u.Host, server: "Azure Key Vault https://" + u.Host}
	authority, err := authorityOf(spec.Cloud, u.Hostname())
	if err != nil {
		return nil, err
	}
	if s.Identity, err = q.Identity(ctx, spec.PodIdentity, "azureKeyVault.podIdentity"); err != nil {
		return nil, err
	}
	switch c := spec.Credentials; {
	case s.Identity.Provider == "azure-workload":
		if s.Identity.AuthorityHost == "" {
			s.Identity.AuthorityHost = authority
		}
		authority = s.Identity.AuthorityHost
	case s.Identity.Provider != "":
		return nil, scalers.ConfigurationError("azureKeyVault.podIdentity.provider is %q: use azure-workload", s.Identity.Provider)
	case c == nil:
		return nil, scalers.ConfigurationError("azureKeyVault has neither credentials nor podIdentity: give one of them")
	default:
		secret, err := q.Secret(ctx, c.ClientSecret, "azureKeyVault.credentials.clientSecret")
		if err != nil {
			return nil, err
		}
		s.Application = azure.Application{TenantID: c.TenantID, ClientID: c.ClientID, Secret: secret, AuthorityHost: authority}
	}
	if authority != "" { // whose being down is not that of everybody else's vault
		s.server += " with the authority " + authority
	}
	return s, nil
}

// authorityOf is where to sign in for a vault of the cloud; "" is the default.
func authorityOf(info *kedav1alpha1.AzureKeyVaultCloudInfo, host string) (string, error) {
	if info == nil {
		return "", nil
	}
	switch strings.ToLower(info.Type) {
	case "azurepubliccloud":
		return cloud.AzurePublic.ActiveDirectoryAuthorityHost, nil
	case "azureusgovernmentcloud":
		return cloud.AzureGovernment.ActiveDirectoryAuthorityHost, nil
	case "azurechinacloud":
		return cloud.AzureChina.ActiveDirectoryAuthorityHost, nil
	case "private":
	default:
		return "", scalers.ConfigurationError("azureKeyVault.cloud.type is %q: use AzurePublicCloud, AzureUSGovernmentCloud, AzureChinaCloud or Private", info.Type)
	}
	resource, err := url.Parse(info.KeyVaultResourceURL)
	if err != nil || resource.Hostname() == "" {
		return "", scalers.ConfigurationError("azureKeyVault.cloud.keyVaultResourceURL is not a URL, which the type Private needs")
	}
	authority, err := url.Parse(info.ActiveDirectoryEndpoint)
	if err != nil || authority.Scheme != "https" || authority.Host == "" {
		return "", scalers.ConfigurationError("azureKeyVault.cloud.activeDirectoryEndpoint is not an https URL, which the type Private needs")
	}
	if !strings.HasSuffix(strings.ToLower(host), "."+strings.ToLower(resource.Hostname())) {
		return "", scalers.ConfigurationError("azureKeyVault.vaultUri is not of the domain of keyVaultResourceURL, %s: "+
			"a token for one is not given to the other", resource.Hostname())
	}
	return info.ActiveDirectoryEndpoint, nil
}

// clients know what their vault wants tokens for, which they ask it once.
var clients identity.Kept[*azsecrets.Client]

func (s *store) client() (*azsecrets.Client, error) {
	return clients.Get(param.FingerprintOf(s), func() (*azsecrets.Client, error) {
		var credential azcore.TokenCredential
		var err error
		if s.Identity.Provider != "" {
			credential, err = azure.Credential(s.Identity)
		} else {
			credential, err = s.Application.Credential()
		}
		if err != nil {
			return nil, err
		}
		options := &azsecrets.ClientOptions{ClientOptions: azure.ClientOptions()}
		options.Transport = transport
		client, err := azsecrets.NewClient(s.Vault, credential, options)
		if err != nil {
			return nil, scalers.ConfigurationError("%s cannot be asked: correct azureKeyVault", s.server)
		}
		return client, nil
	})
}

// mostAnswer is the longest answer that is read, in bytes.
const mostAnswer = 4 << 20

// transport is the one pool of connections to all vaults. Tests replace it.
var transport = &http.Client{Transport: auth.LimitBody(http.DefaultTransport, mostAnswer)}

// validName is what secrets and versions are called.
var validName = regexp.MustCompile(`^[0-9A-Za-z-]{1,127}$`)

// fetch reads a version of a secret.
func (s *store) fetch(ctx context.Context, secret *kedav1alpha1.AzureKeyVaultSecret) (auth.Answer, error) {
	if !validName.MatchString(secret.Name) || (secret.Version != "" && !validName.MatchString(secret.Version)) {
		return auth.Answer{}, scalers.ConfigurationError("azureKeyVault names secret %q, version %q: names are of letters, digits and hyphens", secret.Name, secret.Version)
	}
	client, err := s.client()
	if err != nil {
		return auth.Answer{}, err
	}
	got, err := client.GetSecret(ctx, secret.Name, secret.Version, nil)
	switch {
	case err != nil:
		return auth.Answer{}, s.explain(fmt.Sprintf("reading secret %q", secret.Name), err)
	case got.Value == nil:
		return auth.Answer{}, scalers.UnavailableError("%s answers with secret %q without its value", s.server, secret.Name)
	}
	return auth.Answer{Values: map[string]param.Secret{"secret": param.NewSecret(*got.Value)}}, nil
}

// errorCode is how Key Vault says what is wrong.
var errorCode = regexp.MustCompile(`^[A-Za-z]{1,60}$`)

// explain tells of an error of the library the status and the code, and nothing
// else that the vault says: it is asked with a token.
func (s *store) explain(doing string, err error) error {
	var classed *scalers.Error
	if errors.As(err, &classed) { // of the token
		return fmt.Errorf("%s, %s: %w", s.server, doing, classed)
	}
	var said *azcore.ResponseError
	switch {
	case !errors.As(err, &said) && strings.Contains(err.Error(), "match the requested domain"):
		return scalers.ConfigurationError("%s, %s: it asks for a token of another domain than its own, which it is not given: correct vaultUri", s.server, doing)
	case said == nil:
		return identity.Unanswered(s.server, doing, err)
	}
	text := fmt.Sprintf("%s, %s: status %d", s.server, doing, said.StatusCode)
	if errorCode.MatchString(said.ErrorCode) {
		text += " " + said.ErrorCode
	}
	switch code := said.StatusCode; {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return scalers.AuthenticationError("%s", text)
	case code == http.StatusTooManyRequests:
		return scalers.RateLimitedError(azure.RetryAfter(said.RawResponse), "%s", text)
	case code >= 400 && code < 500:
		return scalers.ConfigurationError("%s", text)
	default:
		return scalers.UnavailableError("%s", text)
	}
}
