package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/aws_msk_iam_v2"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/param"
)

// KafkaAWS says as whom to sign in to Amazon MSK.
type KafkaAWS struct {
	// Region of the Amazon MSK cluster.
	Region string `param:"awsRegion,optional" from:"metadata,auth"`
	// Identifier of the AWS access key.
	AccessKeyID string `param:"awsAccessKeyID|awsAccessKeyId,optional" from:"auth,metadata,env"`
	// Secret of the AWS access key.
	SecretAccessKey param.Secret `param:"awsSecretAccessKey,optional" from:"auth,env"`
	// Session token of a temporary AWS access key.
	SessionToken param.Secret `param:"awsSessionToken,optional" from:"auth"`
	// AWS role to assume, in place of an access key.
	RoleARN string `param:"awsRoleArn,optional" from:"auth"`
	// With operator, the AWS identity is that of Freshet's own pod.
	IdentityOwner string `param:"identityOwner,optional" enum:"pod,operator" deprecated:"use podIdentity of a TriggerAuthentication"`
}

// identity is the identity that stands in for an access key; none is none.
func (a KafkaAWS) identity(pod scalers.Identity) scalers.Identity {
	switch {
	case !pod.IsNone():
		return pod
	case a.RoleARN != "":
		return scalers.Identity{Provider: conn.AWS, RoleARN: a.RoleARN}
	case a.IdentityOwner == "operator":
		return scalers.Identity{Provider: conn.AWS}
	default:
		return scalers.Identity{}
	}
}

// validate checks that there is something to sign in with.
func (a KafkaAWS) validate(pod scalers.Identity) error {
	var faults []error
	if a.Region == "" {
		faults = append(faults, errors.New("parameter awsRegion is missing: Amazon MSK needs it to sign in by IAM"))
	}
	identity := a.identity(pod)
	switch {
	case !identity.IsNone() && identity.Provider != conn.AWS:
		faults = append(faults, fmt.Errorf("the identity of provider %s is none of AWS", identity.Provider))
	case !identity.IsNone():
		faults = append(faults, conn.SignerConfig{Provider: conn.AWS}.Validate())
	case identity.IsNone() && (a.AccessKeyID == "" || a.SecretAccessKey.Empty()):
		faults = append(faults, errors.New("nothing is given to sign in to Amazon MSK with: "+
			"use podIdentity aws, or parameters awsAccessKeyID and awsSecretAccessKey"))
	}
	return errors.Join(faults...)
}

// open prepares to sign in; the first connection fetches the credentials of an
// identity.
func (a KafkaAWS) open(pod scalers.Identity) (sasl.Mechanism, error) {
	m := &aws_msk_iam_v2.Mechanism{Signer: signer.NewSigner(), Region: a.Region, Credentials: aws.CredentialsProviderFunc(
		func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID: a.AccessKeyID, SecretAccessKey: a.SecretAccessKey.Reveal(), SessionToken: a.SessionToken.Reveal(),
			}, nil
		})}
	identity := a.identity(pod)
	if identity.IsNone() {
		return m, nil
	}
	s, err := conn.OpenSigner(conn.SignerConfig{Provider: conn.AWS, Identity: identity, AWS: conn.AWSKeys{Region: a.Region}})
	if err != nil {
		return nil, err
	}
	var ok bool
	if m.Credentials, ok = s.(aws.CredentialsProvider); !ok {
		return nil, scalers.ConfigurationError("this build has no credentials of AWS identities: give awsAccessKeyID and awsSecretAccessKey")
	}
	return m, nil
}
