// Package gcp signs in to Google Cloud: as Freshet's own pod, or by a key.
package gcp

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"sync"
	"time"

	"cloud.google.com/go/auth"
	google "cloud.google.com/go/auth/credentials"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/identity"
	"github.com/freshet-io/freshet/scalers/param"
)

// Credentials are what to sign in with. They are safe for concurrent use and
// keep the access token that they fetch.
type Credentials struct {
	scopes []string
	// key is empty for Freshet's own pod; kind is what it is a key of.
	key  param.Secret
	kind google.CredType

	mu    sync.Mutex
	found *auth.Credentials
}

var all identity.Kept[*Credentials]

// client fetches access tokens. Some are fetched beside the call that has the
// last one still.
var client = &http.Client{Timeout: 10 * time.Second, Transport: http.DefaultTransport}

// New returns what to sign in with for the scopes: the key, in JSON, or as
// Freshet's own pod when there is none. Equal ones are shared. An error is of
// class Configuration.
func New(key param.Secret, scopes ...string) (*Credentials, error) {
	return all.Get(param.FingerprintOf(key, scopes), func() (*Credentials, error) {
		kind, err := check(key)
		return &Credentials{scopes: scopes, key: key, kind: kind}, err
	})
}

// check looks at a key. Kinds of credentials are refused that have Freshet read
// files or ask other servers: who writes an authentication may not do that.
func check(key param.Secret) (google.CredType, error) {
	if key.Empty() {
		return "", nil
	}
	var fields struct {
		Type       string `json:"type"`
		PrivateKey string `json:"private_key"`
		TokenURI   string `json:"token_uri"`
	}
	if json.Unmarshal([]byte(key.Reveal()), &fields) != nil || fields.Type == "" {
		return "", scalers.ConfigurationError("the Google credentials are not the JSON of a key that Google issues")
	}
	kind := google.CredType(fields.Type)
	switch kind {
	case google.AuthorizedUser:
		return kind, nil
	case google.ServiceAccount:
	default:
		return "", scalers.ConfigurationError("the Google credentials are of the type %q: use a key of a service account, "+
			"or podIdentity gcp for what Freshet's own pod is set up with", fields.Type)
	}
	block, _ := pem.Decode([]byte(fields.PrivateKey))
	if block == nil {
		return "", scalers.ConfigurationError("the Google credentials have no private key in PEM")
	}
	if _, err := x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
		if _, err := x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
			return "", scalers.ConfigurationError("the Google credentials have a private key that cannot be read")
		}
	}
	if u, err := url.Parse(fields.TokenURI); err != nil || fields.TokenURI != "" && u.Host == "" {
		return "", scalers.ConfigurationError("the Google credentials have a token_uri that is no URL")
	}
	return kind, nil
}

// find returns the library's credentials. Those of the pod may take a moment to
// find; what was not found is looked for again.
func (c *Credentials) find() (*auth.Credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.found != nil {
		return c.found, nil
	}
	options := &google.DetectOptions{Scopes: c.scopes, Client: client}
	var err error
	if !c.key.Empty() {
		if c.found, err = google.NewCredentialsFromJSON(c.kind, []byte(c.key.Reveal()), options); err != nil {
			return nil, scalers.ConfigurationError("the Google credentials cannot be signed in with: use a key as Google issues it")
		}
		return c.found, nil
	}
	found, err := google.DetectDefault(options)
	if err != nil {
		return nil, scalers.AuthenticationError("Freshet's environment has no Google identity: give a key, or set up Workload Identity of its pod")
	}
	c.found = found
	return found, nil
}

// Token returns an access token. Its errors have a class and tell no secret.
func (c *Credentials) Token(ctx context.Context) (string, error) {
	found, err := c.find()
	if err != nil {
		return "", err
	}
	token, err := found.Token(ctx)
	switch {
	case err != nil:
		return "", explain(err)
	case token.Value == "":
		return "", scalers.UnavailableError("Google, fetching an access token: it is empty")
	}
	return token.Value, nil
}

// Project returns the project of the key, or of Freshet's own pod.
func (c *Credentials) Project(ctx context.Context) (string, error) {
	found, err := c.find()
	if err != nil {
		return "", err
	}
	project, err := found.ProjectID(ctx)
	if err == nil && project != "" {
		return project, nil
	}
	for _, variable := range []string{"GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"} {
		if project = os.Getenv(variable); project != "" {
			return project, nil
		}
	}
	return "", scalers.ConfigurationError("the Google project is not known: name it, or set GOOGLE_CLOUD_PROJECT in Freshet's environment")
}

// Universe returns the domain of Google's services, googleapis.com in general.
func (c *Credentials) Universe(ctx context.Context) (string, error) {
	found, err := c.find()
	if err != nil {
		return "", err
	}
	domain, err := found.UniverseDomain(ctx)
	if err != nil {
		return "", identity.Unanswered("Google", "finding the domain of its services", err)
	}
	return domain, nil
}

// Sign adds an access token to the request.
func (c *Credentials) Sign(ctx context.Context, r *http.Request) error {
	token, err := c.Token(ctx)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if found, err := c.find(); err == nil {
		if project, err := found.QuotaProjectID(ctx); err == nil && project != "" {
			r.Header.Set("X-Goog-User-Project", project)
		}
	}
	return nil
}

func init() {
	conn.RegisterSigner(conn.GCP, func(c conn.SignerConfig) (conn.Signer, error) {
		if c.Scope == "" {
			return nil, scalers.ConfigurationError("an access token of Google needs a scope")
		}
		return New(c.Credentials, c.Scope)
	})
}

// reason is how Google says why it gives no token.
var reason = regexp.MustCompile(`^[a-z_]{1,40}$`)

// explain gives an error of fetching a token its class, and of what it says only
// the reason: it is asked with a secret, at an address from the key.
func explain(err error) error {
	const doing = "fetching an access token"
	var answered *auth.Error
	if !errors.As(err, &answered) || answered.Response == nil {
		return identity.Unanswered("Google", doing, err)
	}
	var body struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(answered.Body, &body) != nil || !reason.MatchString(body.Error) {
		body.Error = ""
	}
	code := answered.Response.StatusCode
	switch said := identity.Saying(body.Error); {
	case code == http.StatusTooManyRequests:
		return scalers.RateLimitedError(0, "Google, %s: status %d%s", doing, code, said)
	case code >= 400 && code < 500:
		return scalers.AuthenticationError("Google, %s: status %d%s", doing, code, said)
	default:
		return scalers.UnavailableError("Google, %s: status %d%s", doing, code, said)
	}
}
