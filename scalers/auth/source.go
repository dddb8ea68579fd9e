package auth

import (
	"context"
	"fmt"
	"time"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// Source gives the request the parameters of one field of the specification. It
// is only called when the field is set. Errors have a class and hold no secret.
type Source func(ctx context.Context, q *Request) error

// field is a field of the specification that parameters are taken from.
type field struct {
	name string
	set  func(s *kedav1alpha1.TriggerAuthenticationSpec) bool
}

// fields are in order: a later one overwrites what an earlier one gave.
var fields = []field{
	{"env", func(s *kedav1alpha1.TriggerAuthenticationSpec) bool { return len(s.Env) > 0 }},
	{"configMapTargetRef", func(s *kedav1alpha1.TriggerAuthenticationSpec) bool { return len(s.ConfigMapTargetRef) > 0 }},
	{"secretTargetRef", func(s *kedav1alpha1.TriggerAuthenticationSpec) bool { return len(s.SecretTargetRef) > 0 }},
	{"hashiCorpVault", func(s *kedav1alpha1.TriggerAuthenticationSpec) bool { return s.HashiCorpVault != nil }},
	{"azureKeyVault", func(s *kedav1alpha1.TriggerAuthenticationSpec) bool { return s.AzureKeyVault != nil }},
	{"gcpSecretManager", func(s *kedav1alpha1.TriggerAuthenticationSpec) bool { return s.GCPSecretManager != nil }},
	{"awsSecretManager", func(s *kedav1alpha1.TriggerAuthenticationSpec) bool { return s.AwsSecretManager != nil }},
	{"boundServiceAccountToken", func(s *kedav1alpha1.TriggerAuthenticationSpec) bool { return len(s.BoundServiceAccountToken) > 0 }},
	{"oauth2", func(s *kedav1alpha1.TriggerAuthenticationSpec) bool { return s.OAuth2 != nil }},
}

var sources = map[string]Source{
	"env": readEnv, "configMapTargetRef": readConfigMaps, "secretTargetRef": readSecrets,
	"boundServiceAccountToken": readTokens, "oauth2": readOAuth2,
}

// RegisterSource adds the source of a field of the specification. It is called
// from init functions, and panics when the field is not known or has a source.
func RegisterSource(name string, s Source) {
	for _, f := range fields {
		if f.name == name && sources[name] == nil && s != nil {
			sources[name] = s
			return
		}
	}
	panic(fmt.Sprintf("auth: %q is not a field that a source is missing for", name))
}

// Request is one authentication that is being resolved, as sources see it.
type Request struct {
	// Spec is what the authentication says.
	Spec *kedav1alpha1.TriggerAuthenticationSpec
	// Namespace is where the objects are that Spec names.
	Namespace string

	resolver *Resolver
	workload Workload
	// cluster tells whether it is a ClusterTriggerAuthentication.
	cluster bool

	params   map[string]string
	identity scalers.Identity
	refresh  time.Duration
}

// run fills the request.
func (q *Request) run(ctx context.Context) error {
	q.params = map[string]string{}
	if err := q.readIdentity(ctx); err != nil {
		return err
	}
	if q.Spec.FilePath != "" {
		clear(q.params)
		return readFile(ctx, q)
	}
	for _, f := range fields {
		if !f.set(q.Spec) {
			continue
		}
		read := sources[f.name]
		if read == nil {
			return scalers.ConfigurationError("%s is set, which this build of Freshet leaves out: "+
				"use one that has it, or another source", f.name)
		}
		if err := read(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// Set gives a parameter its value.
func (q *Request) Set(parameter, value string) { q.params[parameter] = value }

// Now is the time by the resolver's clock.
func (q *Request) Now() time.Time { return q.resolver.now() }

// Again has the request resolved again after d at the latest.
func (q *Request) Again(d time.Duration) {
	if d > 0 && (q.refresh == 0 || d < q.refresh) {
		q.refresh = d
	}
}

// Secret reads what a credential refers to. asker is the field that does.
func (q *Request) Secret(ctx context.Context, from kedav1alpha1.CredentialSource, asker string) (param.Secret, error) {
	ref := from.ValueFrom.SecretKeyRef
	value, err := q.resolver.secretKey(ctx, q.Namespace, ref.Name, ref.Key, asker)
	return param.NewSecret(value), err
}
