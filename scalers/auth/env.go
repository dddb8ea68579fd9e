package auth

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/freshet-io/freshet/scalers"
)

// readEnv takes parameters from the environment of the workload's containers.
func readEnv(ctx context.Context, q *Request) error {
	for _, ref := range q.Spec.Env {
		w := q.workload
		if ref.ContainerName != "" {
			w.Container = ref.ContainerName
		}
		env, err := q.resolver.Environment(ctx, w)
		if err != nil {
			return err
		}
		value, ok := env[ref.Name]
		switch {
		case !ok && q.resolver.restricted(w.Namespace):
			return scalers.ConfigurationError("env names the variable %s, which the target's container does not set, or takes from a Secret: "+
				"only Secrets of namespace %s may be read (KEDA_RESTRICT_SECRET_ACCESS is true)", ref.Name, q.resolver.OwnNamespace)
		case !ok:
			return scalers.ConfigurationError("env names the variable %s, which the target's container does not set", ref.Name)
		}
		q.Set(ref.Parameter, value)
	}
	return nil
}

// Environment returns the variables that the workload's container is started
// with, as far as they do not depend on the pod: literal values with $(NAME)
// expanded, and keys of ConfigMaps and Secrets, one by one or all of one. Secrets
// that may not be read are passed over. It is empty when the workload has no pod
// template.
func (r *Resolver) Environment(ctx context.Context, w Workload) (map[string]string, error) {
	spec, err := w.PodSpec(ctx)
	if err != nil || spec == nil {
		return nil, err
	}
	container, err := findContainer(spec, w.Container)
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	for _, from := range container.EnvFrom {
		if err := r.envFrom(ctx, w.Namespace, from, env); err != nil {
			return nil, err
		}
	}
	for _, v := range container.Env {
		if err := r.envVar(ctx, w.Namespace, v, env); err != nil {
			return nil, err
		}
	}
	return env, nil
}

func findContainer(spec *corev1.PodSpec, name string) (*corev1.Container, error) {
	if name == "" && len(spec.Containers) > 0 {
		return &spec.Containers[0], nil
	}
	for i := range spec.Containers {
		if spec.Containers[i].Name == name {
			return &spec.Containers[i], nil
		}
	}
	return nil, scalers.ConfigurationError("the target has no container named %q: correct envSourceContainerName", name)
}

func (r *Resolver) envFrom(ctx context.Context, namespace string, from corev1.EnvFromSource, env map[string]string) error {
	switch {
	case from.ConfigMapRef != nil:
		var cm corev1.ConfigMap
		err := r.get(ctx, namespace, from.ConfigMapRef.Name, &cm, "ConfigMap", "envFrom of the target's container")
		if err != nil && !optional(from.ConfigMapRef.Optional, err) {
			return err
		}
		for key, value := range cm.Data {
			env[from.Prefix+key] = value
		}
	case from.SecretRef != nil && !r.restricted(namespace):
		var secret corev1.Secret
		err := r.get(ctx, namespace, from.SecretRef.Name, &secret, "Secret", "envFrom of the target's container")
		if err != nil && !optional(from.SecretRef.Optional, err) {
			return err
		}
		for key, value := range secret.Data {
			env[from.Prefix+key] = string(value)
		}
	}
	return nil
}

func (r *Resolver) envVar(ctx context.Context, namespace string, v corev1.EnvVar, env map[string]string) error {
	asker := "variable " + v.Name + " of the target's container"
	from := v.ValueFrom
	switch {
	case from == nil:
		env[v.Name] = expand(v.Value, env)
	case from.ConfigMapKeyRef != nil:
		value, err := r.configMapKey(ctx, namespace, from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Key, asker)
		if err == nil {
			env[v.Name] = value
		} else if !optional(from.ConfigMapKeyRef.Optional, err) {
			return err
		}
	case from.SecretKeyRef != nil && !r.restricted(namespace):
		value, err := r.secretKey(ctx, namespace, from.SecretKeyRef.Name, from.SecretKeyRef.Key, asker)
		if err == nil {
			env[v.Name] = value
		} else if !optional(from.SecretKeyRef.Optional, err) {
			return err
		}
	}
	return nil
}

// optional tells whether err may be passed over: the pod starts without what is
// missing.
func optional(marked *bool, err error) bool {
	return marked != nil && *marked && scalers.ClassOf(err) == scalers.Configuration
}

// expand replaces $(NAME) by variables that are already known, and $$ by $, as
// Kubernetes does. References to unknown variables stay as they are.
func expand(text string, env map[string]string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		rest := text[i:]
		if strings.HasPrefix(rest, "$$") {
			b.WriteByte('$')
			i++
			continue
		}
		if strings.HasPrefix(rest, "$(") {
			if name, _, ok := strings.Cut(rest[2:], ")"); ok {
				if value, known := env[name]; known {
					b.WriteString(value)
				} else {
					b.WriteString("$(" + name + ")")
				}
				i += len(name) + 2
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
