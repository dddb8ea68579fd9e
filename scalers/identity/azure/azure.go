// Package azure signs in to Azure: by workload identity of a pod, or as an
// application with a secret.
package azure

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/identity"
	"github.com/freshet-io/freshet/scalers/param"
)

// Application is an application of Entra ID that has a secret.
type Application struct {
	TenantID, ClientID string
	Secret             param.Secret
	// AuthorityHost is where to sign in; "" is the public cloud.
	AuthorityHost string
}

// credentials keep the access tokens that they fetch.
var credentials identity.Kept[azcore.TokenCredential]

// Credential returns how the identity signs in: by workload identity, as Freshet's
// own pod where the identity does not say otherwise. Equal identities share a
// credential. An error is of class Configuration; those of fetching a token have
// a class and tell no secret.
func Credential(id scalers.Identity) (azcore.TokenCredential, error) {
	return credentials.Get(param.FingerprintOf("workload", id), func() (azcore.TokenCredential, error) {
		options := &azidentity.WorkloadIdentityCredentialOptions{ClientID: id.ID, TenantID: id.TenantID}
		options.ClientOptions, options.DisableInstanceDiscovery = clientOptions(id.AuthorityHost)
		c, err := azidentity.NewWorkloadIdentityCredential(options)
		if err != nil {
			return nil, scalers.ConfigurationError("Freshet's own pod has no Azure workload identity, or the authentication lacks one: %s", inOneLine(err))
		}
		return credential{c}, nil
	})
}

// Credential returns how the application signs in, as [Credential] does.
func (a Application) Credential() (azcore.TokenCredential, error) {
	return credentials.Get(param.FingerprintOf("application", a), func() (azcore.TokenCredential, error) {
		if a.TenantID == "" || a.ClientID == "" || a.Secret.Empty() {
			return nil, scalers.ConfigurationError("an Azure application needs its tenant id, its client id and its secret: one of them is empty")
		}
		options := &azidentity.ClientSecretCredentialOptions{}
		options.ClientOptions, options.DisableInstanceDiscovery = clientOptions(a.AuthorityHost)
		c, err := azidentity.NewClientSecretCredential(a.TenantID, a.ClientID, a.Secret.Reveal(), options)
		if err != nil {
			return nil, scalers.ConfigurationError("signing in to Azure as an application: its tenant id or authority host is not one: %s", inOneLine(err))
		}
		return credential{c}, nil
	})
}

// ClientOptions are for clients of Azure's services: they do not retry, which is
// the host's, and send nothing about themselves.
func ClientOptions() azcore.ClientOptions {
	return azcore.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}, Telemetry: policy.TelemetryOptions{Disabled: true}}
}

// known are the authorities that vouch for one another: of others nobody is asked.
var known = []string{"login.microsoftonline.com", "login.microsoftonline.us", "login.chinacloudapi.cn", "login.partner.microsoftonline.cn"}

func clientOptions(authority string) (o azcore.ClientOptions, unknown bool) {
	o = ClientOptions()
	o.Transport = noting{}
	if authority != "" {
		o.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: authority}
	} else if authority = os.Getenv("AZURE_AUTHORITY_HOST"); authority == "" {
		return o, false
	}
	u, err := url.Parse(authority)
	return o, err == nil && !slices.Contains(known, strings.ToLower(u.Host))
}

func inOneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// credential is one of the library whose errors have a class and one line.
type credential struct{ azcore.TokenCredential }

// GetToken returns an access token, fetched or kept.
func (c credential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	var failure error
	token, err := c.TokenCredential.GetToken(context.WithValue(ctx, failureKey{}, &failure), o)
	if err != nil {
		return azcore.AccessToken{}, explain(ctx, err, failure)
	}
	return token, nil
}

type failureKey struct{}

// client is the one pool of connections to all authorities.
var client = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}

// noting carries requests, and notes why one could not be: the library's error
// does not wrap it.
type noting struct{}

// Do carries the request.
func (noting) Do(r *http.Request) (*http.Response, error) {
	response, err := client.Do(r)
	if failure, ok := r.Context().Value(failureKey{}).(*error); ok && err != nil {
		*failure = err
	}
	return response, err //nolint:wrapcheck // the library does
}

// reason is how Entra ID says why it refuses.
var reason = regexp.MustCompile(`AADSTS[0-9]{1,10}`)

// explain tells of an error of the library the status and the reason, and nothing
// else that the authority says: it is asked with a secret. failure is why it could
// not be asked.
func explain(ctx context.Context, err, failure error) error {
	const doing = "fetching an access token"
	var answered *azidentity.AuthenticationFailedError
	switch {
	case ctx.Err() != nil:
		return identity.Unanswered("Azure", doing, ctx.Err())
	case failure != nil:
		return identity.Unanswered("Azure", doing, failure)
	case !errors.As(err, &answered):
		return identity.Unanswered("Azure", doing, err)
	case answered.RawResponse == nil:
		return withoutResponse(doing, err)
	}
	code, why := answered.RawResponse.StatusCode, reason.FindString(err.Error())
	if why != "" {
		why = " (" + why + ")"
	}
	switch {
	case code == http.StatusTooManyRequests:
		return scalers.RateLimitedError(RetryAfter(answered.RawResponse), "Azure, %s: status %d%s", doing, code, why)
	case code >= 400 && code < 500:
		return scalers.AuthenticationError("Azure, %s: status %d%s", doing, code, why)
	default:
		return scalers.UnavailableError("Azure, %s: status %d%s", doing, code, why)
	}
}

// withoutResponse explains what failed before there was an answer: the network,
// or the token of the pod, which the library reads from a file.
func withoutResponse(doing string, err error) error {
	if file := os.Getenv("AZURE_FEDERATED_TOKEN_FILE"); file != "" {
		if _, statErr := os.Stat(file); statErr != nil {
			return scalers.AuthenticationError("Azure, %s: the token of Freshet's own pod cannot be read: %w", doing, statErr)
		}
	}
	return identity.Unanswered("Azure", doing, err)
}

// RetryAfter is how long an answer of Azure asks to be left alone.
func RetryAfter(r *http.Response) time.Duration {
	if r == nil {
		return 0
	}
	seconds, err := strconv.ParseUint(r.Header.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

func init() {
	conn.RegisterSigner(conn.AzureWorkload, func(c conn.SignerConfig) (conn.Signer, error) {
		if c.Scope == "" {
			return nil, scalers.ConfigurationError("an access token of Azure needs a scope")
		}
		found, err := Credential(c.Identity)
		return signer{found, c.Scope}, err
	})
}

type signer struct {
	credential azcore.TokenCredential
	scope      string
}

// Sign adds an access token to the request.
func (s signer) Sign(ctx context.Context, r *http.Request) error {
	token, err := s.credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{s.scope}})
	if err != nil {
		return err //nolint:wrapcheck // it is one of ours
	}
	r.Header.Set("Authorization", "Bearer "+token.Token)
	return nil
}
