package auth

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/freshet-io/freshet/scalers"
)

// readConfigMaps takes parameters from keys of ConfigMaps.
func readConfigMaps(ctx context.Context, q *Request) error {
	for _, ref := range q.Spec.ConfigMapTargetRef {
		value, err := q.resolver.configMapKey(ctx, q.Namespace, ref.Name, ref.Key, "configMapTargetRef")
		if err != nil {
			return err
		}
		q.Set(ref.Parameter, value)
	}
	return nil
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
