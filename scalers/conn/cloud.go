package conn

import (
	"encoding/json"
	"errors"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// AWSAuth says as whom to speak to AWS where a trigger has no identity of a pod.
type AWSAuth struct {
	// Region of AWS that requests are signed for.
	Region string `param:"awsRegion,optional" from:"metadata,auth"`
	// AWS role to assume.
	RoleARN string `param:"awsRoleArn,optional" from:"auth"`
	// Identifier of the access key, with awsSecretAccessKey.
	AccessKeyID string `param:"awsAccessKeyID|awsAccessKeyId,optional" from:"auth,metadata,env"`
	// Secret of the access key.
	SecretAccessKey param.Secret `param:"awsSecretAccessKey,optional" from:"auth,env"`
	// Session of a temporary access key.
	SessionToken param.Secret `param:"awsSessionToken,optional" from:"auth"`
	// Whose identity to use: operator is that of Freshet, pod that of the
	// authentication.
	IdentityOwner string `param:"identityOwner,optional" enum:"pod,operator" deprecated:"name the identity in a TriggerAuthentication with podIdentity"`
}

// Signer is how requests to the service are signed: by the identity of the pod,
// the role, the keys, or Freshet's own identity, the first of them that is
// given. The zero value is none of them.
func (a AWSAuth) Signer(identity scalers.Identity, service string) SignerConfig {
	c := SignerConfig{Provider: AWS, AWS: AWSKeys{Region: a.Region, Service: service}}
	switch {
	case identity.Provider == AWS:
		c.Identity = identity
	case a.RoleARN != "":
		c.Identity = scalers.Identity{Provider: AWS, RoleARN: a.RoleARN}
	case a.AccessKeyID != "" || !a.SecretAccessKey.Empty():
		c.AWS.AccessKeyID, c.AWS.SecretAccessKey, c.AWS.SessionToken = a.AccessKeyID, a.SecretAccessKey, a.SessionToken
	case a.IdentityOwner == "operator":
		c.Identity = scalers.Identity{Provider: AWS}
	default:
		return SignerConfig{}
	}
	return c
}

// Validate checks what signing as c says needs.
func (a AWSAuth) Validate(c SignerConfig) error {
	if c.Provider != AWS {
		return nil
	}
	var faults []error
	if a.Region == "" {
		faults = append(faults, errors.New("parameter awsRegion is missing: requests to AWS are signed for a region"))
	}
	if (c.AWS.AccessKeyID == "") != c.AWS.SecretAccessKey.Empty() {
		faults = append(faults, errors.New("parameters awsAccessKeyID and awsSecretAccessKey go together: one of them is missing"))
	}
	return errors.Join(faults...)
}

// GCPAuth says as whom to speak to Google where a trigger has no identity of a
// pod.
type GCPAuth struct {
	// Credentials of a service account, in JSON.
	Credentials param.Secret `param:"GoogleApplicationCredentials,optional" from:"auth"`
	// Credentials of a service account, in JSON, that a variable of the target's
	// container holds.
	FromEnv param.Secret `param:"credentials,optional" from:"env"`
	// Path of a file with credentials.
	File string `param:"credentialsFromEnvFile,optional" removed:"Freshet reads no files for a trigger; give the file's text as GoogleApplicationCredentials in the authentication, or as credentialsFromEnv"`
}

// Signer is how requests for the scope are signed: by the identity of the pod or
// the credentials, the first of them that is given. The zero value is none.
func (a GCPAuth) Signer(identity scalers.Identity, scope string) SignerConfig {
	c := SignerConfig{Provider: GCP, Scope: scope}
	switch {
	case identity.Provider == GCP:
		c.Identity = identity
	case !a.Credentials.Empty():
		c.Credentials = a.Credentials
	case !a.FromEnv.Empty():
		c.Credentials = a.FromEnv
	default:
		return SignerConfig{}
	}
	return c
}

// Validate checks the credentials of c without telling them.
func (a GCPAuth) Validate(c SignerConfig) error {
	var account struct {
		Type string `json:"type"`
	}
	if c.Provider != GCP || c.Credentials.Empty() {
		return nil
	}
	if err := json.Unmarshal([]byte(c.Credentials.Reveal()), &account); err != nil || account.Type == "" {
		return errors.New("parameter GoogleApplicationCredentials is not the JSON of a key that Google issues")
	}
	return nil
}
