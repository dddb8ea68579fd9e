package auth_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/auth"
)

type m = map[string]string

// The builders of these tests make objects of the namespace apps.

func meta(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "apps", Name: name} }

func secret(name string, data m) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: meta(name), Data: map[string][]byte{}}
	for k, v := range data {
		s.Data[k] = []byte(v)
	}
	return s
}

func configMap(name string, data m) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: meta(name), Data: data}
}

func authentication(name string, spec kedav1alpha1.TriggerAuthenticationSpec) *kedav1alpha1.TriggerAuthentication {
	return &kedav1alpha1.TriggerAuthentication{ObjectMeta: meta(name), Spec: spec}
}

func secretRef(parameter, name, key string) kedav1alpha1.TriggerAuthenticationSpec {
	return kedav1alpha1.TriggerAuthenticationSpec{
		SecretTargetRef: []kedav1alpha1.AuthSecretTargetRef{{Parameter: parameter, Name: name, Key: key}},
	}
}

func configMapRef(parameter, name, key string) kedav1alpha1.TriggerAuthenticationSpec {
	return kedav1alpha1.TriggerAuthenticationSpec{
		ConfigMapTargetRef: []kedav1alpha1.AuthConfigMapTargetRef{{Parameter: parameter, Name: name, Key: key}},
	}
}

func envRef(parameter, name, container string) kedav1alpha1.TriggerAuthenticationSpec {
	return kedav1alpha1.TriggerAuthenticationSpec{
		Env: []kedav1alpha1.AuthEnvironment{{Parameter: parameter, Name: name, ContainerName: container}},
	}
}

// resolver reads a cluster that holds the objects.
func resolver(t *testing.T, objects ...client.Object) *auth.Resolver {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, kedav1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return &auth.Resolver{
		Reader:  fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(),
		Options: auth.Options{ClusterNamespace: "freshet", OwnNamespace: "freshet"},
	}
}

// workload is one of the namespace apps with the containers.
func workload(containers ...corev1.Container) auth.Workload {
	return auth.Workload{Namespace: "apps", PodSpec: func(context.Context) (*corev1.PodSpec, error) {
		return &corev1.PodSpec{Containers: containers}, nil
	}}
}

func bare() auth.Workload {
	return auth.Workload{Namespace: "apps", PodSpec: func(context.Context) (*corev1.PodSpec, error) { return nil, nil }}
}

// literal is a container "main" with the variables, given as name=value.
func literal(variables ...string) corev1.Container {
	c := corev1.Container{Name: "main"}
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: value})
	}
	return c
}

// wantConfiguration wants an error of class Configuration that names all the
// names, in one line.
func wantConfiguration(t *testing.T, err error, names ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("there is no error")
	}
	if class := scalers.ClassOf(err); class != scalers.Configuration {
		t.Errorf("the error is of class %s: %v", class, err)
	}
	for _, name := range names {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the error does not name %s: %v", name, err)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error is more than a line: %q", err)
	}
}

func TestResolve(t *testing.T) {
	objects := []client.Object{
		secret("credentials", m{"user": "u", "pass": "from secret", "empty": ""}),
		configMap("settings", m{"host": "h", "pass": "from config map"}),
		authentication("secret", secretRef("password", "credentials", "pass")),
		authentication("config-map", configMapRef("host", "settings", "host")),
		authentication("env", envRef("token", "TOKEN", "")),
		authentication("other-container", envRef("token", "TOKEN", "sidecar")),
		authentication("empty", secretRef("password", "credentials", "empty")),
		authentication("nothing", kedav1alpha1.TriggerAuthenticationSpec{}),
		authentication("no-identity", kedav1alpha1.TriggerAuthenticationSpec{
			PodIdentity:     &kedav1alpha1.AuthPodIdentity{Provider: kedav1alpha1.PodIdentityProviderNone},
			SecretTargetRef: secretRef("password", "credentials", "pass").SecretTargetRef,
		}),
		authentication("several", kedav1alpha1.TriggerAuthenticationSpec{
			SecretTargetRef: []kedav1alpha1.AuthSecretTargetRef{
				{Parameter: "username", Name: "credentials", Key: "user"}, {Parameter: "password", Name: "credentials", Key: "pass"},
			},
			ConfigMapTargetRef: []kedav1alpha1.AuthConfigMapTargetRef{
				{Parameter: "host", Name: "settings", Key: "host"}, {Parameter: "password", Name: "settings", Key: "pass"},
			},
			Env: []kedav1alpha1.AuthEnvironment{{Parameter: "token", Name: "TOKEN"}, {Parameter: "host", Name: "TOKEN"}},
		}),
		&kedav1alpha1.ClusterTriggerAuthentication{
			ObjectMeta: metav1.ObjectMeta{Name: "cluster"}, Spec: secretRef("password", "credentials", "pass"),
		},
		&kedav1alpha1.ClusterTriggerAuthentication{
			ObjectMeta: metav1.ObjectMeta{Name: "cluster-env"}, Spec: envRef("token", "FROM_SECRET", ""),
		},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "freshet", Name: "credentials"}, Data: map[string][]byte{"pass": []byte("cluster's")},
		},
	}
	sidecar := literal("TOKEN=of the sidecar")
	sidecar.Name = "sidecar"
	main := literal("TOKEN=t")
	main.Env = append(main.Env, fromSecret("FROM_SECRET", "credentials", "pass", false))
	second := workload(main, sidecar)
	second.Container = "sidecar"
	for name, tc := range map[string]struct {
		reason string
		w      auth.Workload
		ref    *kedav1alpha1.AuthenticationRef
		want   m
	}{
		"none":            {"without a reference there are no parameters", workload(main), nil, nil},
		"nothing":         {"an authentication may be empty", workload(main), ref("nothing"), m{}},
		"secret":          {"a key of a Secret", workload(main), ref("secret"), m{"password": "from secret"}},
		"config map":      {"a key of a ConfigMap", workload(main), ref("config-map"), m{"host": "h"}},
		"env":             {"a variable of the first container", workload(main, sidecar), ref("env"), m{"token": "t"}},
		"env, named":      {"a variable of the container that is named", workload(main, sidecar), ref("other-container"), m{"token": "of the sidecar"}},
		"env, workload's": {"or that the workload names", second, ref("env"), m{"token": "of the sidecar"}},
		"empty value":     {"a value may be empty", workload(main), ref("empty"), m{"password": ""}},
		"identity none":   {"the identity none is no identity", workload(main), ref("no-identity"), m{"password": "from secret"}},
		"several": {"a later source overwrites an earlier one", workload(main), ref("several"),
			m{"username": "u", "password": "from secret", "host": "h", "token": "t"}},
		"cluster": {"a cluster's authentication reads the cluster's namespace", workload(main), clusterRef("cluster"), m{"password": "cluster's"}},
		"cluster, env": {"but the workload's environment is that of its own namespace", workload(main), clusterRef("cluster-env"),
			m{"token": "from secret"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := resolver(t, objects...).Resolve(t.Context(), tc.w, tc.ref)
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if diff := cmp.Diff(auth.Resolved{Params: tc.want}, got); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", tc.reason, diff)
			}
		})
	}
}

func ref(name string) *kedav1alpha1.AuthenticationRef {
	return &kedav1alpha1.AuthenticationRef{Name: name}
}

func clusterRef(name string) *kedav1alpha1.AuthenticationRef {
	return &kedav1alpha1.AuthenticationRef{Name: name, Kind: kedav1alpha1.KindClusterTriggerAuthentication}
}

func TestMissingThingsAreNamed(t *testing.T) {
	objects := []client.Object{
		secret("credentials", m{"user": "hidden"}), configMap("settings", m{"host": "hidden"}),
		authentication("no-secret", secretRef("password", "lost-secret", "pass")),
		authentication("no-key", secretRef("password", "credentials", "pass")),
		authentication("no-map", configMapRef("host", "lost-map", "host")),
		authentication("no-map-key", configMapRef("host", "settings", "port")),
		authentication("no-variable", envRef("token", "TOKEN", "")),
		authentication("no-container", envRef("token", "TOKEN", "sidecar")),
		&kedav1alpha1.ClusterTriggerAuthentication{
			ObjectMeta: metav1.ObjectMeta{Name: "cluster"}, Spec: secretRef("password", "credentials", "user"),
		},
	}
	for name, tc := range map[string]struct {
		reason string
		w      auth.Workload
		ref    *kedav1alpha1.AuthenticationRef
		names  []string
	}{
		"authentication":         {"it does not exist", workload(), ref("lost"), []string{"TriggerAuthentication", "lost", "apps"}},
		"cluster authentication": {"it does not exist", workload(), clusterRef("lost"), []string{"ClusterTriggerAuthentication", "lost"}},
		"kind of each":           {"one kind is not the other", workload(), clusterRef("no-secret"), []string{"ClusterTriggerAuthentication", "no-secret"}},
		"unknown kind": {"there is no such kind", workload(),
			&kedav1alpha1.AuthenticationRef{Name: "no-secret", Kind: "Secret"}, []string{"Secret", "authenticationRef"}},
		"secret":            {"it does not exist", workload(), ref("no-secret"), []string{"secretTargetRef", "lost-secret", "apps"}},
		"key":               {"the Secret has other keys", workload(), ref("no-key"), []string{"secretTargetRef", "credentials", "pass", "apps"}},
		"config map":        {"it does not exist", workload(), ref("no-map"), []string{"configMapTargetRef", "lost-map", "apps"}},
		"key of config map": {"the ConfigMap has other keys", workload(), ref("no-map-key"), []string{"configMapTargetRef", "settings", "port", "apps"}},
		"variable":          {"the container sets others", workload(literal("OTHER=x")), ref("no-variable"), []string{"TOKEN"}},
		"pod template":      {"without containers there are no variables", bare(), ref("no-variable"), []string{"TOKEN"}},
		"container":         {"the target has others", workload(literal()), ref("no-container"), []string{"sidecar"}},
		"cluster's secret":  {"the one of the object's namespace does not count", workload(), clusterRef("cluster"), []string{"credentials", "freshet"}},
	} {
		t.Run(name, func(t *testing.T) {
			params, err := resolver(t, objects...).Resolve(t.Context(), tc.w, tc.ref)
			if err == nil {
				t.Fatalf("%s: resolved to %v", tc.reason, params)
			}
			wantConfiguration(t, err, tc.names...)
			if strings.Contains(err.Error(), "hidden") {
				t.Errorf("the error holds a value: %v", err)
			}
		})
	}
}

// A source that is a package of its own is missing from a program that does not
// import it, as this one.
func TestSourcesThatAreLeftOutAreNamed(t *testing.T) {
	for field, spec := range map[string]kedav1alpha1.TriggerAuthenticationSpec{
		"hashiCorpVault":   {HashiCorpVault: &kedav1alpha1.HashiCorpVault{}},
		"azureKeyVault":    {AzureKeyVault: &kedav1alpha1.AzureKeyVault{}},
		"gcpSecretManager": {GCPSecretManager: &kedav1alpha1.GCPSecretManager{}},
		"awsSecretManager": {AwsSecretManager: &kedav1alpha1.AwsSecretManager{}},
	} {
		t.Run(field, func(t *testing.T) {
			spec.SecretTargetRef = secretRef("password", "credentials", "pass").SecretTargetRef
			r := resolver(t, secret("credentials", m{"pass": "x"}), authentication("it", spec))
			got, err := r.Resolve(t.Context(), workload(), ref("it"))
			if err == nil {
				t.Fatalf("resolved to %v, and %s may have been meant", got, field)
			}
			wantConfiguration(t, err, field, "it", "leaves out")
		})
	}
}

// What could not be asked is not what is missing: it may be there.
func TestClusterThatDoesNotAnswer(t *testing.T) {
	errDown := errors.New("connection refused")
	for _, kind := range []string{"TriggerAuthentication", "Secret"} {
		t.Run(kind, func(t *testing.T) {
			r := resolver(t, secret("credentials", m{"pass": "x"}), authentication("it", secretRef("password", "credentials", "pass")))
			r.Reader = interceptor.NewClient(r.Reader.(client.WithWatch), interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
					if _, isSecret := obj.(*corev1.Secret); isSecret == (kind == "Secret") {
						return errDown
					}
					return c.Get(ctx, key, obj, opts...)
				},
			})
			_, err := r.Resolve(t.Context(), workload(), ref("it"))
			if !errors.Is(err, errDown) || scalers.ClassOf(err) != scalers.Unavailable {
				t.Errorf("got %v of class %s", err, scalers.ClassOf(err))
			}
		})
	}
	errPod := scalers.UnavailableError("no pod template")
	w := auth.Workload{Namespace: "apps", PodSpec: func(context.Context) (*corev1.PodSpec, error) { return nil, errPod }}
	r := resolver(t, authentication("it", envRef("token", "TOKEN", "")))
	if _, err := r.Resolve(t.Context(), w, ref("it")); !errors.Is(err, errPod) {
		t.Errorf("got %v, want the error of reading the target", err)
	}
}
