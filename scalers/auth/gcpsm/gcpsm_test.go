package gcpsm

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/auth"
	"github.com/freshet-io/freshet/scalers/auth/authtest"
	"github.com/freshet-io/freshet/scalers/identity/gcp/gcptest"
)

type (
	m      = map[string]string
	spec   = kedav1alpha1.GCPSecretManager
	secret = kedav1alpha1.GCPSecretManagerSecret
)

const sentinel = authtest.Sentinel

// manager is a Secret Manager, scripted after its published protocol: there is
// none to be had for tests. Whoever asks for secretmanager.googleapis.com asks it.
type manager struct {
	*httptest.Server

	mu     sync.Mutex
	values m // by full name of the version
	asked  []string
	answer http.HandlerFunc
}

var (
	service = &manager{}
	google  *gcptest.Google
)

func TestMain(m *testing.M) {
	var err error
	if google, err = gcptest.Start(sentinel); err != nil {
		panic(err)
	}
	for key, value := range map[string]string{
		"GCE_METADATA_HOST": strings.TrimPrefix(google.URL, "http://"), "GOOGLE_APPLICATION_CREDENTIALS": "", "HOME": "/nonexistent",
	} {
		_ = os.Setenv(key, value)
	}
	service.Server = httptest.NewTLSServer(service)
	base = &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // it has a certificate of another name
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if address != "secretmanager.googleapis.com:443" {
				return nil, fmt.Errorf("%s is dialled", address)
			}
			return (&net.Dialer{}).DialContext(ctx, network, service.Listener.Addr().String())
		},
	}
	code := m.Run()
	service.Close()
	google.Close()
	os.Exit(code)
}

// hold has the service hold the values, and nothing else, and answer with f where
// it is given.
func (s *manager) hold(values m, f http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values, s.asked, s.answer = values, nil, f
}

// ServeHTTP answers reads of versions to whom Google gave a token.
func (s *manager) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	name, verb, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/"), ":")
	token := r.Header.Get("Authorization")
	s.asked = append(s.asked, token)
	value, ok := s.values[name]
	f := s.answer
	s.mu.Unlock()
	rw.Header().Set("Content-Type", "application/json")
	switch {
	case f != nil:
		f(rw, r)
	case r.Method != http.MethodGet || verb != "access":
		fail(rw, http.StatusBadRequest, "not a read of a version")
	case !strings.HasPrefix(token, "Bearer token ") || !strings.HasSuffix(token, sentinel):
		fail(rw, http.StatusUnauthorized, "Request had invalid authentication credentials.")
	case !ok:
		fail(rw, http.StatusNotFound, "Secret ["+name+"] not found or has no versions.")
	default:
		sum := crc32.Checksum([]byte(value), castagnoli)
		_, _ = fmt.Fprintf(rw, `{"name":%q,"payload":{"data":%q,"dataCrc32c":"%d"}}`, name, base64.StdEncoding.EncodeToString([]byte(value)), sum)
	}
}

func fail(rw http.ResponseWriter, status int, message string) {
	rw.WriteHeader(status)
	_, _ = fmt.Fprintf(rw, `{"error":{"code":%d,"message":%q,"status":"X"}}`, status, message)
}

func newWorld(t *testing.T) *authtest.World {
	return authtest.New(t, authtest.Secret("apps", "keys", "key", google.Key(nil), "other", google.Key(m2{"type": "external_account"}), "empty", "",
		"stranger", strings.ReplaceAll(strangersKey, "TOKEN", google.URL+"/token")))
}

type m2 = map[string]any

func byKey(key string, secrets ...secret) kedav1alpha1.TriggerAuthenticationSpec {
	return kedav1alpha1.TriggerAuthenticationSpec{GCPSecretManager: &spec{
		Credentials: &kedav1alpha1.GCPCredentials{ClientSecret: authtest.From("keys", key)}, Secrets: secrets,
	}}
}

// strangersKey is a key that Google does not know.
var strangersKey = func() string {
	g, err := gcptest.Start("")
	if err != nil {
		panic(err)
	}
	defer g.Close()
	return g.Key(m2{"token_uri": "TOKEN"})
}()

func expect(t *testing.T, got auth.Resolved, err error, want m) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Params); diff != "" || got.Refresh != time.Minute {
		t.Errorf("refresh is %s, want a minute; parameters (-want +got):\n%s", got.Refresh, diff)
	}
}

func TestSecrets(t *testing.T) {
	service.hold(m{
		"projects/shop/secrets/queues/versions/latest": sentinel, "projects/shop/secrets/queues/versions/1": "\x00\xff old",
		"projects/other/secrets/queues/versions/latest": "of another project", "projects/machine-shop/secrets/queues/versions/latest": "of the machine",
	}, nil)
	w := newWorld(t)
	got, err := w.Resolve(byKey("key", secret{Parameter: "now", ID: "queues"}, secret{Parameter: "old", ID: "queues", Version: "1"},
		secret{Parameter: "other", ID: "projects/other/secrets/queues"}))
	expect(t, got, err, m{"now": sentinel, "old": "\x00\xff old", "other": "of another project"})
	for i, token := range service.asked {
		if !strings.Contains(token, "of worker") {
			t.Errorf("call %d is by %q", i, token)
		}
	}
	got, err = w.Resolve(kedav1alpha1.TriggerAuthenticationSpec{GCPSecretManager: &spec{
		PodIdentity: &kedav1alpha1.AuthPodIdentity{Provider: "gcp"}, Secrets: []secret{{Parameter: "p", ID: "queues"}},
	}})
	expect(t, got, err, m{"p": "of the machine"})

	service.hold(m{"projects/shop/secrets/queues/versions/latest": "next"}, nil)
	w.Advance(time.Minute)
	for range 10 {
		got, err = w.Resolve(byKey("key", secret{Parameter: "now", ID: "queues"}))
		expect(t, got, err, m{"now": "next"})
	}
	if len(service.asked) != 1 {
		t.Errorf("%d calls, want 1", len(service.asked))
	}
}

func TestFaults(t *testing.T) {
	service.hold(m{}, nil)
	for name, tc := range map[string]struct {
		spec  kedav1alpha1.TriggerAuthenticationSpec
		class scalers.Class
		names []string
	}{
		"not there":    {byKey("key", secret{ID: "lost"}), scalers.Configuration, []string{"lost", "404", "not found"}},
		"a path":       {byKey("key", secret{ID: "../../x"}), scalers.Configuration, []string{"../../x"}},
		"half a path":  {byKey("key", secret{ID: "projects/x"}), scalers.Configuration, []string{"projects/x"}},
		"a version":    {byKey("key", secret{ID: "x", Version: "1/../2"}), scalers.Configuration, []string{"1/../2"}},
		"a stranger":   {byKey("stranger", secret{ID: "queues"}), scalers.Authentication, []string{"access token", "invalid_grant"}},
		"another kind": {byKey("other", secret{ID: "queues"}), scalers.Configuration, []string{"external_account"}},
		"empty":        {byKey("empty", secret{ID: "queues"}), scalers.Configuration, []string{"clientSecret", "empty"}},
		"no key":       {byKey("lost", secret{ID: "queues"}), scalers.Configuration, []string{"clientSecret", "lost"}},
		"neither":      {kedav1alpha1.TriggerAuthenticationSpec{GCPSecretManager: &spec{}}, scalers.Configuration, []string{"neither"}},
		"provider": {kedav1alpha1.TriggerAuthenticationSpec{GCPSecretManager: &spec{PodIdentity: &kedav1alpha1.AuthPodIdentity{Provider: "aws"}}},
			scalers.Configuration, []string{"gcpSecretManager.podIdentity.provider"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newWorld(t).Resolve(tc.spec)
			authtest.WantError(t, err, tc.class, tc.names...)
		})
	}
}

func TestReplies(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		class  scalers.Class
		names  []string
	}{
		"denied":    {403, `{"error":{"code":403,"message":"Permission 'secretmanager.versions.access' denied","status":"PERMISSION_DENIED"}}`, scalers.Authentication, []string{"queues", "denied"}},
		"disabled":  {400, `{"error":{"code":400,"message":"Secret Version is in DISABLED state."}}`, scalers.Configuration, []string{"DISABLED"}},
		"quota":     {429, `{"error":{"code":429,"message":"Quota exceeded"}}`, scalers.RateLimited, []string{"Quota"}},
		"down":      {503, `{"error":{"code":503,"message":"unavailable"}}`, scalers.Unavailable, []string{"503"}},
		"page":      {502, `<html>` + sentinel, scalers.Unavailable, []string{"502"}},
		"nothing":   {200, `{}`, scalers.Unavailable, []string{"without its value"}},
		"damaged":   {200, `{"payload":{"data":"UzNOVDFOM0w=","dataCrc32c":"1"}}`, scalers.Unavailable, []string{"damaged"}},
		"no base64": {200, `{"payload":{"data":"*` + sentinel + `"}}`, scalers.Unavailable, []string{"queues"}},
		"half":      {200, `{"payload":{"data":"` + sentinel, scalers.Unavailable, []string{"queues"}},
	} {
		t.Run(name, func(t *testing.T) {
			service.hold(nil, func(rw http.ResponseWriter, _ *http.Request) {
				rw.WriteHeader(tc.status)
				_, _ = io.WriteString(rw, tc.body)
			})
			_, err := newWorld(t).Resolve(byKey("key", secret{ID: "queues"}))
			authtest.WantError(t, err, tc.class, tc.names...)
		})
	}
}

// TestServiceGoneAndBack: the last value lasts while the service hangs.
func TestServiceGoneAndBack(t *testing.T) {
	service.hold(m{"projects/shop/secrets/queues/versions/latest": "one"}, nil)
	w := newWorld(t)
	w.Resolver.Timeout = 200 * time.Millisecond
	it := byKey("key", secret{Parameter: "p", ID: "queues"})
	got, err := w.Resolve(it)
	expect(t, got, err, m{"p": "one"})
	service.hold(nil, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	w.Advance(time.Minute)
	if got, err = w.Resolve(it); err != nil || got.Params["p"] != "one" {
		t.Errorf("got %v, %v", got, err)
	}
	_, err = w.Resolve(byKey("key", secret{Parameter: "p", ID: "other"}))
	authtest.WantError(t, err, scalers.Unavailable)
	service.hold(m{"projects/shop/secrets/queues/versions/latest": "two"}, nil)
	w.Advance(time.Minute)
	got, err = w.Resolve(it)
	expect(t, got, err, m{"p": "two"})
}
