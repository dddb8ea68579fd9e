package azure

import (
	"context"
	"errors"
	"net/http"
	"regexp"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	identity "github.com/freshet-io/freshet/scalers/identity/azure"
)

// workload is the provider of the only identities that this package signs in by.
const workload = "azure-workload"

// credentialOf returns how an identity signs in. Tests replace it.
var credentialOf = identity.Credential

// tokens is a credential whose errors have a class and are one line.
type tokens struct{ azcore.TokenCredential }

// GetToken fetches an access token, or returns the one that it has.
func (t tokens) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := t.TokenCredential.GetToken(ctx, o)
	if err != nil {
		return azcore.AccessToken{}, &unreachable{tokenError(ctx, err)}
	}
	return token, nil
}

// reasons are the codes by which Entra ID says why it refuses.
var reasons = regexp.MustCompile(`AADSTS[0-9]+`)

// tokenError gives the error of a credential its class and a short text.
func tokenError(ctx context.Context, err error) error {
	var classed *scalers.Error
	var refused *azidentity.AuthenticationFailedError
	switch {
	case ctx.Err() != nil:
		return scalers.UnavailableError("fetching an access token: %w", ctx.Err())
	case errors.As(err, &classed):
		return err
	case !errors.As(err, &refused) || refused.RawResponse == nil:
		return scalers.UnavailableError("fetching an access token: %s", firstLine(err.Error()))
	}
	status, reason := refused.RawResponse.StatusCode, reasons.FindString(err.Error())
	if reason != "" {
		reason = " (" + reason + ")"
	}
	switch {
	case status == http.StatusTooManyRequests:
		return scalers.RateLimitedError(conn.RetryAfter(refused.RawResponse.Header), "fetching an access token: the authority answers with status %d", status)
	case status >= http.StatusInternalServerError:
		return scalers.UnavailableError("fetching an access token: the authority answers with status %d", status)
	}
	return scalers.AuthenticationError("fetching an access token: the authority refuses the identity with status %d%s: "+
		"check identityId, identityTenantId and the federated credential of Freshet's ServiceAccount", status, reason)
}

// firstLine begins a text that may be long.
func firstLine(text string) string {
	const most = 300
	for i, r := range text {
		if r == '\n' || r == '\r' || i > most {
			return text[:i]
		}
	}
	return text
}
