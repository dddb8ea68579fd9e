package conn

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// OAuth is the client credentials grant of OAuth2: who asks which server for
// access tokens.
type OAuth struct {
	// Address of the token endpoint.
	TokenURI string `param:"oauthTokenURI,optional" from:"auth"`
	// Identifier of the client.
	ClientID string `param:"clientID,optional" from:"auth"`
	// Secret of the client. A client that shows a certificate may have none.
	ClientSecret param.Secret `param:"clientSecret,optional" from:"auth"`
	// Scopes to ask for, separated by commas.
	Scopes []string `param:"scopes|scope,optional" from:"auth"`
	// More parameters of the request for a token, as in audience=shop&tenant=a.
	EndpointParams url.Values `param:"endpointParams,optional" from:"auth"`
}

// Validate checks what a request for a token needs. A client with a certificate
// may have no secret.
func (o OAuth) Validate(certificate bool) error {
	var faults []error
	missing := func(key string, missing bool) {
		if missing {
			faults = append(faults, fmt.Errorf("parameter %s is missing: OAuth2 needs it", key))
		}
	}
	missing("oauthTokenURI", o.TokenURI == "")
	missing("clientID", o.ClientID == "")
	missing("clientSecret", o.ClientSecret.Empty() && !certificate)
	if o.TokenURI != "" {
		_, err := ParseURL("oauthTokenURI", o.TokenURI)
		faults = append(faults, err)
	}
	if len(o.Scopes) > 0 && o.EndpointParams.Has("scope") {
		faults = append(faults, errors.New("parameters scopes and endpointParams both give a scope: keep one of them"))
	}
	return errors.Join(faults...)
}

// Open prepares to fetch tokens; the first use fetches. The token endpoint may
// also be signed by the authorities of t and is shown its certificate.
func (o OAuth) Open(t TLS) (*Tokens, error) {
	address, err := ParseURL("oauthTokenURI", o.TokenURI)
	if err != nil {
		return nil, &scalers.Error{Class: scalers.Configuration, Err: err}
	}
	tlsConfig, err := t.withSystem()
	if err != nil {
		return nil, err
	}
	tokens := &Tokens{
		name: urlName(address), secret: o.ClientSecret.Reveal(), turn: make(chan struct{}, 1),
		config: clientcredentials.Config{
			TokenURL: o.TokenURI, ClientID: o.ClientID, ClientSecret: o.ClientSecret.Reveal(),
			Scopes: o.Scopes, EndpointParams: o.EndpointParams,
		},
		client: http.Client{
			Transport: &http.Transport{ // without keep-alive: it is used once in a token's life
				Proxy: http.ProxyFromEnvironment, TLSClientConfig: tlsConfig, DisableKeepAlives: true,
				TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if o.ClientSecret.Empty() {
		tokens.config.AuthStyle = oauth2.AuthStyleInParams
	}
	return tokens, nil
}

// Tokens hands out access tokens, each until shortly before it expires. It is
// safe for concurrent use and holds no connection.
type Tokens struct {
	name   string
	secret string
	config clientcredentials.Config
	client http.Client

	// turn is full while somebody uses the fields below and, unlike a mutex, can
	// be waited for with a deadline.
	turn  chan struct{}
	token param.Secret
	// fresh is until when the token is handed out, good until when it is if no
	// other can be fetched.
	fresh, good time.Time
	// failure is why a fetch failed last: whoever waited for it is told so too.
	failure error

	// failures counts fetches that failed.
	failures atomic.Int64
}

const (
	// earliest is how long before its end a token is replaced, and lifetime how
	// long one is used whose end the server does not tell.
	earliest = 30 * time.Second
	lifetime = 5 * time.Minute
)

// Token returns the access token, a bearer token, which it fetches when there
// is none or it ends soon. Errors have a class and do not tell the client's
// secret.
func (t *Tokens) Token(ctx context.Context) (param.Secret, error) {
	before := t.failures.Load()
	if err := t.wait(ctx); err != nil {
		return param.Secret{}, err
	}
	defer func() { <-t.turn }()
	now := scalers.Now(ctx)
	if now.Before(t.fresh) {
		return t.token, nil
	}
	if t.failures.Load() != before {
		return param.Secret{}, t.failure
	}
	fetched, err := t.config.Token(context.WithValue(ctx, oauth2.HTTPClient, &t.client))
	switch {
	case err == nil:
	case now.Before(t.good):
		return t.token, nil
	default:
		err = t.explain(err)
		if ctx.Err() == nil {
			t.failure = err
			t.failures.Add(1)
		}
		return param.Secret{}, err
	}
	left := lifetime
	if !fetched.Expiry.IsZero() {
		left = time.Until(fetched.Expiry)
	}
	t.token, t.good, t.fresh = param.NewSecret(fetched.AccessToken), now.Add(left), now.Add(left-min(earliest, left/4))
	return t.token, nil
}

// Refused tells that a server did not take the token: the next use fetches
// another one.
func (t *Tokens) Refused(ctx context.Context, token param.Secret) {
	if t.wait(ctx) != nil {
		return
	}
	defer func() { <-t.turn }()
	if t.token == token {
		t.fresh, t.good = time.Time{}, time.Time{}
	}
}

func (t *Tokens) wait(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for an access token of %s: %w", t.name, ctx.Err())
	}
}

// explain gives an error of the token endpoint or the network its class.
func (t *Tokens) explain(err error) error {
	var refusal *oauth2.RetrieveError
	var network *url.Error
	switch {
	case errors.As(err, &refusal):
		return t.refusal(refusal)
	case errors.As(err, &network):
		return fmt.Errorf("fetching an access token from %s: %w", t.name, networkError(err))
	default:
		return scalers.UnavailableError("%s answers with no access token: parameter oauthTokenURI must be the token endpoint of an OAuth2 server", t.name)
	}
}

// refusal gives an answer of the token endpoint that is an error its class. Of
// the answer it tells no more than the protocol's own fields.
func (t *Tokens) refusal(r *oauth2.RetrieveError) error {
	status := &StatusError{URL: t.name, Code: r.Response.StatusCode}
	said := t.quote(r)
	switch r.ErrorCode {
	case "invalid_client", "unauthorized_client", "invalid_grant", "access_denied":
		return scalers.AuthenticationError("the token endpoint refused the client: check parameters clientID and clientSecret: %w%s", status, said)
	case "invalid_scope", "invalid_request", "invalid_target", "unsupported_grant_type":
		return scalers.ConfigurationError("the token endpoint refused the request: check parameters scopes and endpointParams: %w%s", status, said)
	case "temporarily_unavailable", "server_error":
		return scalers.UnavailableError("%w%s", status, said)
	}
	if code := status.Code; code >= 300 && code < 400 {
		return scalers.ConfigurationError("%w: parameter oauthTokenURI must be the address where it leads", status)
	}
	err := statusError(r.Response, status)
	return &scalers.Error{Class: scalers.ClassOf(err), RetryAfter: scalers.RetryAfterOf(err), Err: fmt.Errorf("fetching an access token: %w%s", err, said)}
}

// quote is what the token endpoint says of an error, on one line, not long and
// without the secret.
func (t *Tokens) quote(r *oauth2.RetrieveError) string {
	said := strings.TrimSpace(r.ErrorCode + " " + r.ErrorDescription)
	if said == "" {
		return ""
	}
	for _, secret := range []string{t.secret, url.QueryEscape(t.secret)} {
		if secret != "" {
			said = strings.ReplaceAll(said, secret, "…")
		}
	}
	return ": " + Quote(said)
}
