package azurekv

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/auth"
	"github.com/freshet-io/freshet/scalers/auth/authtest"
	"github.com/freshet-io/freshet/scalers/identity/azure/azuretest"
)

type (
	m      = map[string]string
	spec   = kedav1alpha1.AzureKeyVault
	secret = kedav1alpha1.AzureKeyVaultSecret
)

const sentinel = authtest.Sentinel

var cloudOfTests *azuretest.Azure

// TestMain has whoever asks for the vault ask one of this process.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "azure")
	if err != nil {
		panic(err)
	}
	if cloudOfTests, err = azuretest.Start(dir, sentinel); err != nil {
		panic(err)
	}
	to := http.DefaultTransport.(*http.Transport).Clone()
	to.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == azuretest.VaultHost+":443" {
			address = cloudOfTests.Addr()
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	to.TLSClientConfig.InsecureSkipVerify = true //nolint:gosec // it has a certificate of another name
	transport = &http.Client{Transport: auth.LimitBody(to, mostAnswer)}
	code := m.Run()
	cloudOfTests.Close()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func newWorld(t *testing.T) *authtest.World {
	return authtest.New(t, authtest.Secret("apps", "keys", "secret", sentinel, "wrong", "wrong "+sentinel, "empty", ""))
}

func byKey(key string, secrets ...secret) kedav1alpha1.TriggerAuthenticationSpec {
	return wrap(spec{VaultURI: "https://" + azuretest.VaultHost + "/", Secrets: secrets, Credentials: &kedav1alpha1.AzureKeyVaultCredentials{
		TenantID: azuretest.Tenant, ClientID: azuretest.Client, ClientSecret: authtest.From("keys", key),
	}})
}

func wrap(s spec) kedav1alpha1.TriggerAuthenticationSpec {
	return kedav1alpha1.TriggerAuthenticationSpec{AzureKeyVault: &s}
}

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
	cloudOfTests.Hold(m{"queues": sentinel, "queues/1": "old", "empty": ""}, nil, nil)
	w := newWorld(t)
	got, err := w.Resolve(byKey("secret", secret{Parameter: "now", Name: "queues"}, secret{Parameter: "old", Name: "queues", Version: "1"}, secret{Parameter: "empty", Name: "empty"}))
	expect(t, got, err, m{"now": sentinel, "old": "old", "empty": ""})
	for _, pod := range []*kedav1alpha1.AuthPodIdentity{
		{Provider: "azure-workload"},
		{Provider: "azure-workload", IdentityID: new(azuretest.Client), IdentityTenantID: new(azuretest.Tenant), IdentityAuthorityHost: &cloudOfTests.Authority},
	} {
		got, err = newWorld(t).Resolve(wrap(spec{VaultURI: "https://" + azuretest.VaultHost, PodIdentity: pod, Secrets: []secret{{Parameter: "p", Name: "queues"}}}))
		expect(t, got, err, m{"p": sentinel})
	}
	cloudOfTests.Hold(m{"queues": "next"}, nil, nil)
	w.Advance(time.Minute)
	for range 10 {
		got, err = w.Resolve(byKey("secret", secret{Parameter: "now", Name: "queues"}))
		expect(t, got, err, m{"now": "next"})
	}
	if calls := cloudOfTests.Calls(); calls != 1 {
		t.Errorf("%d calls, want 1", calls)
	}
}

func TestFaults(t *testing.T) {
	cloudOfTests.Hold(m{}, nil, nil)
	uri := "https://" + azuretest.VaultHost
	secrets := []secret{{Name: "queues"}}
	pod := &kedav1alpha1.AuthPodIdentity{Provider: "azure-workload"}
	private := func(vault, resource, authority string) kedav1alpha1.TriggerAuthenticationSpec {
		return wrap(spec{VaultURI: vault, Secrets: secrets, PodIdentity: pod, Cloud: &kedav1alpha1.AzureKeyVaultCloudInfo{
			Type: "Private", KeyVaultResourceURL: resource, ActiveDirectoryEndpoint: authority,
		}})
	}
	for name, tc := range map[string]struct {
		spec  kedav1alpha1.TriggerAuthenticationSpec
		class scalers.Class
		names []string
	}{
		"not there":      {byKey("secret", secret{Name: "lost"}), scalers.Configuration, []string{"lost", "404", "SecretNotFound"}},
		"a path":         {byKey("secret", secret{Name: "a/../b"}), scalers.Configuration, []string{"a/../b"}},
		"a version":      {byKey("secret", secret{Name: "a", Version: "?"}), scalers.Configuration, []string{`"?"`}},
		"wrong secret":   {byKey("wrong", secrets...), scalers.Authentication, []string{azuretest.VaultHost, "AADSTS7000215"}},
		"empty secret":   {byKey("empty", secrets...), scalers.Configuration, []string{"secret"}},
		"no secret":      {byKey("lost", secrets...), scalers.Configuration, []string{"clientSecret", "lost"}},
		"neither":        {wrap(spec{VaultURI: uri}), scalers.Configuration, []string{"neither"}},
		"no address":     {wrap(spec{VaultURI: "http://queues"}), scalers.Configuration, []string{"vaultUri"}},
		"provider":       {wrap(spec{VaultURI: uri, PodIdentity: &kedav1alpha1.AuthPodIdentity{Provider: "gcp"}}), scalers.Configuration, []string{"podIdentity.provider"}},
		"identity":       {wrap(spec{VaultURI: uri, PodIdentity: &kedav1alpha1.AuthPodIdentity{Provider: "azure-workload", IdentityID: new("")}}), scalers.Configuration, []string{"azureKeyVault.podIdentity.identityId"}},
		"cloud":          {wrap(spec{VaultURI: uri, Cloud: &kedav1alpha1.AzureKeyVaultCloudInfo{Type: "Azure"}}), scalers.Configuration, []string{"cloud.type"}},
		"no resource":    {private(uri, "", "https://login"), scalers.Configuration, []string{"keyVaultResourceURL"}},
		"no authority":   {private(uri, azuretest.VaultResource, "http://login"), scalers.Configuration, []string{"activeDirectoryEndpoint"}},
		"another domain": {private("https://vault.example.com", azuretest.VaultResource, "https://login"), scalers.Configuration, []string{"vaultUri", "vault.azure.net"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newWorld(t).Resolve(tc.spec)
			authtest.WantError(t, err, tc.class, tc.names...)
		})
	}
}

func TestClouds(t *testing.T) {
	for want, info := range map[string]*kedav1alpha1.AzureKeyVaultCloudInfo{
		"": nil, "https://login.microsoftonline.com/": {Type: "AzurePublicCloud"}, "https://login.microsoftonline.us/": {Type: "azureUSGovernmentCloud"},
		"https://login.chinacloudapi.cn/": {Type: "AzureChinaCloud"},
		"https://login.local":             {Type: "Private", KeyVaultResourceURL: "https://Vault.local", ActiveDirectoryEndpoint: "https://login.local"},
	} {
		if got, err := authorityOf(info, "queues.vault.local"); err != nil || got != want {
			t.Errorf("%v: got %q, %v; want %q", info, got, err, want)
		}
	}
}

func TestReplies(t *testing.T) {
	reply := func(status int, body string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Retry-After", "9")
			rw.WriteHeader(status)
			_, _ = io.WriteString(rw, body)
		}
	}
	for name, tc := range map[string]struct {
		vault, token http.HandlerFunc
		class        scalers.Class
		names        []string
	}{
		"denied":     {reply(403, `{"error":{"code":"Forbidden","message":"`+sentinel+`"}}`), nil, scalers.Authentication, []string{"queues", "403 Forbidden"}},
		"busy":       {reply(429, `{"error":{"code":"Throttled"}}`), nil, scalers.RateLimited, []string{"429 Throttled"}},
		"down":       {reply(503, sentinel), nil, scalers.Unavailable, []string{"503"}},
		"echo":       {reply(400, `{"error":{"code":"`+sentinel+`"}}`), nil, scalers.Configuration, []string{"400"}},
		"no value":   {reply(200, `{"a":"`+sentinel+`"}`), nil, scalers.Unavailable, []string{"without its value"}},
		"half":       {reply(200, `{"value":"`+sentinel), nil, scalers.Unavailable, []string{"queues"}},
		"token down": {nil, reply(503, sentinel), scalers.Unavailable, []string{"access token", "503"}},
	} {
		t.Run(name, func(t *testing.T) {
			cloudOfTests.Hold(nil, tc.vault, tc.token)
			it := byKey("secret", secret{Name: "queues"})
			if tc.token != nil {
				it.AzureKeyVault.Credentials.ClientID = "77777777-7777-7777-7777-777777777777" // which has no token yet
			}
			_, err := newWorld(t).Resolve(it)
			authtest.WantError(t, err, tc.class, tc.names...)
		})
	}
}

// TestForeignVault: a vault is not given a token that it has no business with.
func TestForeignVault(t *testing.T) {
	cloudOfTests.Hold(m{}, nil, nil)
	it := byKey("secret", secret{Name: "queues"})
	it.AzureKeyVault.VaultURI = "https://" + azuretest.VaultHost + ".example.com"
	foreign := transport
	defer func() { transport = foreign }()
	transport = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Authorization") != "" {
			t.Error("it is given a token")
		}
		return &http.Response{StatusCode: http.StatusUnauthorized, Body: http.NoBody, Request: r, Header: http.Header{
			"Www-Authenticate": {`Bearer authorization="https://login.example.com/` + azuretest.Tenant + `", resource="https://management.azure.com"`},
		}}, nil
	})}
	_, err := newWorld(t).Resolve(it)
	authtest.WantError(t, err, scalers.Configuration, "another domain")
	if scopes := cloudOfTests.Scopes(); len(scopes) > 0 {
		t.Errorf("tokens are fetched for %q", scopes)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip calls f.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
