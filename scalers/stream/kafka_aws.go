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
	// Region of the cluster.
	Region string `param:"awsRegion,optional" from:"metadata,auth"`
	// Identifier of the access key.
	AccessKeyID string `param:"awsAccessKeyID|awsAccessKeyId,optional" from:"auth,metadata,env"`
	// Secret of the access key.
	SecretAccessKey param.Secret `param:"awsSecretAccessKey,optional" from:"auth,env"`
	// Session token of a temporary access key.
	SessionToken param.Secret `param:"awsSessionToken,optional" from:"auth"`
	// Role to assume, in place of an access key.
	RoleARN string `param:"awsRoleArn,optional" from:"auth"`
	// With operator, the identity is that of Freshet's own pod.
	IdentityOwner string `param:"identityOwner,optional" enum:"pod,operator" deprecated:"use podIdentity of a TriggerAuthentication"`
}

// awsIdentity returns the credentials of an identity in a region. It is nil in a
// build without identities of AWS.
var awsIdentity func(ctx context.Context, identity scalers.Identity, region string) (aws.CredentialsProvider, error)

// identity is the identity that stands in for an access key; none is none.
func (a KafkaAWS) identity(pod scalers.Identity) scalers.Identity {
	switch {
	case !pod.IsNone():
		return pod
	case a.RoleARN != "":
		return scalers.Identity{Provider: "aws", RoleARN: a.RoleARN}
	case a.IdentityOwner == "operator":
		return scalers.Identity{Provider: "aws"}
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
	case !identity.IsNone() && identity.Provider != "aws":
		faults = append(faults, fmt.Errorf("the identity of provider %s is none of AWS", identity.Provider))
	case !identity.IsNone() && awsIdentity == nil:
		faults = append(faults, errors.New("this build of Freshet has no identities of AWS: give awsAccessKeyID and awsSecretAccessKey"))
	case identity.IsNone() && (a.AccessKeyID == "" || a.SecretAccessKey.Empty()):
		faults = append(faults, errors.New("nothing is given to sign in to Amazon MSK with: "+
			"use podIdentity aws, or parameters awsAccessKeyID and awsSecretAccessKey"))
	}
	return errors.Join(faults...)
}

// open prepares to sign in.
func (a KafkaAWS) open(ctx context.Context, pod scalers.Identity) (sasl.Mechanism, error) {
	credentials := aws.CredentialsProvider(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{
			AccessKeyID: a.AccessKeyID, SecretAccessKey: a.SecretAccessKey.Reveal(), SessionToken: a.SessionToken.Reveal(),
		}, nil
	}))
	if identity := a.identity(pod); !identity.IsNone() {
		var err error
		if credentials, err = awsIdentity(ctx, identity, a.Region); err != nil {
			return nil, err
		}
	}
	return &aws_msk_iam_v2.Mechanism{Signer: signer.NewSigner(), Credentials: classed{credentials}, Region: a.Region}, nil
}

// classed are credentials whose errors have a class.
type classed struct{ aws.CredentialsProvider }

// Retrieve fetches them.
func (c classed) Retrieve(ctx context.Context) (aws.Credentials, error) {
	credentials, err := c.CredentialsProvider.Retrieve(ctx)
	var known *scalers.Error
	switch {
	case err == nil:
		return credentials, nil
	case errors.As(err, &known), ctx.Err() != nil:
		return credentials, fmt.Errorf("fetching credentials of AWS: %w", err)
	default:
		return credentials, scalers.AuthenticationError("fetching credentials of AWS: %s", conn.Quote(err.Error()))
	}
}
