package conn

import (
	"context"
	"fmt"
	"net/http"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// The providers of cloud identities, as in scalers.Identity.
const (
	AWS           = "aws"
	AzureWorkload = "azure-workload"
	GCP           = "gcp"
)

// Signer signs requests for a cloud. It is safe for concurrent use and keeps
// what it fetched, such as access tokens, until shortly before it expires.
type Signer interface {
	// Sign adds what proves who asks to a request that is otherwise complete. It
	// returns soon after ctx ends. Its errors have a class and tell no secret.
	Sign(ctx context.Context, r *http.Request) error
}

// SignerConfig says as whom, and for what, requests are signed. The zero value
// signs nothing.
type SignerConfig struct {
	// Provider is the cloud: one of the constants above, or "" for none.
	Provider string
	// Identity is the identity of a pod. Its zero value is Freshet's own, for
	// want of keys or credentials.
	Identity scalers.Identity
	// Scope is what access tokens of Azure and Google are asked for.
	Scope string
	// AWS is what requests to AWS are signed for, and keys to sign them with.
	AWS AWSKeys
	// Credentials are those of a Google service account, in JSON.
	Credentials param.Secret
}

// AWSKeys say how requests to AWS are signed.
type AWSKeys struct {
	// Region and Service are those of the signature.
	Region, Service string
	// AccessKeyID, SecretAccessKey and SessionToken are static credentials; none
	// are those of the identity.
	AccessKeyID                   string
	SecretAccessKey, SessionToken param.Secret
}

var signers = map[string]func(SignerConfig) (Signer, error){}

// RegisterSigner tells how requests are signed for a provider. It is called
// from the init functions of packages below scalers/identity, so that a program
// that leaves one out is built without that cloud's libraries. It panics when
// the provider has one already.
func RegisterSigner(provider string, open func(SignerConfig) (Signer, error)) {
	if signers[provider] != nil {
		panic(fmt.Sprintf("conn: provider %q has two signers", provider))
	}
	signers[provider] = open
}

// Validate checks that this program can sign.
func (c SignerConfig) Validate() error {
	if c.Provider != "" && signers[c.Provider] == nil {
		return fmt.Errorf("this build has no support for identities of %s: use one that has, or another way to authenticate", c.Provider)
	}
	return nil
}

// OpenSigner prepares to sign; the first signature fetches what it needs. It is
// nil where there is nothing to sign for.
func OpenSigner(c SignerConfig) (Signer, error) {
	if c.Provider == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	if err := c.Validate(); err != nil {
		return nil, &scalers.Error{Class: scalers.Configuration, Err: err}
	}
	return signers[c.Provider](c)
}
