package azure_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/identity/azure"
	"github.com/freshet-io/freshet/scalers/identity/azure/azuretest"
	"github.com/freshet-io/freshet/scalers/param"
)

const sentinel = "S3NT1N3L"

var cloud *azuretest.Azure

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "azure")
	if err != nil {
		panic(err)
	}
	if cloud, err = azuretest.Start(dir, sentinel); err != nil {
		panic(err)
	}
	code := m.Run()
	cloud.Close()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// application has the secret; another client id makes it one of its own.
func application(secret, client string) azure.Application {
	return azure.Application{TenantID: azuretest.Tenant, ClientID: client, Secret: param.NewSecret(secret)}
}

// TestTokensAreKept: all that sign in alike share one token for a scope.
func TestTokensAreKept(t *testing.T) {
	cloud.Hold(nil, nil, nil)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			s, err := conn.OpenSigner(conn.SignerConfig{Provider: conn.AzureWorkload, Identity: scalers.Identity{Provider: "azure-workload"}, Scope: "https://a/.default"})
			if err != nil {
				t.Error(err)
				return
			}
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://monitor.example.com", nil)
			if err := s.Sign(t.Context(), r); err != nil || !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer token for https://a/.default") {
				t.Errorf("got %q, %v", r.Header.Get("Authorization"), err)
			}
		})
	}
	all.Wait()
	if scopes := cloud.Scopes(); len(scopes) != 1 {
		t.Errorf("tokens were fetched for %q, want one", scopes)
	}
	c, err := application(sentinel, azuretest.Client).Credential()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := c.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://b/.default"}}); err != nil || !strings.HasPrefix(got.Token, "token for https://b") {
			t.Errorf("got %v, %v", got, err)
		}
	}
	if scopes := cloud.Scopes(); len(scopes) != 2 {
		t.Errorf("tokens were fetched for %q, want two", scopes)
	}
	again, err := application(sentinel, azuretest.Client).Credential()
	if err != nil || again != c {
		t.Errorf("one application has two credentials: %v", err)
	}
}

// TestOverrides: an identity of its own signs in as itself, where it says.
func TestOverrides(t *testing.T) {
	cloud.Hold(nil, nil, nil)
	for want, id := range map[string]scalers.Identity{
		"":             {ID: azuretest.Client, TenantID: azuretest.Tenant, AuthorityHost: cloud.Authority},
		"AADSTS700016": {ID: "33333333-3333-3333-3333-333333333333"},
		"refused":      {TenantID: azuretest.Tenant, AuthorityHost: "https://127.0.0.1:1/"},
	} {
		c, err := azure.Credential(id)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://overrides/.default"}})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", id, err, want)
		}
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

func TestRefusals(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Retry-After", "7")
			rw.WriteHeader(status)
			_, _ = io.WriteString(rw, body)
		}
	}
	client := 0
	for name, tc := range map[string]struct {
		token http.HandlerFunc
		class scalers.Class
		names []string
	}{
		"secret":   {nil, scalers.Authentication, []string{"401", "AADSTS7000215"}},
		"busy":     {answer(429, `{"error":"temporarily_unavailable"}`), scalers.RateLimited, []string{"429"}},
		"broken":   {answer(503, sentinel), scalers.Unavailable, []string{"503"}},
		"echo":     {answer(400, `{"error":"`+sentinel+`","error_description":"`+sentinel+`"}`), scalers.Authentication, []string{"400"}},
		"no token": {answer(200, `{"a":"`+sentinel+`"}`), scalers.Unavailable, nil},
		"no JSON":  {answer(200, sentinel), scalers.Unavailable, nil},
	} {
		t.Run(name, func(t *testing.T) {
			client++
			cloud.Hold(nil, nil, tc.token)
			id := azuretest.Client
			if tc.token != nil {
				id = fmt.Sprintf("44444444-4444-4444-4444-%012d", client)
			}
			c, err := application("wrong "+sentinel, id).Credential()
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://refusals/.default"}})
			expectError(t, err, tc.class, append(tc.names, "Azure, fetching an access token")...)
			if class := scalers.ClassOf(err); class == scalers.RateLimited && scalers.RetryAfterOf(err) != 7*time.Second {
				t.Errorf("asks to be left alone for %s", scalers.RetryAfterOf(err))
			}
		})
	}
}

func TestWhatIsMissing(t *testing.T) {
	cloud.Hold(nil, nil, nil)
	_, err := application("", azuretest.Client).Credential()
	expectError(t, err, scalers.Configuration, "secret")
	bad := application(sentinel, azuretest.Client)
	bad.AuthorityHost = "http://login.example.com"
	_, err = bad.Credential()
	expectError(t, err, scalers.Configuration, "authority")
	if _, err := conn.OpenSigner(conn.SignerConfig{Provider: conn.AzureWorkload}); err == nil || scalers.ClassOf(err) != scalers.Configuration {
		t.Errorf("without a scope: %v", err)
	}
	t.Setenv("AZURE_FEDERATED_TOKEN_FILE", "/nonexistent")
	c, err := azure.Credential(scalers.Identity{ID: "55555555-5555-5555-5555-555555555555"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://missing/.default"}})
	expectError(t, err, scalers.Authentication, "/nonexistent")
	t.Setenv("AZURE_CLIENT_ID", "") // puts it back afterwards
	if err := os.Unsetenv("AZURE_CLIENT_ID"); err != nil {
		t.Fatal(err)
	}
	_, err = azure.Credential(scalers.Identity{TenantID: "66666666-6666-6666-6666-666666666666"})
	expectError(t, err, scalers.Configuration, "workload identity")
}
