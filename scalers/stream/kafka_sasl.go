package stream

import (
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// Ways to sign in, as parameter sasl names them. With a token provider
// oauthbearer becomes mskIAM.
const (
	noSASL      = "none"
	byPlain     = "plaintext"
	bySCRAM256  = "scram_sha256"
	bySCRAM512  = "scram_sha512"
	oauthBearer = "oauthbearer"
	mskIAM      = "aws_msk_iam"
	gssapi      = "gssapi"
)

// KafkaSASL says as whom to sign in to the brokers. Parameters that the way to
// sign in does not use have no effect.
type KafkaSASL struct {
	// How to sign in. Kerberos (gssapi) is not supported.
	Mode string `param:"sasl" from:"metadata,auth" default:"none" enum:"none,plaintext,scram_sha256,scram_sha512,oauthbearer,aws_msk_iam,gssapi"`
	// User name or, with oauthbearer, identifier of the client.
	Username string `param:"username,optional" from:"auth"`
	// Password of the user or, with oauthbearer, secret of the client.
	Password param.Secret `param:"password,optional" from:"auth"`
	// Where the token of oauthbearer comes from: bearer asks oauthTokenEndpointUri
	// for it, aws_msk_iam signs in to Amazon MSK.
	Provider string `param:"saslTokenProvider" from:"metadata,auth" default:"bearer" enum:"bearer,aws_msk_iam"`
	// Address that gives out tokens for oauthbearer.
	TokenEndpoint string `param:"oauthTokenEndpointUri,optional" from:"auth"`
	// Scopes of the token, separated by commas.
	Scopes []string `param:"scopes,optional" from:"auth"`
	// What oauthbearer tells the brokers beside the token, as in
	// logicalCluster=lkc-1,identityPoolId=pool-2.
	Extensions map[string]string `param:"oauthExtensions,optional" from:"auth"`
	// As whom to sign in to Amazon MSK.
	AWS KafkaAWS

	// Identity is the identity of a pod that Amazon MSK is shown.
	Identity scalers.Identity
}

// mechanism is the way to sign in.
func (s KafkaSASL) mechanism() string {
	if s.Mode == oauthBearer && s.Provider == mskIAM {
		return mskIAM
	}
	return s.Mode
}

// validate checks what the way to sign in needs.
func (s KafkaSASL) validate(useTLS bool) error {
	var faults []error
	needs := func(key string, missing bool) {
		if missing {
			faults = append(faults, fmt.Errorf("parameter %s is missing: sasl is %s", key, s.Mode))
		}
	}
	switch s.mechanism() {
	case byPlain, bySCRAM256, bySCRAM512:
		needs("username", s.Username == "")
		needs("password", s.Password.Empty())
	case oauthBearer:
		needs("username", s.Username == "")
		needs("password", s.Password.Empty())
		needs("oauthTokenEndpointUri", s.TokenEndpoint == "")
		faults = append(faults, s.validateOAuth())
	case mskIAM:
		if !useTLS {
			faults = append(faults, errors.New("parameter tls must be enable: Amazon MSK lets nobody sign in by IAM without TLS"))
		}
		faults = append(faults, s.AWS.validate(s.Identity))
	case gssapi:
		faults = append(faults, errors.New("parameter sasl is gssapi, and Kerberos is not supported: "+
			"sign in by scram_sha512, oauthbearer or a client certificate"))
	}
	return errors.Join(faults...)
}

// used is s with only what has an effect, so that what has none makes no other
// connection.
func (s KafkaSASL) used() KafkaSASL {
	u := KafkaSASL{Mode: s.mechanism()}
	switch u.Mode {
	case byPlain, bySCRAM256, bySCRAM512:
		u.Username, u.Password = s.Username, s.Password
	case oauthBearer:
		u.Username, u.Password = s.Username, s.Password
		u.TokenEndpoint, u.Scopes, u.Extensions = s.TokenEndpoint, notEmpty(s.Scopes), s.Extensions
	case mskIAM:
		u.AWS, u.Identity = s.AWS, s.Identity
	}
	return u
}

// open prepares to sign in to brokers of the authority; nil is that nobody does.
func (s KafkaSASL) open(ca string) (sasl.Mechanism, error) {
	switch s.Mode {
	case byPlain:
		return plain.Mechanism{Username: s.Username, Password: s.Password.Reveal()}, nil
	case bySCRAM256:
		return s.openSCRAM(scram.SHA256)
	case bySCRAM512:
		return s.openSCRAM(scram.SHA512)
	case oauthBearer:
		return s.openOAuth(ca)
	case mskIAM:
		return s.AWS.open(s.Identity)
	default:
		return nil, nil //nolint:nilnil // nobody signs in
	}
}

func (s KafkaSASL) openSCRAM(algorithm scram.Algorithm) (sasl.Mechanism, error) {
	m, err := scram.Mechanism(algorithm, s.Username, s.Password.Reveal())
	if err != nil {
		return nil, scalers.ConfigurationError("parameters username and password hold characters that SCRAM does not allow")
	}
	return m, nil
}
