package vault_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/auth"
	"github.com/freshet-io/freshet/scalers/auth/authtest"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

type (
	m = map[string]string
	j = map[string]any
	// spec and secret are short for what is written often.
	spec   = kedav1alpha1.HashiCorpVault
	secret = kedav1alpha1.VaultSecret
)

const sentinel = authtest.Sentinel

// vault is a server with what a test needs of it.
type vault struct {
	*testing.T
	*servers.Vault
}

func newVault(t *testing.T) vault {
	t.Helper()
	return vault{t, scalertest.Vault(t)}
}

// do makes a request with all rights.
func (v vault) do(method, path string, body j) j {
	v.Helper()
	answer, err := v.Do(v.Context(), method, path, body)
	if err != nil {
		v.Fatal(err)
	}
	return answer
}

// put writes a secret of KV version 2.
func (v vault) put(path string, data j) {
	v.Helper()
	v.do(http.MethodPost, "secret/data/"+path, j{"data": data})
}

// byToken reads secrets with a token.
func (v vault) byToken(token string, secrets ...secret) kedav1alpha1.TriggerAuthenticationSpec {
	return wrap(spec{
		Address: v.URL(), Authentication: "token", Credential: &kedav1alpha1.VaultCredential{Token: token}, Secrets: secrets,
	})
}

func wrap(v spec) kedav1alpha1.TriggerAuthenticationSpec {
	return kedav1alpha1.TriggerAuthenticationSpec{HashiCorpVault: &v}
}

// token makes a token with the policy, which lives for ttl.
func (v vault) token(policy, ttl string, renewable bool) string {
	v.Helper()
	v.do(http.MethodPut, "sys/policies/acl/test", j{"policy": policy})
	made := v.do(http.MethodPost, "auth/token/create", j{"policies": []string{"test"}, "ttl": ttl, "renewable": renewable})
	return made["auth"].(j)["client_token"].(string)
}

func expect(t *testing.T, got auth.Resolved, err error, want m, refresh time.Duration) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Params); diff != "" || got.Refresh != refresh {
		t.Errorf("refresh is %s, want %s; parameters (-want +got):\n%s", got.Refresh, refresh, diff)
	}
}

func TestEngines(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.put("queues", j{"password": sentinel, "n": 12345678901, "on": true, "list": []string{"a", "b"}, "map": j{"x": 1}, "empty": "", "null": nil})
	v.do(http.MethodPost, "sys/mounts/old", j{"type": "kv", "options": j{"version": "1"}})
	v.do(http.MethodPost, "old/queues", j{"password": sentinel + "1", "data": "of a key of that name"})
	v.do(http.MethodPost, "old/short", j{"password": "x", "ttl": "20s"})
	for reason, tc := range map[string]struct {
		secrets []secret
		want    m
		refresh time.Duration
	}{
		"version 2":           {[]secret{{Parameter: "p", Path: "secret/data/queues", Key: "password", Type: "secretV2"}}, m{"p": sentinel}, time.Minute},
		"version 2, found":    {[]secret{{Parameter: "p", Path: "/secret/data/queues", Key: "password"}}, m{"p": sentinel}, time.Minute},
		"version 1":           {[]secret{{Parameter: "p", Path: "old/queues", Key: "password", Type: "secret"}}, m{"p": sentinel + "1"}, time.Minute},
		"version 1, found":    {[]secret{{Parameter: "p", Path: "old/queues", Key: "data"}}, m{"p": "of a key of that name"}, time.Minute},
		"version 1, its hint": {[]secret{{Parameter: "p", Path: "old/short", Key: "password"}}, m{"p": "x"}, 20 * time.Second},
		"several": {[]secret{
			{Parameter: "p", Path: "secret/data/queues", Key: "password"}, {Parameter: "n", Path: "secret/data/queues", Key: "n"},
			{Parameter: "on", Path: "secret/data/queues", Key: "on"}, {Parameter: "list", Path: "secret/data/queues", Key: "list"},
			{Parameter: "map", Path: "secret/data/queues", Key: "map"}, {Parameter: "empty", Path: "secret/data/queues", Key: "empty"},
			{Parameter: "old", Path: "old/queues", Key: "password"},
		}, m{"p": sentinel, "n": "12345678901", "on": "true", "list": "a\nb", "map": `{"x":1}`, "empty": "", "old": sentinel + "1"}, time.Minute},
	} {
		t.Run(reason, func(t *testing.T) {
			got, err := authtest.New(t).Resolve(v.byToken(v.Token, tc.secrets...))
			expect(t, got, err, tc.want, tc.refresh)
		})
	}
}

func TestWhatIsMissing(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.put("queues", j{"password": sentinel, "null": nil})
	v.put("deleted", j{"password": sentinel})
	v.do(http.MethodDelete, "secret/data/deleted", nil)
	v.do(http.MethodPost, "sys/mounts/old", j{"type": "kv", "options": j{"version": "1"}})
	v.do(http.MethodPost, "old/queues", j{"password": sentinel})
	for reason, tc := range map[string]struct {
		secret secret
		class  scalers.Class
		names  []string
	}{
		"path":          {secret{Path: "secret/data/lost", Key: "k"}, scalers.Configuration, []string{v.URL(), "secret/data/lost"}},
		"key":           {secret{Path: "secret/data/queues", Key: "lost"}, scalers.Configuration, []string{"secret/data/queues", `"lost"`}},
		"null":          {secret{Path: "secret/data/queues", Key: "null"}, scalers.Configuration, []string{`"null"`}},
		"data":          {secret{Path: "secret/queues", Key: "k"}, scalers.Configuration, []string{"secret/queues", "data comes after"}},
		"deleted":       {secret{Path: "secret/data/deleted", Key: "password"}, scalers.Configuration, []string{"secret/data/deleted"}},
		"engine":        {secret{Path: "nowhere/x", Key: "k"}, scalers.Configuration, []string{"nowhere/x"}},
		"wrong version": {secret{Path: "old/queues", Key: "password", Type: "secretV2"}, scalers.Configuration, []string{"old/queues", "secretV2"}},
		"role of PKI":   {secret{Path: "secret/issue/x", Key: "certificate", Type: "pki"}, scalers.Configuration, []string{"secret/issue/x"}},
	} {
		t.Run(reason, func(t *testing.T) {
			_, err := authtest.New(t).Resolve(v.byToken(v.Token, tc.secret))
			authtest.WantError(t, err, tc.class, tc.names...)
		})
	}
	w := authtest.New(t)
	_, err := w.Resolve(v.byToken("not-a-token-"+sentinel, secret{Path: "secret/data/queues", Key: "password"}))
	authtest.WantError(t, err, scalers.Authentication, v.URL(), "secret/data/queues")
	_, err = w.Resolve(v.byToken(v.token(`path "secret/data/other" { capabilities = ["read"] }`, "1h", true), secret{Path: "secret/data/queues", Key: "password"}))
	authtest.WantError(t, err, scalers.Authentication, v.URL(), "permission denied")
}

func TestFaultsOfTheBlock(t *testing.T) {
	t.Setenv("VAULT_TOKEN", "")
	secrets := []secret{{Path: "p", Key: "k"}}
	for name, v := range map[string]spec{
		"address":        {Address: "vault/" + sentinel, Authentication: "token", Secrets: secrets},
		"hashiCorpVault": {Address: "unix:///run/vault.sock", Authentication: "token", Secrets: secrets},
		"token":          {Address: "http://127.0.0.1:1", Authentication: "token", Secrets: secrets},
		"mount":          {Address: "http://127.0.0.1:1", Authentication: "kubernetes", Role: "r", Secrets: secrets},
		"role":           {Address: "http://127.0.0.1:1", Authentication: "kubernetes", Mount: "kubernetes", Secrets: secrets},
		"authentication": {Address: "http://127.0.0.1:1", Authentication: "ldap", Secrets: secrets},
	} {
		_, err := authtest.New(t).Resolve(wrap(v))
		authtest.WantError(t, err, scalers.Configuration, "hashiCorpVault", name)
	}
}

func TestTokenOfTheEnvironment(t *testing.T) {
	v := newVault(t)
	v.put("queues", j{"password": sentinel})
	t.Setenv("VAULT_TOKEN", v.Token+"\n")
	got, err := authtest.New(t).Resolve(wrap(spec{Address: v.URL(), Authentication: "token", Secrets: []secret{
		{Parameter: "p", Path: "secret/data/queues", Key: "password"},
	}}))
	expect(t, got, err, m{"p": sentinel}, time.Minute)
}

// TestRotation: a new value is picked up within a minute.
func TestRotation(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.put("queues", j{"password": "one"})
	w := authtest.New(t)
	it := v.byToken(v.Token, secret{Parameter: "p", Path: "secret/data/queues", Key: "password"})
	got, err := w.Resolve(it)
	expect(t, got, err, m{"p": "one"}, time.Minute)
	v.put("queues", j{"password": "two"})
	w.Advance(59 * time.Second)
	got, err = w.Resolve(it)
	expect(t, got, err, m{"p": "one"}, time.Second)
	w.Advance(time.Second)
	got, err = w.Resolve(it)
	expect(t, got, err, m{"p": "two"}, time.Minute)
	v.do(http.MethodDelete, "secret/data/queues", nil)
	w.Advance(time.Minute)
	_, err = w.Resolve(it)
	authtest.WantError(t, err, scalers.Configuration, "deleted")
}

// TestServerGoneAndBack: the last values are served while the server is gone,
// and while it accepts connections and says nothing; a new question says why it
// has no answer.
func TestServerGoneAndBack(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.put("queues", j{"password": "one"})
	w := authtest.New(t)
	w.Resolver.Timeout = time.Second
	it := v.byToken(v.Token, secret{Parameter: "p", Path: "secret/data/queues", Key: "password"})
	got, err := w.Resolve(it)
	expect(t, got, err, m{"p": "one"}, time.Minute)

	if err := v.Kill(); err != nil {
		t.Fatal(err)
	}
	w.Advance(time.Minute)
	got, err = w.Resolve(it)
	expect(t, got, err, m{"p": "one"}, time.Second)
	for i := range 20 { // none of these is asked
		other := v.byToken(v.Token, secret{Parameter: "p", Path: fmt.Sprint("secret/data/other/", i), Key: "password"})
		_, err = w.Resolve(other)
		authtest.WantError(t, err, scalers.Unavailable, v.URL(), "cannot be reached", "refused")
	}
	if err := v.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.put("queues", j{"password": "two"})
	w.Advance(time.Second)
	got, err = w.Resolve(it)
	expect(t, got, err, m{"p": "two"}, time.Minute)

	if err := v.Freeze(); err != nil {
		t.Fatal(err)
	}
	w.Advance(time.Minute)
	got, err = w.Resolve(it)
	expect(t, got, err, m{"p": "two"}, time.Second) // the time-out: it is looked at again soon
	_, err = w.Resolve(v.byToken(v.Token, secret{Parameter: "p", Path: "secret/data/new", Key: "password"}))
	authtest.WantError(t, err, scalers.Unavailable, v.URL())
	if err := v.Thaw(); err != nil {
		t.Fatal(err)
	}
	w.Advance(2 * time.Minute)
	v.put("queues", j{"password": "three"})
	deadline := time.Now().Add(10 * time.Second)
	for got.Params["p"] != "three" && time.Now().Before(deadline) {
		w.Advance(time.Minute)
		got, err = w.Resolve(it)
	}
	expect(t, got, err, m{"p": "three"}, time.Minute)
}

// TestCertificates: a certificate and its key are of one piece, issued once, and
// anew after two thirds of their life; without the server they last until they
// expire.
func TestCertificates(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.do(http.MethodPost, "sys/mounts/pki", j{"type": "pki"})
	v.do(http.MethodPost, "pki/root/generate/internal", j{"common_name": "root", "ttl": "8760h"})
	v.do(http.MethodPost, "pki/roles/worker", j{"allowed_domains": "example.com", "allow_subdomains": true, "max_ttl": "24h"})
	w := authtest.New(t)
	body := &kedav1alpha1.VaultPkiData{CommonName: "a.example.com", TTL: "3h", AltNames: "b.example.com", IPSans: "127.0.0.1"}
	secrets := func(pki *kedav1alpha1.VaultPkiData) []secret {
		var all []secret
		for parameter, key := range (m{"cert": "certificate", "key": "private_key", "ca": "issuing_ca", "chain": "ca_chain"}) {
			all = append(all, secret{Parameter: parameter, Path: "pki/issue/worker", Key: key, Type: "pki", PkiData: pki})
		}
		return all
	}
	it := v.byToken(v.Token, secrets(body)...)
	first, err := w.Resolve(it)
	if err != nil {
		t.Fatal(err)
	}
	for key, begin := range (m{"cert": "CERTIFICATE", "key": "RSA PRIVATE KEY", "ca": "CERTIFICATE", "chain": "CERTIFICATE"}) {
		if !strings.HasPrefix(first.Params[key], "-----BEGIN "+begin) {
			t.Errorf("%s is %q", key, first.Params[key])
		}
	}
	if first.Refresh < 119*time.Minute || first.Refresh > 120*time.Minute {
		t.Errorf("refresh is %s, want two thirds of 3 h", first.Refresh)
	}
	w.Advance(time.Hour)
	again, err := w.Resolve(it)
	if err != nil || again.Params["cert"] != first.Params["cert"] || again.Refresh != first.Refresh-time.Hour {
		t.Errorf("after an hour there is another certificate, or refresh is %s: %v", again.Refresh, err)
	}
	_, err = w.Resolve(v.byToken(v.Token, secrets(&kedav1alpha1.VaultPkiData{CommonName: "a.example.org"})...))
	authtest.WantError(t, err, scalers.Configuration, "pki/issue/worker", "a.example.org")

	if err := v.Kill(); err != nil {
		t.Fatal(err)
	}
	w.Advance(time.Hour + 50*time.Minute)
	again, err = w.Resolve(it)
	if err != nil || again.Params["cert"] != first.Params["cert"] || again.Refresh != time.Second {
		t.Errorf("without the server there is no certificate, or refresh is %s: %v", again.Refresh, err)
	}
	w.Advance(10 * time.Minute)
	_, err = w.Resolve(it)
	authtest.WantError(t, err, scalers.Unavailable, v.URL())
}

func TestCertificateIsIssuedAnew(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.do(http.MethodPost, "sys/mounts/pki", j{"type": "pki"})
	v.do(http.MethodPost, "pki/root/generate/internal", j{"common_name": "root"})
	v.do(http.MethodPost, "pki/roles/worker", j{"allow_any_name": true})
	w := authtest.New(t)
	it := v.byToken(v.Token, secret{Parameter: "cert", Path: "pki/issue/worker", Key: "certificate", Type: "pki",
		PkiData: &kedav1alpha1.VaultPkiData{CommonName: "a", TTL: "30m"}})
	first, err := w.Resolve(it)
	if err != nil {
		t.Fatal(err)
	}
	w.Advance(first.Refresh)
	second := first
	for end := time.Now().Add(20 * time.Second); second.Params["cert"] == first.Params["cert"] && time.Now().Before(end); {
		if second, err = w.Resolve(it); err != nil { // the old one while the new one takes its time
			t.Fatal(err)
		}
	}
	if second.Params["cert"] == first.Params["cert"] {
		t.Errorf("after %s it is the same certificate", first.Refresh)
	}
}

// TestTokenIsRenewed: a token that was given does not end while it is used.
func TestTokenIsRenewed(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.put("queues", j{"password": sentinel})
	renewal := func(token string) float64 {
		at, _ := v.do(http.MethodPost, "auth/token/lookup", j{"token": token})["data"].(j)["last_renewal_time"].(float64)
		return at
	}
	policy := `path "secret/data/queues" { capabilities = ["read"] }`
	silent := func() string {
		made := v.do(http.MethodPost, "auth/token/create", j{"policies": []string{"test"}, "no_default_policy": true, "ttl": "1h"})
		return made["auth"].(j)["client_token"].(string)
	}
	for reason, tc := range map[string]struct {
		token   string
		renewed bool
		refresh time.Duration
	}{
		"long":                 {v.token(policy, "90m", true), true, time.Minute},
		"short":                {v.token(policy, "45s", true), true, 30 * time.Second},
		"not renewable":        {v.token(policy, "1h", false), false, time.Minute},
		"may not renew itself": {silent(), false, time.Minute},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			w := authtest.New(t)
			it := v.byToken(tc.token, secret{Parameter: "p", Path: "secret/data/queues", Key: "password"})
			got, err := w.Resolve(it)
			expect(t, got, err, m{"p": sentinel}, tc.refresh)
			first := renewal(tc.token)
			if (first > 0) != tc.renewed {
				t.Fatalf("renewed at %g, want it: %t", first, tc.renewed)
			}
			time.Sleep(1100 * time.Millisecond) // Vault's clock is one of seconds
			w.Advance(time.Hour)
			got, err = w.Resolve(it)
			expect(t, got, err, m{"p": sentinel}, tc.refresh)
			if (renewal(tc.token) > first) != tc.renewed {
				t.Errorf("an hour later it is not renewed again, or is: %t", !tc.renewed)
			}
		})
	}
}

func TestNamespace(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.do(http.MethodPost, "sys/namespaces/team", j{})
	v.do(http.MethodPost, "team/sys/mounts/kv", j{"type": "kv"})
	v.do(http.MethodPost, "team/kv/queues", j{"password": sentinel})
	w := authtest.New(t)
	it := v.byToken(v.Token, secret{Parameter: "p", Path: "kv/queues", Key: "password"})
	_, err := w.Resolve(it)
	authtest.WantError(t, err, scalers.Configuration, "kv/queues")
	it.HashiCorpVault.Namespace = "team"
	got, err := w.Resolve(it)
	expect(t, got, err, m{"p": sentinel}, time.Minute)
}
