package gcp_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/identity/gcp"
	"github.com/freshet-io/freshet/scalers/identity/gcp/gcptest"
	"github.com/freshet-io/freshet/scalers/param"
)

const sentinel = "S3NT1N3L"

// google is also the metadata server of the machine that these tests believe to
// run on.
var google *gcptest.Google

func TestMain(m *testing.M) {
	var err error
	if google, err = gcptest.Start(sentinel); err != nil {
		panic(err)
	}
	for key, value := range map[string]string{
		"GCE_METADATA_HOST": strings.TrimPrefix(google.URL, "http://"), "GOOGLE_APPLICATION_CREDENTIALS": "", "HOME": "/nonexistent",
		"GOOGLE_CLOUD_PROJECT": "", "CLOUDSDK_CORE_PROJECT": "",
	} {
		_ = os.Setenv(key, value)
	}
	code := m.Run()
	google.Close()
	os.Exit(code)
}

func key(replace map[string]any) param.Secret { return param.NewSecret(google.Key(replace)) }

func sign(t *testing.T, s conn.Signer) (http.Header, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://monitoring.example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Sign(t.Context(), r)
	return r.Header, err
}

func TestSigners(t *testing.T) {
	for name, tc := range map[string]struct {
		config conn.SignerConfig
		want   string
	}{
		"key": {conn.SignerConfig{Provider: conn.GCP, Scope: "a", Credentials: key(nil)}, "of worker"},
		"pod": {conn.SignerConfig{Provider: conn.GCP, Scope: "a", Identity: scalers.Identity{Provider: "gcp"}}, "of the machine"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := conn.OpenSigner(tc.config)
			if err != nil {
				t.Fatal(err)
			}
			got, err := sign(t, s)
			if err != nil || !strings.HasPrefix(got.Get("Authorization"), "Bearer token ") || !strings.Contains(got.Get("Authorization"), tc.want) {
				t.Errorf("got %q, %v", got.Get("Authorization"), err)
			}
		})
	}
	s, err := conn.OpenSigner(conn.SignerConfig{Provider: conn.GCP, Scope: "b", Credentials: key(map[string]any{"quota_project_id": "payer"})})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := sign(t, s); err != nil || got.Get("X-Goog-User-Project") != "payer" {
		t.Errorf("who pays is %q, %v", got.Get("X-Goog-User-Project"), err)
	}
	if _, err := conn.OpenSigner(conn.SignerConfig{Provider: conn.GCP}); scalers.ClassOf(err) != scalers.Configuration || err == nil {
		t.Errorf("without a scope: %v", err)
	}
}

// TestTokensAreKept: all that sign in alike share one token.
func TestTokensAreKept(t *testing.T) {
	before := google.Calls()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			c, err := gcp.New(key(map[string]any{"client_id": "kept"}), "kept")
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := c.Token(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if calls := google.Calls() - before; calls != 1 {
		t.Errorf("%d tokens were fetched, want 1", calls)
	}
}

func TestProject(t *testing.T) {
	project := func(k param.Secret) (string, error) {
		t.Helper()
		c, err := gcp.New(k, "project")
		if err != nil {
			t.Fatal(err)
		}
		return c.Project(t.Context())
	}
	for want, k := range map[string]param.Secret{"shop": key(nil), "machine-shop": {}} {
		if got, err := project(k); err != nil || got != want {
			t.Errorf("the project is %q, %v; want %s", got, err, want)
		}
	}
	bare := key(map[string]any{"project_id": nil})
	_, err := project(bare)
	expectError(t, err, scalers.Configuration, "GOOGLE_CLOUD_PROJECT")
	t.Setenv("CLOUDSDK_CORE_PROJECT", "of-env")
	if got, err := project(bare); err != nil || got != "of-env" {
		t.Errorf("the project is %q, %v", got, err)
	}
}

func expectError(t *testing.T, err error, class scalers.Class, names ...string) {
	t.Helper()
	if err == nil || scalers.ClassOf(err) != class {
		t.Fatalf("the error is of class %s, want %s: %v", scalers.ClassOf(err), class, err)
	}
	for _, name := range names {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the error does not name %q: %v", name, err)
		}
	}
	for _, text := range []string{fmt.Sprintf("%v", err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
		if strings.Contains(text, sentinel) || strings.Contains(err.Error(), "\n") {
			t.Errorf("a secret is told, or more than a line: %s", text)
		}
	}
}

func TestKeysThatAreNone(t *testing.T) {
	for name, k := range map[string]string{
		"not the JSON": "{" + sentinel, "not the JSON of": `{"a":"` + sentinel + `"}`,
		`"external_account"`:                google.Key(map[string]any{"type": "external_account"}),
		`"impersonated_service_account"`:    google.Key(map[string]any{"type": "impersonated_service_account"}),
		"no private key":                    google.Key(map[string]any{"private_key": sentinel}),
		"a private key that cannot be read": google.Key(map[string]any{"private_key": "-----BEGIN PRIVATE KEY-----\nUzNOVDFOM0w=\n-----END PRIVATE KEY-----\n"}),
		"token_uri":                         google.Key(map[string]any{"token_uri": sentinel}),
	} {
		_, err := gcp.New(param.NewSecret(k), "a")
		expectError(t, err, scalers.Configuration, name)
	}
}

// TestRefusals: what the token endpoint answers when it gives no token.
func TestRefusals(t *testing.T) {
	answer := func(status int, body string) func(http.ResponseWriter) {
		return func(rw http.ResponseWriter) {
			rw.Header().Set("Content-Type", "application/json")
			rw.WriteHeader(status)
			_, _ = fmt.Fprint(rw, body)
		}
	}
	for name, tc := range map[string]struct {
		answer func(http.ResponseWriter)
		class  scalers.Class
		names  []string
	}{
		"refused":  {answer(400, `{"error":"invalid_grant","error_description":"`+sentinel+`"}`), scalers.Authentication, []string{"400", "invalid_grant"}},
		"echo":     {answer(401, `{"error":"`+sentinel+`"}`), scalers.Authentication, []string{"401"}},
		"busy":     {answer(429, `{}`), scalers.RateLimited, []string{"429"}},
		"broken":   {answer(503, sentinel), scalers.Unavailable, []string{"503"}},
		"no token": {answer(200, `{"a":"`+sentinel+`"}`), scalers.Unavailable, nil},
		"no JSON":  {answer(200, sentinel), scalers.Unavailable, nil},
	} {
		t.Run(name, func(t *testing.T) {
			google.Answer(tc.answer)
			defer google.Answer(nil)
			c, err := gcp.New(key(map[string]any{"client_id": name}), "refusals")
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Token(t.Context())
			expectError(t, err, tc.class, append(tc.names, "Google, fetching an access token")...)
		})
	}
	c, err := gcp.New(key(map[string]any{"token_uri": "http://127.0.0.1:1/token"}), "refusals")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Token(t.Context())
	expectError(t, err, scalers.Unavailable, "connection refused")
}
