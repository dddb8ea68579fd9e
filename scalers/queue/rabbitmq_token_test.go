package queue_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest"
)

// issuer hands out access tokens that the shared server takes.
type issuer struct {
	*httptest.Server
	issued atomic.Int32
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		if id != "freshet" || secret != "S3NT1N3L" || r.FormValue("grant_type") != "client_credentials" || r.FormValue("audience") != "rabbitmq" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client"}`)
			return
		}
		i.issued.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"access_token": token(t, r.FormValue("scope")), "token_type": "bearer", "expires_in": 3600,
		})
	}))
	t.Cleanup(i.Close)
	return i
}

// token is signed for the scopes.
func token(t *testing.T, scopes string) string {
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	text := part(m{"alg": "RS256", "typ": "JWT", "kid": "test"}) + "." + part(map[string]any{
		"aud": []string{"rabbitmq"}, "sub": "freshet", "exp": time.Now().Add(time.Hour).Unix(), "scope": strings.Fields(scopes),
	})
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, tokenKey, crypto.SHA256, sum[:])
	if err != nil {
		t.Error(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// TestRabbitMQAccessTokens logs in to the real management API by OAuth2.
func TestRabbitMQAccessTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.queue("orders", 3)
	w.settled(1, func(q m) bool { return q["messages"] == "3" })
	i := newIssuer(t)
	host := "http://" + w.HTTPAddr() + "/" + w.vhost
	client := func(secret, scopes string) m {
		return m{
			"oauthTokenURI": i.URL + "/token", "clientID": "freshet", "clientSecret": secret,
			"endpointParams": "audience=rabbitmq", "scopes": scopes,
		}
	}
	all := client("S3NT1N3L", "rabbitmq.read:*/*, rabbitmq.tag:management")
	for _, s := range []*scalers.Scaler{
		trigger(t, host, "orders", nil, all),
		trigger(t, strings.Replace(host, "://", "://nobody:nothing@", 1), "orders", nil, all), // the token comes first
	} {
		i.issued.Store(0)
		c := scalertest.Open(t, s)
		for range 3 {
			if out, err := readOn(t, c, s); err != nil || outcome(out[0]) != "3" {
				t.Errorf("read %v, %v", outcomes(out), err)
			}
		}
		if n := i.issued.Load(); n != 1 {
			t.Errorf("%d tokens were fetched for three reads", n)
		}
	}
	wantClass(t, trigger(t, host, "orders", nil, client("wrong", "rabbitmq.read:*/*")), scalers.Authentication, "clientID")
	wantClass(t, trigger(t, host, "orders", nil, client("S3NT1N3L", "rabbitmq.read:*/*")), scalers.Authentication, "refused")
	wantClass(t, trigger(t, host, "orders", nil, client("S3NT1N3L", "rabbitmq.read:other/*,rabbitmq.tag:management")), scalers.Authentication)
}

func TestRabbitMQAccessTokenFaults(t *testing.T) {
	oauth := m{"oauthTokenURI": "https://login/token", "clientID": "c", "clientSecret": "S3NT1N3L"}
	with := func(more m) m {
		all := m{}
		for _, part := range []m{oauth, more} {
			for k, v := range part {
				all[k] = v
			}
		}
		return all
	}
	for reason, tc := range map[string]struct {
		host string
		auth m
		want string
	}{
		"the address alone":  {overHTTP, m{"oauthTokenURI": "https://login/token"}, "clientID is missing"},
		"without the secret": {overHTTP, m{"oauthTokenURI": "https://login/token", "clientID": "c"}, "clientSecret is missing"},
		"the secret alone":   {overHTTP, m{"clientSecret": "S3NT1N3L"}, "oauthTokenURI is missing"},
		"no address":         {overHTTP, with(m{"oauthTokenURI": "login"}), "oauthTokenURI must begin with http"},
		"over AMQP":          {overAMQP, oauth, "which does not serve oauthTokenURI"},
		"and a user":         {overHTTP, with(m{"username": "u", "password": "p"}), "keep one way to log in"},
		"and an identity":    {overHTTP, with(m{"workloadIdentityResource": "r"}), "keep one way to log in"},
	} {
		if _, err := decode(tc.host, "orders", nil, tc.auth); err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "S3NT1N3L") {
			t.Errorf("%s: %v", reason, err)
		}
	}
	a, b := trigger(t, overHTTP, "a", nil, oauth), trigger(t, overHTTP, "a", nil, with(m{"scopes": "read"}))
	if a.Source.Fingerprint == b.Source.Fingerprint {
		t.Error("tokens of two scopes are one source")
	}
}

// stamp signs requests with what it was told to sign for.
type stamp struct{ conn.SignerConfig }

func (s stamp) Sign(_ context.Context, r *http.Request) error {
	r.Header.Set("Authorization", "Bearer "+s.Identity.ID+" "+s.Scope)
	return nil
}

func init() {
	conn.RegisterSigner(conn.AzureWorkload, func(c conn.SignerConfig) (conn.Signer, error) { return stamp{c}, nil })
}

// TestRabbitMQWorkloadIdentity signs requests as the identity of a pod, and not
// as the user of the address.
func TestRabbitMQWorkloadIdentity(t *testing.T) {
	t.Parallel()
	var got atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Store(r.Header.Get("Authorization"))
		fmt.Fprint(w, `{"name":"orders","messages":7}`)
	}))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("user", "password")
	for resource, scope := range map[string]string{"api://rabbit": "api://rabbit/.default", "api://rabbit/": "api://rabbit/.default", "r/.default": "r/.default"} {
		s, _, err := scalers.Decode("rabbitmq", param.Input{
			Metadata: m{"host": u.String(), "queueName": "orders"}, Auth: m{"workloadIdentityResource": resource},
		}, scalers.Setting{Identity: scalers.Identity{Provider: conn.AzureWorkload, ID: "shop"}})
		if err != nil {
			t.Fatal(err)
		}
		if r := read(t, s); outcome(r) != "7" || got.Load() != "Bearer shop "+scope {
			t.Errorf("read %s, %v; the server was given %q", outcome(r), r.Err, got.Load())
		}
	}
}
