package vault_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/auth/authtest"
)

// answering is a server that answers every read with the status and body; "%s"
// in the body is the token.
func answering(t *testing.T, status int, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "lookup-self") {
			rw.WriteHeader(http.StatusForbidden)
			return
		}
		if status == http.StatusTemporaryRedirect {
			rw.Header().Set("Location", r.URL.String())
		}
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, strings.ReplaceAll(body, "%s", r.Header.Get("X-Vault-Token")))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func at(address string, kind kedav1alpha1.VaultSecretType) kedav1alpha1.TriggerAuthenticationSpec {
	return wrap(spec{
		Address: address, Authentication: "token", Credential: &kedav1alpha1.VaultCredential{Token: sentinel},
		Secrets: []secret{{Parameter: "p", Path: "a/b", Key: "k", Type: kind}},
	})
}

// TestReplies: answers that no test brings a real server to.
func TestReplies(t *testing.T) {
	for reason, tc := range map[string]struct {
		status int
		body   string
		class  scalers.Class
		names  []string
	}{
		"sealed":              {503, `{"errors":["Vault is sealed"]}`, scalers.Unavailable, []string{"503", "Vault is sealed"}},
		"busy":                {429, `{"errors":["request path rate limit quota exceeded"]}`, scalers.RateLimited, []string{"quota"}},
		"echo":                {403, `{"errors":["no right for token %s", "two\nlines"]}`, scalers.Authentication, []string{"[redacted]", "two lines"}},
		"unauthorized":        {401, ``, scalers.Authentication, []string{"401"}},
		"page":                {502, `<html>%s</html>`, scalers.Unavailable, []string{"502"}},
		"long error":          {400, `{"errors":["` + strings.Repeat("x", 1<<16) + `"]}`, scalers.Configuration, []string{"…"}},
		"page with 200":       {200, `<html>%s</html>`, scalers.Unavailable, []string{"as such a server does"}},
		"nothing with 200":    {200, ``, scalers.Configuration, []string{"a/b"}},
		"null":                {200, `null`, scalers.Unavailable, []string{"without data"}},
		"list":                {200, `["%s"]`, scalers.Unavailable, []string{"as such a server does"}},
		"no data":             {200, `{"lease_duration":5}`, scalers.Unavailable, []string{"without data"}},
		"data of a text":      {200, `{"data":"%s"}`, scalers.Unavailable, []string{"as such a server does"}},
		"half":                {200, `{"data":{"k":"%s`, scalers.Unavailable, []string{"closed the connection"}},
		"version without map": {200, `{"data":{"data":"%s","metadata":{"version":1}}}`, scalers.Configuration, []string{"a/b"}},
		"circle":              {307, ``, scalers.Configuration, []string{"a/b"}},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			_, err := authtest.New(t).Resolve(at(answering(t, tc.status, tc.body), ""))
			authtest.WantError(t, err, tc.class, tc.names...)
			if len(err.Error()) > 600 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestAnswerThatDoesNotEnd(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, `{"data":{"k":"`)
		for {
			if _, err := io.WriteString(rw, strings.Repeat("x", 1<<16)); err != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	_, err := authtest.New(t).Resolve(at(s.URL, ""))
	authtest.WantError(t, err, scalers.Unavailable, s.URL)
}

// TestLeases: what is made for us is read again after two thirds of its lease,
// and is worth nothing after it.
func TestLeases(t *testing.T) {
	calls := 0
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "lookup-self") {
			_, _ = io.WriteString(rw, `{"data":{"renewable":false}}`)
			return
		}
		calls++
		_, _ = fmt.Fprintf(rw, `{"lease_id":"database/creds/a/1","lease_duration":900,"data":{"k":"user %d"}}`, calls)
	}))
	t.Cleanup(s.Close)
	w := authtest.New(t)
	got, err := w.Resolve(at(s.URL, "secret"))
	expect(t, got, err, m{"p": "user 1"}, 10*time.Minute)
	w.Advance(9 * time.Minute)
	got, err = w.Resolve(at(s.URL, "secret"))
	expect(t, got, err, m{"p": "user 1"}, time.Minute)
	w.Advance(time.Minute)
	got, err = w.Resolve(at(s.URL, "secret"))
	expect(t, got, err, m{"p": "user 2"}, 10*time.Minute)
	s.Close()
	w.Advance(899 * time.Second)
	got, err = w.Resolve(at(s.URL, "secret"))
	expect(t, got, err, m{"p": "user 2"}, time.Second)
	w.Advance(time.Second)
	_, err = w.Resolve(at(s.URL, "secret"))
	authtest.WantError(t, err, scalers.Unavailable, s.URL)
}
