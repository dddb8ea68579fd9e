package auth

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/freshet-io/freshet/scalers"
)

// readSecrets takes parameters from keys of Secrets.
func readSecrets(ctx context.Context, q *Request) error {
	for _, ref := range q.Spec.SecretTargetRef {
		value, err := q.resolver.secretKey(ctx, q.Namespace, ref.Name, ref.Key, "secretTargetRef")
		if err != nil {
			return err
		}
		q.Set(ref.Parameter, value)
	}
	return nil
}

func (r *Resolver) secretKey(ctx context.Context, namespace, name, key, asker string) (string, error) {
	if r.restricted(namespace) {
		return "", scalers.ConfigurationError("%s names Secret %q in namespace %s, and only Secrets of namespace %s may be read "+
			"(KEDA_RESTRICT_SECRET_ACCESS is true): use a ClusterTriggerAuthentication, or lift the restriction",
			asker, name, namespace, r.OwnNamespace)
	}
	var secret corev1.Secret
	if err := r.get(ctx, namespace, name, &secret, "Secret", asker); err != nil {
		return "", err
	}
	value, ok := secret.Data[key]
	if !ok {
		return "", scalers.ConfigurationError("%s names key %q of Secret %q in namespace %s, which has no such key",
			asker, key, name, namespace)
	}
	return string(value), nil
}

// restricted tells whether Secrets of the namespace may not be read.
func (r *Resolver) restricted(namespace string) bool {
	return r.RestrictSecrets && namespace != r.OwnNamespace
}
