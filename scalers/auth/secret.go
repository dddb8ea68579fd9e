package auth

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
)

// secretSource takes parameters from keys of Secrets.
func secretSource(ctx context.Context, r *Resolver, spec *kedav1alpha1.TriggerAuthenticationSpec, at place, params map[string]string) error {
	for _, ref := range spec.SecretTargetRef {
		value, err := r.secretKey(ctx, at.namespace, ref.Name, ref.Key, "secretTargetRef")
		if err != nil {
			return err
		}
		params[ref.Parameter] = value
	}
	return nil
}

// configMapSource takes parameters from keys of ConfigMaps.
func configMapSource(ctx context.Context, r *Resolver, spec *kedav1alpha1.TriggerAuthenticationSpec, at place, params map[string]string) error {
	for _, ref := range spec.ConfigMapTargetRef {
		value, err := r.configMapKey(ctx, at.namespace, ref.Name, ref.Key, "configMapTargetRef")
		if err != nil {
			return err
		}
		params[ref.Parameter] = value
	}
	return nil
}

func (r *Resolver) secretKey(ctx context.Context, namespace, name, key, asker string) (string, error) {
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

func (r *Resolver) configMapKey(ctx context.Context, namespace, name, key, asker string) (string, error) {
	var cm corev1.ConfigMap
	if err := r.get(ctx, namespace, name, &cm, "ConfigMap", asker); err != nil {
		return "", err
	}
	value, ok := cm.Data[key]
	if !ok {
		return "", scalers.ConfigurationError("%s names key %q of ConfigMap %q in namespace %s, which has no such key",
			asker, key, name, namespace)
	}
	return value, nil
}
