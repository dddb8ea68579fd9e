package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/segmentio/kafka-go/sasl"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/param"
)

// oauthMechanism signs in by OAUTHBEARER, as RFC 7628 describes it.
type oauthMechanism struct {
	tokens     *conn.Tokens
	extensions map[string]string
}

var (
	extensionKey   = regexp.MustCompile(`^[A-Za-z]+$`)
	extensionValue = regexp.MustCompile("^[\\x21-\\x7E \t\r\n]+$")
)

// validateOAuth checks what the token endpoint and the brokers are told.
func (s KafkaSASL) validateOAuth() error {
	var faults []error
	if s.TokenEndpoint != "" {
		_, err := conn.ParseURL("oauthTokenEndpointUri", s.TokenEndpoint)
		faults = append(faults, err)
	}
	for _, key := range slices.Sorted(maps.Keys(s.Extensions)) {
		if !extensionKey.MatchString(key) || key == "auth" || !extensionValue.MatchString(s.Extensions[key]) {
			faults = append(faults, fmt.Errorf("parameter oauthExtensions holds %q: a name is made of letters and is not auth, "+
				"and its value of printable characters", key))
		}
	}
	return errors.Join(faults...)
}

// openOAuth prepares to sign in. The token endpoint may be signed by the
// authority of the brokers.
func (s KafkaSASL) openOAuth(ca string) (sasl.Mechanism, error) {
	tokens, err := conn.OAuth{
		TokenURI: s.TokenEndpoint, ClientID: s.Username, ClientSecret: s.Password, Scopes: s.Scopes,
	}.Open(conn.TLS{CA: ca})
	if err != nil {
		return nil, renamed{err}
	}
	return &oauthMechanism{tokens, s.Extensions}, nil
}

// renamed is an error about tokens in which parameters have the names that they
// have here.
type renamed struct{ error }

var oauthNames = strings.NewReplacer("clientID", "username", "clientSecret", "password",
	"oauthTokenURI", "oauthTokenEndpointUri", "parameters scopes and endpointParams", "parameter scopes")

// Error is the text with our names.
func (e renamed) Error() string { return oauthNames.Replace(e.error.Error()) }

// Unwrap returns the error.
func (e renamed) Unwrap() error { return e.error }

// Name is what the brokers call it.
func (m *oauthMechanism) Name() string { return "OAUTHBEARER" }

// Start says who we are.
func (m *oauthMechanism) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	token, err := m.tokens.Token(ctx)
	if err != nil {
		return nil, nil, renamed{err}
	}
	say := "n,,\x01auth=Bearer " + token.Reveal() + "\x01"
	for _, key := range slices.Sorted(maps.Keys(m.extensions)) {
		say += key + "=" + m.extensions[key] + "\x01"
	}
	return &oauthSession{m.tokens, token}, []byte(say + "\x01"), nil
}

// oauthSession is the end of signing in.
type oauthSession struct {
	tokens *conn.Tokens
	token  param.Secret
}

// Next hears what the broker says: nothing, or why it refuses the token.
func (s *oauthSession) Next(ctx context.Context, challenge []byte) (done bool, response []byte, err error) {
	if len(challenge) == 0 {
		return true, nil, nil
	}
	s.refused(ctx)
	return false, nil, scalers.AuthenticationError("the broker refused the token: check parameters scopes and oauthExtensions, " +
		"and that the brokers trust the token's issuer")
}

// refused makes the next connection fetch another token.
func (s *oauthSession) refused(ctx context.Context) { s.tokens.Refused(ctx, s.token) }
