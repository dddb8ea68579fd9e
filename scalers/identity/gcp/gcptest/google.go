// Package gcptest is Google's token endpoint and metadata server, scripted after
// their published protocol: there are none to be had for tests.
package gcptest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"crypto"
)

// Google gives access tokens to one service account, and to the machine that it
// runs on.
type Google struct {
	// URL is where it answers.
	URL string
	// Secret is the end of every access token.
	Secret string

	server *httptest.Server
	key    *rsa.PrivateKey

	mu     sync.Mutex
	calls  int
	answer func(http.ResponseWriter)
}

// Start starts it.
func Start(secret string) (*Google, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	g := &Google{Secret: secret, key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", g.token)
	mux.HandleFunc("/computeMetadata/v1/", g.metadata)
	g.server = httptest.NewServer(mux)
	g.URL = g.server.URL
	return g, nil
}

// Close ends it.
func (g *Google) Close() { g.server.Close() }

// Calls is how many access tokens were asked for.
func (g *Google) Calls() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.calls
}

// Answer has it give no tokens but answer as f does; nil ends that.
func (g *Google) Answer(f func(http.ResponseWriter)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answer = f
}

// Key is the JSON of a key of the service account, with fields replaced or, where
// they are nil, removed.
func (g *Google) Key(replace map[string]any) string {
	der, err := x509.MarshalPKCS8PrivateKey(g.key)
	if err != nil {
		panic(err) // it is one of ours
	}
	fields := map[string]any{
		"type": "service_account", "project_id": "shop", "private_key_id": "1", "client_email": "worker@shop.example", "client_id": "7",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": g.URL + "/token",
	}
	for key, value := range replace {
		if fields[key] = value; value == nil {
			delete(fields, key)
		}
	}
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err) // texts marshal
	}
	return string(text)
}

// token gives a token to who signs with the key.
func (g *Google) token(rw http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.calls++
	calls, answer := g.calls, g.answer
	g.mu.Unlock()
	if answer != nil {
		answer(rw)
		return
	}
	parts := strings.Split(r.FormValue("assertion"), ".")
	if r.FormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || len(parts) != 3 {
		http.Error(rw, `{"error":"unsupported_grant_type"}`, http.StatusBadRequest)
		return
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	hash := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || rsa.VerifyPKCS1v15(&g.key.PublicKey, crypto.SHA256, hash[:], signature) != nil {
		http.Error(rw, `{"error":"invalid_grant","error_description":"Invalid JWT Signature: `+r.FormValue("assertion")+`"}`, http.StatusBadRequest)
		return
	}
	g.give(rw, fmt.Sprintf("token %d of worker ", calls))
}

func (g *Google) give(rw http.ResponseWriter, token string) {
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(map[string]any{
		"access_token": token + g.Secret, "token_type": "Bearer", "expires_in": int(time.Hour.Seconds()),
	}) // fails only when nobody listens
}

// metadata is the server of a machine of Google's.
func (g *Google) metadata(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Metadata-Flavor", "Google")
	switch path := strings.TrimPrefix(r.URL.Path, "/computeMetadata/v1/"); path {
	case "project/project-id":
		_, _ = rw.Write([]byte("machine-shop"))
	case "universe/universe-domain":
		_, _ = rw.Write([]byte("googleapis.com"))
	case "instance/service-accounts/default/token":
		g.give(rw, "token of the machine ")
	default:
		http.NotFound(rw, r)
	}
}
