package auth

import (
	"context"
	"net/url"
	"strings"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
)

// readOAuth2 gives the parameters by which a trigger that speaks HTTP gets a
// token by itself.
func readOAuth2(ctx context.Context, q *Request) error {
	o := q.Spec.OAuth2
	if o.Type != "" && o.Type != kedav1alpha1.OAuth2TypeClientCredentials {
		return scalers.ConfigurationError("oauth2.type is %q: use clientCredentials", o.Type)
	}
	if o.ClientID == "" {
		return scalers.ConfigurationError("oauth2.clientId is empty: set it to the id of the client")
	}
	if u, err := url.Parse(o.TokenURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return scalers.ConfigurationError("oauth2.tokenUrl is not an absolute URL such as https://login.example.com/token")
	}
	q.Set("oauthTokenURI", o.TokenURL)
	q.Set("clientID", o.ClientID)
	if o.ClientSecret != nil {
		secret, err := q.Secret(ctx, *o.ClientSecret, "oauth2.clientSecret")
		if err != nil {
			return err
		}
		q.Set("clientSecret", secret.Reveal())
	}
	if len(o.Scopes) > 0 {
		q.Set("scopes", strings.Join(o.Scopes, ","))
	}
	if len(o.TokenURLParams) > 0 {
		form := url.Values{}
		for key, value := range o.TokenURLParams {
			form.Set(key, value)
		}
		q.Set("endpointParams", form.Encode())
	}
	return nil
}
