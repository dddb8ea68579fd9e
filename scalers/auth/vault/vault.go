// Package vault has authentications take parameters from HashiCorp Vault, or
// from OpenBao, which speaks its protocol. A program that imports it can.
//
// The server's certificate is checked as Vault's own environment variables say,
// such as VAULT_CACERT.
package vault

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/auth"
	"github.com/freshet-io/freshet/scalers/param"
)

func init() { auth.RegisterSource("hashiCorpVault", read) }

// read gives the request every parameter of its Vault.
func read(ctx context.Context, q *auth.Request) error {
	s, err := newStore(q)
	if err != nil {
		return err
	}
	for i := range q.Spec.HashiCorpVault.Secrets {
		secret := &q.Spec.HashiCorpVault.Secrets[i]
		answer, err := q.Ask(ctx, s.question(secret))
		if err != nil {
			return err
		}
		value, ok := answer.Values[secret.Key]
		if !ok {
			return scalers.ConfigurationError("hashiCorpVault.secrets names key %q of path %q, which has no such key", secret.Key, secret.Path)
		}
		q.Set(secret.Parameter, value.Reveal())
	}
	if !s.who.Token.Empty() {
		_, _ = q.Ask(ctx, s.loginQuestion()) // keeps the token alive; a failure matters to the next read
	}
	return nil
}

// store is a Vault as one request sees it.
type store struct {
	request *auth.Request
	who     who
	// server names the Vault, without secrets.
	server string
}

// who says where and as whom secrets are read: its exported fields are part of
// the key of every question.
type who struct {
	Address, Namespace string
	Method             string
	// Token is of the method token.
	Token param.Secret
	// The others are of the method kubernetes: the token comes from File, or is
	// one of the ServiceAccount.
	Mount, Role, File, AccountNamespace, Account string
}

func newStore(q *auth.Request) (*store, error) {
	spec := q.Spec.HashiCorpVault
	u, err := url.Parse(spec.Address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, scalers.ConfigurationError("hashiCorpVault.address is not an absolute URL such as https://vault.example.com:8200")
	}
	s := &store{request: q, server: "Vault at " + u.Scheme + "://" + u.Host, who: who{
		Address: spec.Address, Namespace: spec.Namespace, Method: string(spec.Authentication),
	}}
	credential := kedav1alpha1.VaultCredential{}
	if spec.Credential != nil {
		credential = *spec.Credential
	}
	switch spec.Authentication {
	case kedav1alpha1.VaultAuthenticationToken:
		token := strings.TrimSpace(credential.Token)
		if token == "" {
			token = strings.TrimSpace(os.Getenv(vaultapi.EnvVaultToken))
		}
		if token == "" {
			return nil, scalers.ConfigurationError("hashiCorpVault.credential.token is missing: set it, or VAULT_TOKEN in Freshet's environment")
		}
		s.who.Token = param.NewSecret(token)
	case kedav1alpha1.VaultAuthenticationKubernetes:
		if s.who.Mount, s.who.Role = strings.Trim(spec.Mount, "/"), spec.Role; s.who.Mount == "" || s.who.Role == "" {
			return nil, scalers.ConfigurationError("hashiCorpVault needs mount and role with the authentication kubernetes")
		}
		if s.who.Account = credential.ServiceAccountName; s.who.Account != "" {
			s.who.AccountNamespace = q.Namespace
		} else if s.who.File = credential.ServiceAccount; s.who.File == "" {
			s.who.File = "/var/run/secrets/kubernetes.io/serviceaccount/token"
		}
	default:
		return nil, scalers.ConfigurationError("hashiCorpVault.authentication is %q: use token or kubernetes", spec.Authentication)
	}
	return s, nil
}

// question asks for everything at the secret's path: keys of one path are one
// question, and a certificate and its key are of one piece.
func (s *store) question(secret *kedav1alpha1.VaultSecret) auth.Question {
	pki := kedav1alpha1.VaultPkiData{}
	if secret.PkiData != nil {
		pki = *secret.PkiData
	}
	path := strings.Trim(secret.Path, "/")
	return auth.Question{
		Key:    param.FingerprintOf("hashiCorpVault", s.who, path, string(secret.Type), pki),
		Server: s.server,
		Ask: func(ctx context.Context) (auth.Answer, error) {
			login, err := s.login(ctx)
			if err != nil {
				return auth.Answer{}, err
			}
			answer, err := s.fetch(ctx, login, path, secret.Type, pki)
			if err != nil && s.dead(ctx, login, err) {
				s.request.Forget(s.loginKey())
				if login, err = s.login(ctx); err == nil {
					answer, err = s.fetch(ctx, login, path, secret.Type, pki)
				}
			}
			return answer, err
		},
	}
}

// fetch reads the path, or has a certificate issued there.
func (s *store) fetch(ctx context.Context, login auth.Answer, path string, kind kedav1alpha1.VaultSecretType, pki kedav1alpha1.VaultPkiData) (auth.Answer, error) {
	client, err := s.client(login.Values["token"])
	if err != nil {
		return auth.Answer{}, err
	}
	began := s.request.Now()
	var secret *vaultapi.Secret
	if kind == kedav1alpha1.VaultSecretTypePki {
		secret, err = client.Logical().WriteWithContext(ctx, path, pkiBody(pki))
	} else {
		secret, err = client.Logical().ReadWithContext(ctx, path)
	}
	if err != nil {
		return auth.Answer{}, s.explain(err, "path "+path, login.Values["token"])
	}
	if secret == nil || (secret.Data == nil && len(secret.Warnings) > 0) {
		return auth.Answer{}, scalers.ConfigurationError("%s has nothing at the path %q "+
			"(where the engine is KV version 2, data comes after its mount, as in secret/data/queues)", s.server, path)
	}
	if secret.Data == nil {
		return auth.Answer{}, scalers.UnavailableError("%s answers the path %q without data", s.server, path)
	}
	data, err := dataOf(secret, path, kind)
	if err != nil {
		return auth.Answer{}, err
	}
	answer := auth.Answer{Values: texts(data)}
	lifetime(&answer, secret, began, login.Expires, kind)
	return answer, nil
}

// client speaks to the Vault with the token, which may be none.
func (s *store) client(token param.Secret) (*vaultapi.Client, error) {
	shared, err := httpClient()
	if err != nil {
		return nil, err
	}
	client, err := vaultapi.NewClient(&vaultapi.Config{Address: s.who.Address, HttpClient: shared})
	if err != nil {
		return nil, scalers.ConfigurationError("the environment variables of Vault cannot be understood: correct VAULT_HEADERS and the like")
	}
	client.SetToken(token.Reveal())
	if s.who.Namespace != "" {
		client.SetNamespace(s.who.Namespace)
	}
	return client, nil
}

// mostAnswer is the longest answer that is read, in bytes.
const mostAnswer = 4 << 20

// httpClient is the one pool of connections to all Vaults.
var httpClient = sync.OnceValues(func() (*http.Client, error) {
	config := vaultapi.DefaultConfig()
	if config.Error != nil {
		return nil, scalers.ConfigurationError("reading the environment variables of Vault, such as VAULT_CACERT: %w", config.Error)
	}
	client := config.HttpClient
	client.Transport = auth.LimitBody(client.Transport, mostAnswer)
	return client, nil
})

// lifetime says when the answer is to be asked for again, and when it expires.
func lifetime(answer *auth.Answer, secret *vaultapi.Secret, began, login time.Time, kind kedav1alpha1.VaultSecretType) {
	lease := time.Duration(secret.LeaseDuration) * time.Second
	if kind == kedav1alpha1.VaultSecretTypePki {
		if expires, ok := expiration(secret); ok {
			answer.Expires = expires
		}
	}
	if secret.LeaseID != "" && lease > 0 { // made for us: it ends with its lease, and with the token that it was made by
		answer.Expires = earlier(earlier(answer.Expires, began.Add(lease)), login)
	}
	switch {
	case !answer.Expires.IsZero():
		answer.Next = began.Add(answer.Expires.Sub(began) * 2 / 3)
	case kind == kedav1alpha1.VaultSecretTypePki: // each time would be another certificate
		answer.Next = began.Add(seldom)
	case lease > 0 && lease < time.Minute: // a hint, of KV version 1
		answer.Next = began.Add(lease)
	}
}

// earlier is the earlier of two times of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
