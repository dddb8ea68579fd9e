package vault_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/auth/authtest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// started is in every token, so that those of one ServiceAccount are equal.
var started = time.Now().Add(-time.Minute)

// accountToken is a token of a ServiceAccount, as far as Vault looks at it.
func accountToken(namespace, name string) string {
	part := func(fields j) string {
		text, _ := json.Marshal(fields)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	return part(j{"alg": "RS256"}) + "." + part(j{
		"sub": "system:serviceaccount:" + namespace + ":" + name, "exp": started.Add(time.Hour).Unix(), "iat": started.Unix(), "nbf": started.Unix(),
		"kubernetes.io": j{"namespace": namespace, "serviceaccount": j{"name": name, "uid": "uid-of-" + name}},
	}) + "." + sentinel
}

// kubernetes has the Vault accept tokens of the ServiceAccounts reader of the
// namespace apps and freshet of freshet, which an API server says are good, and
// counts the sign-ins.
func (v vault) kubernetes(ttl string) *atomic.Int32 {
	v.Helper()
	var logins atomic.Int32
	reviews := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		logins.Add(1)
		var review struct {
			Spec struct{ Token string } `json:"spec"`
		}
		_ = json.NewDecoder(r.Body).Decode(&review)
		status := j{"authenticated": false}
		for _, who := range [][2]string{{"apps", "reader"}, {"freshet", "freshet"}, {"apps", "stranger"}} {
			if review.Spec.Token == accountToken(who[0], who[1]) {
				status = j{"authenticated": true, "user": j{"username": "system:serviceaccount:" + who[0] + ":" + who[1], "uid": "uid-of-" + who[1]}}
			}
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(rw).Encode(j{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status})
	}))
	v.Cleanup(reviews.Close)
	v.do(http.MethodPut, "sys/policies/acl/queues", j{"policy": `path "secret/data/queues" { capabilities = ["read"] }`})
	v.do(http.MethodPost, "sys/auth/cluster/one", j{"type": "kubernetes"})
	ca, err := servers.NewAuthority("cluster")
	if err != nil {
		v.Fatal(err)
	}
	v.do(http.MethodPost, "auth/cluster/one/config", j{"kubernetes_host": reviews.URL, "kubernetes_ca_cert": ca.PEM,
		"disable_local_ca_jwt": true, "token_reviewer_jwt": accountToken("vault", "vault")})
	v.do(http.MethodPost, "auth/cluster/one/role/queues", j{
		"bound_service_account_names": "reader,freshet", "bound_service_account_namespaces": "apps,freshet", "token_policies": "queues", "token_ttl": ttl,
	})
	return &logins
}

func (v vault) byKubernetes(credential *kedav1alpha1.VaultCredential, secrets ...secret) kedav1alpha1.TriggerAuthenticationSpec {
	return wrap(spec{Address: v.URL(), Authentication: "kubernetes", Mount: "cluster/one", Role: "queues", Credential: credential, Secrets: secrets})
}

func TestKubernetes(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.put("queues", j{"password": sentinel})
	logins := v.kubernetes("1h")
	w := authtest.New(t)
	w.Mint = func(namespace, name string) (string, error) { return accountToken(namespace, name), nil }
	password := secret{Parameter: "p", Path: "secret/data/queues", Key: "password"}
	requested := v.byKubernetes(&kedav1alpha1.VaultCredential{ServiceAccountName: "reader"}, password)
	for range 3 {
		got, err := w.Resolve(requested)
		expect(t, got, err, m{"p": sentinel}, time.Minute)
	}
	w.Advance(time.Minute)
	got, err := w.Resolve(requested)
	expect(t, got, err, m{"p": sentinel}, time.Minute)
	if logins.Load() != 1 || w.Minted() != 1 {
		t.Errorf("%d sign-ins by %d tokens, want 1", logins.Load(), w.Minted())
	}
	w.Advance(40 * time.Minute)
	got, err = w.Resolve(requested)
	expect(t, got, err, m{"p": sentinel}, time.Minute)
	if logins.Load() != 2 {
		t.Errorf("%d sign-ins after two thirds of the token's life, want 2", logins.Load())
	}

	folder := t.TempDir()
	write := func(name, text string) *kedav1alpha1.VaultCredential {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return &kedav1alpha1.VaultCredential{ServiceAccount: path}
	}
	got, err = w.Resolve(v.byKubernetes(write("token", accountToken("freshet", "freshet")+"\n"), password))
	expect(t, got, err, m{"p": sentinel}, time.Minute)

	for reason, tc := range map[string]struct {
		credential *kedav1alpha1.VaultCredential
		class      scalers.Class
		names      []string
	}{
		"no file":            {&kedav1alpha1.VaultCredential{ServiceAccount: folder + "/none"}, scalers.Configuration, []string{"serviceAccount", "none"}},
		"the pod's own":      {nil, scalers.Configuration, []string{"serviceAccount", "/var/run/secrets"}},
		"not a token":        {write("other", "root:"+sentinel+":0:0"), scalers.Configuration, []string{"other", "no ServiceAccount token"}},
		"a stranger's token": {&kedav1alpha1.VaultCredential{ServiceAccountName: "stranger"}, scalers.Authentication, []string{"auth/cluster/one/login", v.URL()}},
		"a token not good":   {&kedav1alpha1.VaultCredential{ServiceAccountName: "forged"}, scalers.Authentication, []string{"auth/cluster/one/login"}},
	} {
		t.Run(reason, func(t *testing.T) {
			w := authtest.New(t)
			w.Mint = func(namespace, name string) (string, error) { return accountToken(namespace, name), nil }
			_, err := w.Resolve(v.byKubernetes(tc.credential, password))
			authtest.WantError(t, err, tc.class, tc.names...)
		})
	}
	lost := v.byKubernetes(&kedav1alpha1.VaultCredential{ServiceAccountName: "reader"}, password)
	lost.HashiCorpVault.Role = "lost"
	_, err = w.Resolve(lost)
	authtest.WantError(t, err, scalers.Authentication, "lost")
	lost.HashiCorpVault.Mount = "lost"
	_, err = w.Resolve(lost)
	authtest.WantError(t, err, scalers.ClassOf(err), "auth/lost/login")
}

// TestTokenIsRevoked: who signed in signs in anew when the token is worth nothing
// any more, and not when a right is missing.
func TestTokenIsRevoked(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.put("queues", j{"password": "one"})
	v.put("other", j{"password": "x"})
	logins := v.kubernetes("1h")
	w := authtest.New(t)
	w.Mint = func(namespace, name string) (string, error) { return accountToken(namespace, name), nil }
	credential := &kedav1alpha1.VaultCredential{ServiceAccountName: "reader"}
	it := v.byKubernetes(credential, secret{Parameter: "p", Path: "secret/data/queues", Key: "password"})
	got, err := w.Resolve(it)
	expect(t, got, err, m{"p": "one"}, time.Minute)
	for range 3 {
		w.Advance(time.Minute)
		_, err = w.Resolve(v.byKubernetes(credential, secret{Parameter: "p", Path: "secret/data/other", Key: "password"}))
		authtest.WantError(t, err, scalers.Authentication, "secret/data/other")
	}
	if logins.Load() != 1 {
		t.Errorf("%d sign-ins, want 1", logins.Load())
	}
	v.do(http.MethodPost, "sys/leases/revoke-prefix/auth/cluster/one", nil)
	v.put("queues", j{"password": "two"})
	w.Advance(time.Minute)
	got, err = w.Resolve(it)
	expect(t, got, err, m{"p": "two"}, time.Minute)
	if logins.Load() != 2 {
		t.Errorf("%d sign-ins, want 2", logins.Load())
	}
}
