// Package aws signs in to AWS: as Freshet's own pod, by a role that it assumes, or
// by keys.
package aws

import (
	"context"
	"os"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/identity"
	"github.com/freshet-io/freshet/scalers/param"
)

// Keys is a static access key. The zero value is none.
type Keys struct {
	// ID is the access key's identifier.
	ID string
	// Secret is its secret, Session the token of a temporary one.
	Secret, Session param.Secret
}

// own is how Freshet's own pod is set up: by the environment, shared files, a web
// identity, EKS Pod Identity, or the machine.
var own = sync.OnceValues(func() (sdk.Config, error) {
	c, err := config.LoadDefaultConfig(context.Background(), config.WithRetryer(func() sdk.Retryer { return sdk.NopRetryer{} }))
	if err != nil {
		return c, scalers.ConfigurationError("reading how AWS is set up in Freshet's environment: it has a setting that is not understood")
	}
	return c, nil
})

// Config is what a client of an AWS service needs to act as the keys, or as the
// identity when there are none, in the region; "" is the region of Freshet's
// environment. Credentials are fetched when they are needed, and kept: see
// [Explain] for the errors of that. Clients made of it do not retry. An error is
// of class Configuration.
func Config(_ context.Context, id scalers.Identity, region string, keys Keys) (sdk.Config, error) {
	base, err := own()
	if err != nil {
		return sdk.Config{}, err
	}
	c := base.Copy()
	if region != "" {
		c.Region = region
	}
	switch {
	case c.Region == "":
		return sdk.Config{}, scalers.ConfigurationError("the AWS region is missing: name it, or set AWS_REGION in Freshet's environment")
	case (keys.ID == "") != keys.Secret.Empty():
		return sdk.Config{}, scalers.ConfigurationError("an AWS access key has an id and a secret: one of them is empty")
	case keys.ID != "":
		c.Credentials = credentials.NewStaticCredentialsProvider(keys.ID, keys.Secret.Reveal(), keys.Session.Reveal())
	case id.RoleARN != "":
		c.Credentials, err = roles.Get(param.FingerprintOf(id.RoleARN, id.ExternalID, c.Region), func() (sdk.CredentialsProvider, error) {
			return newRole(c, id), nil
		})
	}
	return c, err
}

// roles are credentials of roles that are assumed. They keep what they fetched.
var roles identity.Kept[sdk.CredentialsProvider]

// role assumes a role: by the token of Freshet's own pod, where it has one, for
// that takes no right of Freshet's role; else as that role.
type role struct {
	web, assume sdk.CredentialsProvider
}

// early is how long before they end credentials are fetched anew.
const early = 5 * time.Minute

func newRole(c sdk.Config, id scalers.Identity) sdk.CredentialsProvider {
	client := sts.NewFromConfig(c)
	r := &role{assume: stscreds.NewAssumeRoleProvider(client, id.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = "freshet"
		if id.ExternalID != "" {
			o.ExternalID = sdk.String(id.ExternalID)
		}
	})}
	if file := os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE"); file != "" && id.ExternalID == "" {
		r.web = stscreds.NewWebIdentityRoleProvider(client, id.RoleARN, stscreds.IdentityTokenFile(file),
			func(o *stscreds.WebIdentityRoleOptions) { o.RoleSessionName = "freshet" })
	}
	return sdk.NewCredentialsCache(r, func(o *sdk.CredentialsCacheOptions) { o.ExpiryWindow = early })
}

// Retrieve fetches credentials of the role.
func (r *role) Retrieve(ctx context.Context) (sdk.Credentials, error) {
	if r.web != nil {
		if got, err := r.web.Retrieve(ctx); err == nil {
			return got, nil
		}
	}
	return r.assume.Retrieve(ctx) //nolint:wrapcheck // Explain finds in it what the service said
}
