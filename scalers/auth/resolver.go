// Package auth resolves what a trigger authenticates with: the parameters that
// a TriggerAuthentication names, from wherever it keeps them. A thing that is
// missing is an error and never an empty credential.
package auth

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
)

// Resolver reads authentications and what they refer to.
type Resolver struct {
	// Reader reads the cluster's objects, from a cache where there is one.
	Reader client.Reader
	// ClusterNamespace is where a ClusterTriggerAuthentication finds what it
	// refers to.
	ClusterNamespace string
}

// Workload is what an authentication may take from the target of an object.
type Workload struct {
	// Namespace is the object's.
	Namespace string
	// Container names the container whose environment counts; "" is the first.
	Container string
	// PodSpec returns the target's pod template, or nil when it has none.
	PodSpec func(ctx context.Context) (*corev1.PodSpec, error)
}

// sources are the places that an authentication takes parameters from, in
// order: a later one overwrites what an earlier one gave.
var sources = []source{envSource, configMapSource, secretSource}

// source adds the parameters of one place of the specification to params.
type source func(ctx context.Context, r *Resolver, spec *kedav1alpha1.TriggerAuthenticationSpec, at place, params map[string]string) error

// place is where an authentication stands.
type place struct {
	namespace string
	workload  Workload
}

// Resolve returns the parameters that ref gives a trigger of the workload; none
// when ref is nil. An error names what is missing and is of class
// Configuration, or Unavailable when the cluster could not be asked.
func (r *Resolver) Resolve(ctx context.Context, w Workload, ref *kedav1alpha1.AuthenticationRef) (map[string]string, error) {
	if ref == nil {
		return nil, nil
	}
	spec, namespace, err := r.spec(ctx, w.Namespace, ref)
	if err != nil {
		return nil, err
	}
	if field := unsupported(spec); field != "" {
		return nil, scalers.ConfigurationError("%s %s uses %s, which this version of Freshet cannot read",
			ref.EffectiveKind(), ref.Name, field)
	}
	params := map[string]string{}
	for _, add := range sources {
		if err := add(ctx, r, spec, place{namespace: namespace, workload: w}, params); err != nil {
			return nil, err
		}
	}
	return params, nil
}

// spec reads the authentication and tells where what it refers to is.
func (r *Resolver) spec(ctx context.Context, namespace string, ref *kedav1alpha1.AuthenticationRef) (*kedav1alpha1.TriggerAuthenticationSpec, string, error) {
	switch ref.EffectiveKind() {
	case kedav1alpha1.KindTriggerAuthentication:
		var ta kedav1alpha1.TriggerAuthentication
		if err := r.get(ctx, namespace, ref.Name, &ta, "TriggerAuthentication", "authenticationRef"); err != nil {
			return nil, "", err
		}
		return &ta.Spec, namespace, nil
	case kedav1alpha1.KindClusterTriggerAuthentication:
		var cta kedav1alpha1.ClusterTriggerAuthentication
		if err := r.get(ctx, "", ref.Name, &cta, "ClusterTriggerAuthentication", "authenticationRef"); err != nil {
			return nil, "", err
		}
		return &cta.Spec, r.ClusterNamespace, nil
	default:
		return nil, "", scalers.ConfigurationError(
			"authenticationRef has the kind %q: use TriggerAuthentication or ClusterTriggerAuthentication", ref.Kind)
	}
}

// get reads an object and says, when it is missing, who asked for it.
func (r *Resolver) get(ctx context.Context, namespace, name string, obj client.Object, kind, asker string) error {
	err := r.Reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, obj)
	where := ""
	if namespace != "" {
		where = " in namespace " + namespace
	}
	switch {
	case apierrors.IsNotFound(err):
		return scalers.ConfigurationError("%s names %s %q, which does not exist%s", asker, kind, name, where)
	case err != nil:
		return scalers.UnavailableError("reading %s %q%s: %w", kind, name, where, err)
	}
	return nil
}

// unsupported names the first field of spec that is set and has no source yet.
func unsupported(spec *kedav1alpha1.TriggerAuthenticationSpec) string {
	switch {
	case spec.PodIdentity != nil && spec.PodIdentity.Provider != kedav1alpha1.PodIdentityProviderNone:
		return "podIdentity"
	case spec.FilePath != "":
		return "filePath"
	case spec.HashiCorpVault != nil:
		return "hashiCorpVault"
	case spec.AzureKeyVault != nil:
		return "azureKeyVault"
	case spec.GCPSecretManager != nil:
		return "gcpSecretManager"
	case spec.AwsSecretManager != nil:
		return "awsSecretManager"
	case len(spec.BoundServiceAccountToken) > 0:
		return "boundServiceAccountToken"
	case spec.OAuth2 != nil:
		return "oauth2"
	}
	return ""
}
