package auth_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/auth"
)

// fromSecret is a variable with the value of a Secret's key.
func fromSecret(name, object, key string, optional bool) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: object}, Key: key, Optional: &optional,
	}}}
}

func fromConfigMap(name, object, key string, optional bool) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: object}, Key: key, Optional: &optional,
	}}}
}

// allOf are all keys of an object as variables.
func allOf(kind, object, prefix string, optional bool) corev1.EnvFromSource {
	from := corev1.EnvFromSource{Prefix: prefix}
	if kind == "Secret" {
		from.SecretRef = &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: object}, Optional: &optional}
	} else {
		from.ConfigMapRef = &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: object}, Optional: &optional}
	}
	return from
}

func with(env []corev1.EnvVar, from ...corev1.EnvFromSource) corev1.Container {
	return corev1.Container{Name: "main", Env: env, EnvFrom: from}
}

var environmentObjects = []client.Object{
	secret("credentials", m{"USER": "u", "PASS": "p"}), configMap("settings", m{"HOST": "h", "USER": "settings' user"}),
}

func TestEnvironment(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		w      auth.Workload
		want   m
	}{
		"none":              {"a container may set nothing", workload(literal()), m{}},
		"no pod template":   {"a target may have no containers", bare(), nil},
		"literals":          {"values as they are", workload(literal("A=1", "B=a b", "C=")), m{"A": "1", "B": "a b", "C": ""}},
		"expanded":          {"known variables are put in", workload(literal("A=1", "B=$(A)2", "C=$(B)$(A)")), m{"A": "1", "B": "12", "C": "121"}},
		"not known":         {"others stay as they are", workload(literal("B=$(A)", "A=1", "C=$(lost)x")), m{"A": "1", "B": "$(A)", "C": "$(lost)x"}},
		"escaped":           {"two dollars are one", workload(literal("A=1", "B=$$(A)", "C=$$$(A)", "D=$$")), m{"A": "1", "B": "$(A)", "C": "$1", "D": "$"}},
		"not a reference":   {"what is no reference is text", workload(literal("A=1", "B=$A", "C=$(A", "D=$", "E=()")), m{"A": "1", "B": "$A", "C": "$(A", "D": "$", "E": "()"}},
		"set twice":         {"the last one counts", workload(literal("A=1", "B=$(A)", "A=2")), m{"A": "2", "B": "1"}},
		"refers to itself":  {"to what it was before", workload(literal("A=1", "A=$(A)2")), m{"A": "12"}},
		"secret key":        {"a key of a Secret", workload(with([]corev1.EnvVar{fromSecret("A", "credentials", "PASS", false)})), m{"A": "p"}},
		"config map key":    {"a key of a ConfigMap", workload(with([]corev1.EnvVar{fromConfigMap("A", "settings", "HOST", false)})), m{"A": "h"}},
		"all of a secret":   {"every key is a variable", workload(with(nil, allOf("Secret", "credentials", "", false))), m{"USER": "u", "PASS": "p"}},
		"all, with prefix":  {"the prefix comes in front", workload(with(nil, allOf("ConfigMap", "settings", "X_", false))), m{"X_HOST": "h", "X_USER": "settings' user"}},
		"later envFrom":     {"a later one overwrites", workload(with(nil, allOf("ConfigMap", "settings", "", false), allOf("Secret", "credentials", "", false))), m{"HOST": "h", "USER": "u", "PASS": "p"}},
		"env over envFrom":  {"env overwrites envFrom and may refer to it", workload(with([]corev1.EnvVar{{Name: "USER", Value: "$(USER)!"}}, allOf("Secret", "credentials", "", false))), m{"USER": "u!", "PASS": "p"}},
		"optional secret":   {"what is optional may be missing", workload(with([]corev1.EnvVar{fromSecret("A", "lost", "K", true)}, allOf("Secret", "lost", "", true))), m{}},
		"optional key":      {"so may its key", workload(with([]corev1.EnvVar{fromSecret("A", "credentials", "lost", true), fromConfigMap("B", "settings", "lost", true)})), m{}},
		"optional map":      {"of either kind", workload(with([]corev1.EnvVar{fromConfigMap("A", "lost", "K", true)}, allOf("ConfigMap", "lost", "", true))), m{}},
		"optional, there":   {"what is optional and there counts", workload(with([]corev1.EnvVar{fromSecret("A", "credentials", "PASS", true)})), m{"A": "p"}},
		"optional, earlier": {"what is missing leaves what was before", workload(with([]corev1.EnvVar{fromSecret("USER", "credentials", "lost", true)}, allOf("Secret", "credentials", "", false))), m{"USER": "u", "PASS": "p"}},
		"of the pod": {"what only the pod knows is passed over", workload(with([]corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}}, {Name: "B", Value: "$(A)"}})), m{"B": "$(A)"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := resolver(t, environmentObjects...).Environment(t.Context(), tc.w)
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", tc.reason, diff)
			}
		})
	}
}

func TestEnvironmentNamesWhatIsMissing(t *testing.T) {
	named := workload(literal("A=1"))
	named.Container = "sidecar"
	for name, tc := range map[string]struct {
		w     auth.Workload
		names []string
	}{
		"secret":         {workload(with([]corev1.EnvVar{fromSecret("A", "lost", "K", false)})), []string{"A", "lost", "apps"}},
		"key":            {workload(with([]corev1.EnvVar{fromSecret("A", "credentials", "K", false)})), []string{"A", "credentials", "K"}},
		"config map":     {workload(with([]corev1.EnvVar{fromConfigMap("A", "lost", "K", false)})), []string{"A", "lost", "apps"}},
		"config map key": {workload(with([]corev1.EnvVar{fromConfigMap("A", "settings", "K", false)})), []string{"A", "settings", "K"}},
		"all of secret":  {workload(with(nil, allOf("Secret", "lost", "", false))), []string{"envFrom", "lost"}},
		"all of map":     {workload(with(nil, allOf("ConfigMap", "lost", "", false))), []string{"envFrom", "lost"}},
		"container":      {named, []string{"sidecar", "envSourceContainerName"}},
		"no containers":  {workload(), []string{"container"}},
	} {
		t.Run(name, func(t *testing.T) {
			env, err := resolver(t, environmentObjects...).Environment(t.Context(), tc.w)
			if err == nil {
				t.Fatalf("the environment is %v", env)
			}
			wantConfiguration(t, err, tc.names...)
		})
	}
}

// What could not be asked is not missing, be it optional.
func TestOptionalIsNotUnanswered(t *testing.T) {
	errDown := errors.New("connection refused")
	for name, c := range map[string]corev1.Container{
		"secret key":     with([]corev1.EnvVar{fromSecret("A", "credentials", "PASS", true)}),
		"config map key": with([]corev1.EnvVar{fromConfigMap("A", "settings", "HOST", true)}),
		"all of secret":  with(nil, allOf("Secret", "credentials", "", true)),
		"all of map":     with(nil, allOf("ConfigMap", "settings", "", true)),
	} {
		r := resolver(t, environmentObjects...)
		r.Reader = interceptor.NewClient(r.Reader.(client.WithWatch), interceptor.Funcs{
			Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
				return errDown
			},
		})
		env, err := r.Environment(t.Context(), workload(c))
		if !errors.Is(err, errDown) || scalers.ClassOf(err) != scalers.Unavailable {
			t.Errorf("%s: got %v, %v", name, env, err)
		}
	}
}
