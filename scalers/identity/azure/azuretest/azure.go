// Package azuretest is Entra ID and a Key Vault, scripted after their published
// protocols: there are none to be had for tests.
package azuretest

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// The tenant, client and names that are known.
const (
	Tenant = "11111111-1111-1111-1111-111111111111"
	Client = "22222222-2222-2222-2222-222222222222"
	// VaultHost is the vault's name, whose tokens are for VaultResource.
	VaultHost     = "queues.vault.azure.net"
	VaultResource = "https://vault.azure.net"
)

// Azure gives access tokens to the client of the tenant that shows the secret, or
// the token of a pod, and reads of the vault to whom has a token for it.
type Azure struct {
	// Authority is where to sign in.
	Authority string
	// Secret is the secret of the application, and the end of every token.
	Secret string

	server *httptest.Server

	mu      sync.Mutex
	calls   int
	scopes  []string
	secrets map[string]string
	token   http.HandlerFunc
	vault   http.HandlerFunc
}

// Start starts it, and has this process trust it and believe that it runs in a
// pod with workload identity. It is called before anything else uses TLS.
func Start(dir, secret string) (*Azure, error) {
	a := &Azure{Secret: secret}
	ca, err := servers.NewAuthority("azure")
	if err != nil {
		return nil, fmt.Errorf("starting: %w", err)
	}
	files, err := ca.WriteServer(dir)
	if err != nil {
		return nil, fmt.Errorf("starting: %w", err)
	}
	certificate, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		return nil, fmt.Errorf("starting: %w", err)
	}
	federated := filepath.Join(dir, "federated")
	if err := os.WriteFile(federated, []byte("pod "+secret), 0o600); err != nil {
		return nil, fmt.Errorf("starting: %w", err)
	}
	a.server = httptest.NewUnstartedServer(a)
	a.server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	a.server.StartTLS()
	a.Authority = a.server.URL + "/"
	for key, value := range map[string]string{
		"SSL_CERT_FILE": files.CA, "AZURE_AUTHORITY_HOST": a.Authority, "AZURE_TENANT_ID": Tenant, "AZURE_CLIENT_ID": Client,
		"AZURE_FEDERATED_TOKEN_FILE": federated,
	} {
		if err := os.Setenv(key, value); err != nil {
			return nil, fmt.Errorf("starting: %w", err)
		}
	}
	return a, nil
}

// Close ends it.
func (a *Azure) Close() { a.server.Close() }

// Addr is where it listens, whatever the host that it is asked as.
func (a *Azure) Addr() string { return a.server.Listener.Addr().String() }

// Hold has the vault hold the secrets, by name and name/version, and nothing else,
// and forgets what was asked. The vault and the authority answer with vault and
// token where these are given.
func (a *Azure) Hold(secrets map[string]string, vault, token http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.secrets, a.vault, a.token, a.calls, a.scopes = secrets, vault, token, 0, nil
}

// Calls is how many reads the vault was asked for with a token.
func (a *Azure) Calls() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls
}

// Scopes are those that tokens were asked for.
func (a *Azure) Scopes() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.scopes
}

// ServeHTTP answers as the host that is asked.
func (a *Azure) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Content-Type", "application/json")
	switch {
	case strings.HasPrefix(r.Host, VaultHost):
		a.serveVault(rw, r)
	case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
		base := a.Authority + Tenant
		answer(rw, http.StatusOK, map[string]any{
			"authorization_endpoint": base + "/oauth2/v2.0/authorize", "token_endpoint": base + "/oauth2/v2.0/token", "issuer": base + "/v2.0",
		})
	case strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token"):
		a.serveToken(rw, r)
	default:
		http.NotFound(rw, r)
	}
}

func answer(rw http.ResponseWriter, status int, body map[string]any) {
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(body) // fails only when nobody listens
}

func (a *Azure) serveToken(rw http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm() // what cannot be read is not given
	a.mu.Lock()
	a.scopes = append(a.scopes, r.PostForm.Get("scope"))
	f := a.token
	a.mu.Unlock()
	given := r.PostForm.Get("client_secret") + r.PostForm.Get("client_assertion")
	switch {
	case f != nil:
		f(rw, r)
	case r.PostForm.Get("client_id") != Client:
		answer(rw, http.StatusUnauthorized, map[string]any{"error": "unauthorized_client", "error_description": "AADSTS700016: not found"})
	case given != a.Secret && given != "pod "+a.Secret:
		answer(rw, http.StatusUnauthorized, map[string]any{
			"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided: " + given, "error_codes": []int{7000215},
		})
	default:
		answer(rw, http.StatusOK, map[string]any{
			"access_token": "token for " + r.PostForm.Get("scope") + " " + a.Secret, "token_type": "Bearer", "expires_in": int(time.Hour.Seconds()),
		})
	}
}

func (a *Azure) serveVault(rw http.ResponseWriter, r *http.Request) {
	token := r.Header.Get("Authorization")
	if token == "" {
		rw.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer authorization="https://login.example.com/%s", resource="%s"`, Tenant, VaultResource))
		rw.WriteHeader(http.StatusUnauthorized)
		return
	}
	name := strings.Trim(strings.TrimPrefix(r.URL.Path, "/secrets/"), "/")
	a.mu.Lock()
	a.calls++
	value, ok := a.secrets[name]
	f := a.vault
	a.mu.Unlock()
	switch {
	case f != nil:
		f(rw, r)
	case !strings.HasPrefix(token, "Bearer token for "+VaultResource+"/.default"):
		answer(rw, http.StatusUnauthorized, map[string]any{"error": map[string]any{"code": "Unauthorized", "message": token}})
	case !ok:
		answer(rw, http.StatusNotFound, map[string]any{"error": map[string]any{"code": "SecretNotFound", "message": "A secret was not found " + token}})
	default:
		answer(rw, http.StatusOK, map[string]any{"value": value, "id": "https://" + VaultHost + "/secrets/" + name})
	}
}
