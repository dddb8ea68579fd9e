package conn_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/param"
)

// sealer signs with a seal of what it signs.
type sealer struct{ config conn.SignerConfig }

func (s sealer) Sign(_ context.Context, r *http.Request) error {
	if s.config.Scope == "" {
		return scalers.AuthenticationError("no scope")
	}
	r.Header.Set("Authorization", fmt.Sprint("Seal ", s.config.Scope, " ", r.URL.RawQuery, " ", r.Header.Get("X-Ours")))
	return nil
}

func init() {
	conn.RegisterSigner("seal", func(c conn.SignerConfig) (conn.Signer, error) { return sealer{c}, nil })
}

func signed(t *testing.T, address string, c conn.SignerConfig, auth conn.HTTPAuth) (*conn.Answer, error) {
	t.Helper()
	u := parse(t, address)
	h := conn.NewHTTP(u, auth)
	h.Sign = c
	opened, err := h.Open(t.Context())
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	return opened.Get(t.Context(), u, http.Header{"X-Ours": {"1"}})
}

func TestSigning(t *testing.T) {
	echo := server(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("Authorization")) })
	query := conn.HTTPAuth{Modes: []string{"apiKey"}, APIKey: param.NewSecret("k"), Method: "query"}
	answer, err := signed(t, echo+"?a=b", conn.SignerConfig{Provider: "seal", Scope: "s"}, query)
	if err != nil || string(answer.Body) != "Seal s a=b&api_key=k 1" {
		t.Errorf("the signature is not the last: got %v, %v", answer, err)
	}
	if _, err := signed(t, echo, conn.SignerConfig{Provider: "seal"}, conn.HTTPAuth{}); scalers.ClassOf(err) != scalers.Authentication {
		t.Errorf("a signer that fails: got %v", err)
	}
	if answer, err := signed(t, echo, conn.SignerConfig{}, conn.HTTPAuth{}); err != nil || len(answer.Body) > 0 {
		t.Errorf("without a provider: got %v, %v", answer, err)
	}
	missing := conn.SignerConfig{Provider: "moon"}
	if _, err := signed(t, echo, missing, conn.HTTPAuth{}); scalers.ClassOf(err) != scalers.Configuration || missing.Validate() == nil {
		t.Errorf("an identity of which this build knows nothing: got %v", err)
	}
	away := server(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, echo, http.StatusFound) })
	u := parse(t, away)
	h := conn.NewHTTP(u, conn.HTTPAuth{})
	h.Sign = conn.SignerConfig{Provider: "seal", Scope: "s"}
	opened, _ := h.Open(t.Context())
	defer opened.Close()
	if _, err := opened.Get(t.Context(), u, nil); scalers.ClassOf(err) != scalers.Configuration {
		t.Errorf("a signed request leaves its server: %v", err)
	}
}

func TestTwoSignersPanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it did not panic")
		}
	}()
	conn.RegisterSigner("seal", func(conn.SignerConfig) (conn.Signer, error) { return nil, errors.New("another") })
}

func TestAWSSigner(t *testing.T) {
	s, role := param.NewSecret(secret), scalers.Identity{Provider: "aws", RoleARN: "arn:pod"}
	for name, tc := range map[string]struct {
		auth     conn.AWSAuth
		identity scalers.Identity
		want     string
		fault    string
	}{
		"nothing":       {conn.AWSAuth{Region: "r"}, scalers.Identity{}, "", ""},
		"pod":           {conn.AWSAuth{Region: "r", AccessKeyID: "k", SecretAccessKey: s}, role, "aws arn:pod ", ""},
		"role":          {conn.AWSAuth{Region: "r", RoleARN: "arn:x"}, scalers.Identity{}, "aws arn:x ", ""},
		"keys":          {conn.AWSAuth{Region: "r", AccessKeyID: "k", SecretAccessKey: s}, scalers.Identity{}, "aws  k", ""},
		"another cloud": {conn.AWSAuth{Region: "r"}, scalers.Identity{Provider: "gcp"}, "", ""},
		"operator":      {conn.AWSAuth{Region: "r", IdentityOwner: "operator"}, scalers.Identity{}, "aws  ", ""},
		"no region":     {conn.AWSAuth{IdentityOwner: "operator"}, scalers.Identity{}, "aws  ", "awsRegion"},
		"half a key":    {conn.AWSAuth{Region: "r", AccessKeyID: "k"}, scalers.Identity{}, "aws  k", "awsSecretAccessKey"},
	} {
		c := tc.auth.Signer(tc.identity, "aps")
		got := ""
		if c != (conn.SignerConfig{}) {
			got = fmt.Sprint(c.Provider, " ", c.Identity.RoleARN, " ", c.AWS.AccessKeyID)
		}
		if got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
		if err := tc.auth.Validate(c); (err == nil) != (tc.fault == "") || err != nil && !strings.Contains(err.Error(), tc.fault) {
			t.Errorf("%s: got the fault %v, want %q", name, err, tc.fault)
		}
		if strings.Contains(fmt.Sprintf("%+v", c), secret) {
			t.Errorf("%s: the secret can be read in %+v", name, c)
		}
	}
}

func TestGCPSigner(t *testing.T) {
	key, other := param.NewSecret(`{"type":"service_account"}`), param.NewSecret(`{"type":"other"}`)
	for name, tc := range map[string]struct {
		auth     conn.GCPAuth
		identity scalers.Identity
		want     conn.SignerConfig
		bad      bool
	}{
		"nothing":  {conn.GCPAuth{}, scalers.Identity{Provider: "aws"}, conn.SignerConfig{}, false},
		"pod":      {conn.GCPAuth{Credentials: key}, scalers.Identity{Provider: "gcp"}, conn.SignerConfig{Provider: "gcp", Identity: scalers.Identity{Provider: "gcp"}, Scope: "s"}, false},
		"key":      {conn.GCPAuth{Credentials: key, FromEnv: other}, scalers.Identity{}, conn.SignerConfig{Provider: "gcp", Credentials: key, Scope: "s"}, false},
		"from env": {conn.GCPAuth{FromEnv: other}, scalers.Identity{}, conn.SignerConfig{Provider: "gcp", Credentials: other, Scope: "s"}, false},
		"garbage":  {conn.GCPAuth{FromEnv: param.NewSecret(secret)}, scalers.Identity{}, conn.SignerConfig{Provider: "gcp", Credentials: param.NewSecret(secret), Scope: "s"}, true},
	} {
		c := tc.auth.Signer(tc.identity, "s")
		if c != tc.want {
			t.Errorf("%s: got %+v, want %+v", name, c, tc.want)
		}
		if err := tc.auth.Validate(c); (err != nil) != tc.bad || strings.Contains(fmt.Sprint(err), secret) {
			t.Errorf("%s: got the fault %v", name, err)
		}
	}
}
