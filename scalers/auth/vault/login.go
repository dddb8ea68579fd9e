package vault

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/auth"
	"github.com/freshet-io/freshet/scalers/param"
)

// accountTokenLife is how long a ServiceAccount token is asked to live that is
// presented once: the shortest that Kubernetes gives.
const accountTokenLife = 10 * time.Minute

// seldom is how often what has no end is looked at.
const seldom = 24 * time.Hour

func (s *store) loginKey() param.Fingerprint {
	return param.FingerprintOf("hashiCorpVault login", s.who)
}

// login returns the token to read with, which all questions of one identity
// share. It is renewed before it ends.
func (s *store) login(ctx context.Context) (auth.Answer, error) {
	return s.request.AskWithin(ctx, s.loginQuestion())
}

func (s *store) loginQuestion() auth.Question {
	if !s.who.Token.Empty() {
		return auth.Question{Key: s.loginKey(), Ask: s.keepAlive}
	}
	return auth.Question{Key: s.loginKey(), Ask: s.signIn}
}

// signIn exchanges a ServiceAccount token for one of Vault's.
func (s *store) signIn(ctx context.Context) (auth.Answer, error) {
	began := s.request.Now()
	jwt, err := s.accountToken(ctx)
	if err != nil {
		return auth.Answer{}, err
	}
	client, err := s.client(param.Secret{})
	if err != nil {
		return auth.Answer{}, err
	}
	path := "auth/" + s.who.Mount + "/login"
	secret, err := client.Logical().WriteWithContext(ctx, path, map[string]any{"role": s.who.Role, "jwt": jwt.Reveal()})
	switch {
	case err != nil:
		return auth.Answer{}, refused(s.explain(err, "signing in at "+path, jwt))
	case secret == nil || secret.Auth == nil || secret.Auth.ClientToken == "":
		return auth.Answer{}, scalers.UnavailableError("%s answers the sign-in at %s without a token", s.server, path)
	}
	answer := auth.Answer{Values: map[string]param.Secret{"token": param.NewSecret(secret.Auth.ClientToken)}, Next: began.Add(seldom)}
	if life := time.Duration(secret.Auth.LeaseDuration) * time.Second; life > 0 {
		answer.Next, answer.Expires = began.Add(life*2/3), began.Add(life)
	}
	return answer, nil
}

// refused is what a sign-in that was answered with a fault is: a refusal of the
// role or the token.
func refused(err error) error {
	var response *vaultapi.ResponseError
	if errors.As(err, &response) && response.StatusCode == http.StatusBadRequest {
		return &scalers.Error{Class: scalers.Authentication, Err: err}
	}
	return err
}

// keepAlive has a token that was given renewed, where it can be. One that may
// not even ask about itself is used as it is: the read says whether it is good.
func (s *store) keepAlive(ctx context.Context) (auth.Answer, error) {
	now := s.request.Now()
	answer := auth.Answer{Values: map[string]param.Secret{"token": s.who.Token}, Next: now.Add(seldom)}
	client, err := s.client(s.who.Token)
	if err != nil {
		return auth.Answer{}, err
	}
	token, err := client.Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		return answer, unlessRefused(s.explain(err, "looking at the token", s.who.Token))
	}
	renewable, err := token.TokenIsRenewable()
	if err != nil || !renewable {
		return answer, nil //nolint:nilerr // what is not known to be renewable is not renewed
	}
	renewed, err := client.Auth().Token().RenewSelfWithContext(ctx, 0)
	if err != nil {
		return answer, unlessRefused(s.explain(err, "renewing the token", s.who.Token))
	}
	if renewed != nil && renewed.Auth != nil && renewed.Auth.LeaseDuration > 0 {
		answer.Next = now.Add(time.Duration(renewed.Auth.LeaseDuration) * time.Second * 2 / 3)
	}
	return answer, nil
}

func unlessRefused(err error) error {
	if scalers.ClassOf(err) == scalers.Unavailable {
		return err
	}
	return nil
}

// dead tells whether err came about because the token that was signed in for is
// good for nothing any more: it was revoked, or the Vault is another.
func (s *store) dead(ctx context.Context, login auth.Answer, err error) bool {
	if scalers.ClassOf(err) != scalers.Authentication || !s.who.Token.Empty() {
		return false
	}
	client, err := s.client(login.Values["token"])
	if err != nil {
		return false
	}
	_, err = client.Auth().Token().LookupSelfWithContext(ctx)
	var response *vaultapi.ResponseError
	return errors.As(err, &response) && response.StatusCode == http.StatusForbidden
}

// accountToken is the ServiceAccount token to present.
func (s *store) accountToken(ctx context.Context) (param.Secret, error) {
	if s.who.Account != "" {
		token, _, err := s.request.Token(ctx, s.who.Account, accountTokenLife, "hashiCorpVault.credential.serviceAccountName")
		return token, err
	}
	return tokenFile(s.who.File)
}

// jwt is the form of a ServiceAccount token. Nothing else is presented: the
// address to present it to, and the path of the file, are given by users.
var jwt = regexp.MustCompile(`^[\w-]+\.[\w-]+\.[\w-]*$`)

// tokenFile reads a file with a ServiceAccount token. Errors hold nothing of it.
func tokenFile(path string) (param.Secret, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe does not keep us
	if err != nil {
		return param.Secret{}, scalers.ConfigurationError("hashiCorpVault.credential.serviceAccount names a file that cannot be read: %w", err)
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, 64<<10))
	token := strings.TrimSpace(string(text))
	if err != nil || !jwt.MatchString(token) {
		return param.Secret{}, scalers.ConfigurationError("hashiCorpVault.credential.serviceAccount names %q, which holds no ServiceAccount token", path)
	}
	return param.NewSecret(token), nil
}
