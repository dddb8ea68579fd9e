// Package gcpsm has authentications take parameters from Google Cloud Secret
// Manager. A program that imports it can.
package gcpsm

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"regexp"

	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/auth"
	"github.com/freshet-io/freshet/scalers/identity"
	"github.com/freshet-io/freshet/scalers/identity/gcp"
	"github.com/freshet-io/freshet/scalers/param"
)

func init() { auth.RegisterSource("gcpSecretManager", read) }

const (
	scope  = "https://www.googleapis.com/auth/cloud-platform"
	server = "Google Secret Manager"
)

// read gives the request every parameter of its secrets.
func read(ctx context.Context, q *auth.Request) error {
	key, err := keyOf(ctx, q)
	if err != nil {
		return err
	}
	credentials, err := gcp.New(key, scope)
	if err != nil {
		return err
	}
	for i := range q.Spec.GCPSecretManager.Secrets {
		secret := &q.Spec.GCPSecretManager.Secrets[i]
		answer, err := q.Ask(ctx, auth.Question{
			Key: param.FingerprintOf("gcpSecretManager", key, secret.ID, secret.Version), Server: server,
			Ask: func(ctx context.Context) (auth.Answer, error) {
				value, err := fetch(ctx, credentials, secret)
				return auth.Answer{Values: map[string]param.Secret{"secret": value}}, err
			},
		})
		if err != nil {
			return err
		}
		q.Set(secret.Parameter, answer.Values["secret"].Reveal())
	}
	return nil
}

// keyOf is the key to sign in with, empty for Freshet's own pod.
func keyOf(ctx context.Context, q *auth.Request) (param.Secret, error) {
	spec := q.Spec.GCPSecretManager
	id, err := q.Identity(ctx, spec.PodIdentity, "gcpSecretManager.podIdentity")
	switch {
	case err != nil:
		return param.Secret{}, err
	case id.Provider == "gcp":
		return param.Secret{}, nil
	case id.Provider != "":
		return param.Secret{}, scalers.ConfigurationError("gcpSecretManager.podIdentity.provider is %q: use gcp", id.Provider)
	case spec.Credentials == nil:
		return param.Secret{}, scalers.ConfigurationError("gcpSecretManager has neither credentials nor podIdentity: give one of them")
	}
	key, err := q.Secret(ctx, spec.Credentials.ClientSecret, "gcpSecretManager.credentials.clientSecret")
	if err == nil && key.Empty() {
		err = scalers.ConfigurationError("gcpSecretManager.credentials.clientSecret is empty")
	}
	return key, err
}

var (
	shortID = regexp.MustCompile(`^[\w-]+$`)
	fullID  = regexp.MustCompile(`^projects/[\w:.-]+/secrets/[\w-]+$`)
	version = regexp.MustCompile(`^[\w-]*$`)
)

// nameOf is the full name of the secret's version.
func nameOf(ctx context.Context, credentials *gcp.Credentials, secret *kedav1alpha1.GCPSecretManagerSecret) (string, error) {
	id := secret.ID
	switch {
	case !version.MatchString(secret.Version):
		return "", scalers.ConfigurationError("gcpSecretManager names version %q of secret %q: use a number, an alias or latest", secret.Version, id)
	case fullID.MatchString(id):
	case !shortID.MatchString(id):
		return "", scalers.ConfigurationError("gcpSecretManager names secret %q, which no secret is called: use its name, or projects/PROJECT/secrets/NAME", id)
	default:
		project, err := credentials.Project(ctx)
		if err != nil {
			return "", err
		}
		id = "projects/" + project + "/secrets/" + id
	}
	if secret.Version == "" {
		return id + "/versions/latest", nil
	}
	return id + "/versions/" + secret.Version, nil
}

// castagnoli is the checksum that the service computes.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fetch reads a version of a secret.
func fetch(ctx context.Context, credentials *gcp.Credentials, secret *kedav1alpha1.GCPSecretManagerSecret) (param.Secret, error) {
	name, err := nameOf(ctx, credentials, secret)
	if err != nil {
		return param.Secret{}, err
	}
	client, err := newClient(ctx, credentials)
	if err != nil {
		return param.Secret{}, err
	}
	defer func() { _ = client.Close() }() // its connections are everybody's
	got, err := client.AccessSecretVersion(ctx, &secretmanagerpb.AccessSecretVersionRequest{Name: name})
	if err != nil {
		return param.Secret{}, explain(fmt.Sprintf("reading secret %q", secret.ID), err)
	}
	if got.GetPayload() == nil || (got.Payload.DataCrc32C != nil && *got.Payload.DataCrc32C != int64(crc32.Checksum(got.Payload.Data, castagnoli))) {
		return param.Secret{}, scalers.UnavailableError("%s answers with secret %q without its value, or with one that is damaged", server, secret.ID)
	}
	return param.NewSecret(string(got.Payload.Data)), nil
}

// mostAnswer is the longest answer that is read, in bytes.
const mostAnswer = 4 << 20

// base carries requests. Tests replace it, to have them carried elsewhere.
var base = http.DefaultTransport

// newClient speaks to the service over connections that all share. It does not
// retry.
func newClient(ctx context.Context, credentials *gcp.Credentials) (*secretmanager.Client, error) {
	domain, err := credentials.Universe(ctx)
	if err != nil {
		return nil, err
	}
	client, err := secretmanager.NewRESTClient(ctx, option.WithEndpoint("https://secretmanager."+domain),
		option.WithHTTPClient(&http.Client{Transport: signing{auth.LimitBody(base, mostAnswer), credentials}}))
	if err != nil {
		return nil, scalers.ConfigurationError("Freshet's environment has settings of Google's libraries that are not understood")
	}
	*client.CallOptions = secretmanager.CallOptions{}
	return client, nil
}

// signing adds an access token to every request.
type signing struct {
	http.RoundTripper
	credentials *gcp.Credentials
}

// RoundTrip signs a copy of the request.
func (s signing) RoundTrip(r *http.Request) (*http.Response, error) {
	signed := r.Clone(r.Context())
	if err := s.credentials.Sign(r.Context(), signed); err != nil {
		return nil, err
	}
	return s.RoundTripper.RoundTrip(signed) //nolint:wrapcheck // a transport hands on
}

// explain gives an error of the library its class and a text of one line.
func explain(doing string, err error) error {
	var classed *scalers.Error
	if errors.As(err, &classed) { // of signing
		return classed
	}
	var said *googleapi.Error
	if !errors.As(err, &said) {
		return identity.Unanswered(server, doing, err)
	}
	text := fmt.Sprintf("%s, %s: status %d%s", server, doing, said.Code, identity.Saying(said.Message))
	switch code := said.Code; {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return scalers.AuthenticationError("%s", text)
	case code == http.StatusTooManyRequests:
		return scalers.RateLimitedError(0, "%s", text)
	case code >= 400 && code < 500:
		return scalers.ConfigurationError("%s", text)
	default:
		return scalers.UnavailableError("%s", text)
	}
}
