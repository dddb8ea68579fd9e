package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/segmentio/kafka-go/sasl"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// tokens hands out access tokens.
type tokens interface {
	Token(ctx context.Context) (param.Secret, error)
}

// oauthMechanism signs in by OAUTHBEARER, as RFC 7628 describes it.
type oauthMechanism struct {
	tokens     tokens
	extensions map[string]string
}

var (
	extensionKey   = regexp.MustCompile(`^[A-Za-z]+$`)
	extensionValue = regexp.MustCompile("^[\\x21-\\x7E \t\r\n]+$")
)

// validateOAuth checks what the token endpoint and the brokers are told.
func (s KafkaSASL) validateOAuth() error {
	var faults []error
	for _, key := range slices.Sorted(maps.Keys(s.Extensions)) {
		if !extensionKey.MatchString(key) || key == "auth" || !extensionValue.MatchString(s.Extensions[key]) {
			faults = append(faults, fmt.Errorf("parameter oauthExtensions holds %q: a name is made of letters and is not auth, "+
				"and its value of printable characters", key))
		}
	}
	return errors.Join(faults...)
}

// Name is what the brokers call it.
func (m *oauthMechanism) Name() string { return "OAUTHBEARER" }

// Start says who we are.
func (m *oauthMechanism) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	token, err := m.tokens.Token(ctx)
	if err != nil {
		return nil, nil, err
	}
	say := "n,,\x01auth=Bearer " + token.Reveal() + "\x01"
	for _, key := range slices.Sorted(maps.Keys(m.extensions)) {
		say += key + "=" + m.extensions[key] + "\x01"
	}
	return oauthSession{}, []byte(say + "\x01"), nil
}

// oauthSession is the end of signing in.
type oauthSession struct{}

// Next hears what the broker says: nothing, or why it refuses the token.
func (oauthSession) Next(_ context.Context, challenge []byte) (done bool, response []byte, err error) {
	if len(challenge) > 0 {
		return false, nil, scalers.AuthenticationError("the broker refused the token: check parameters scopes and oauthExtensions, " +
			"and that the brokers trust the token's issuer")
	}
	return true, nil, nil
}

func (s KafkaSASL) openOAuth() (sasl.Mechanism, error) {
	return &oauthMechanism{nil, s.Extensions}, nil
}
