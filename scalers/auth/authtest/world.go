// Package authtest is a cluster and a clock for tests of sources of credentials.
package authtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
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

// Sentinel stands in every secret of a test: nothing that is printed holds it.
const Sentinel = "S3NT1N3L"

// World is a cluster in which the authentication "it" of the namespace apps is
// resolved for a workload that has the ServiceAccount "worker". Freshet's own
// namespace is freshet.
type World struct {
	testing.TB
	// Resolver resolves. Its options may be changed before the first resolve.
	Resolver *auth.Resolver
	// Client writes objects.
	Client client.WithWatch
	// Mint makes the tokens of ServiceAccounts, which live as long as was asked.
	Mint func(namespace, name string) (string, error)

	mu     sync.Mutex
	now    time.Time
	log    bytes.Buffer
	minted int
}

// New is a cluster with the objects. Its clock begins at the time it is and
// stands still.
func New(t testing.TB, objects ...client.Object) *World {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, kedav1alpha1.AddToScheme, authenticationv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	w := &World{TB: t, now: time.Now()}
	w.Mint = func(namespace, name string) (string, error) {
		return fmt.Sprintf("token %d of %s/%s %s", w.Minted(), namespace, name, Sentinel), nil
	}
	w.Client = interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(),
		interceptor.Funcs{SubResourceCreate: w.mint})
	w.Resolver = &auth.Resolver{
		Options: auth.Options{
			ClusterNamespace: "freshet", OwnNamespace: "freshet", Now: w.Now, Log: slog.New(slog.NewTextHandler(w, nil)),
		},
		Reader: w.Client, Tokens: w.Client,
	}
	t.Cleanup(func() { w.silent(w.Log()) })
	return w
}

func (w *World) mint(_ context.Context, _ client.Client, _ string, obj, sub client.Object, _ ...client.SubResourceCreateOption) error {
	w.mu.Lock()
	w.minted++
	w.mu.Unlock()
	token, err := w.Mint(obj.GetNamespace(), obj.GetName())
	request := sub.(*authenticationv1.TokenRequest)
	request.Status.Token = token
	request.Status.ExpirationTimestamp = metav1.NewTime(w.Now().Add(time.Duration(*request.Spec.ExpirationSeconds) * time.Second))
	return err
}

// Minted is how many tokens of ServiceAccounts were requested.
func (w *World) Minted() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.minted
}

// Now is the time by the clock.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Advance moves the clock.
func (w *World) Advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// Write writes to the log.
func (w *World) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p) //nolint:wrapcheck // never fails
}

// Log is what the resolver logged.
func (w *World) Log() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

// Workload is what is scaled.
func (w *World) Workload() auth.Workload {
	return auth.Workload{Namespace: "apps", PodSpec: func(context.Context) (*corev1.PodSpec, error) {
		return &corev1.PodSpec{ServiceAccountName: "worker", Containers: []corev1.Container{{Name: "main"}}}, nil
	}}
}

// Resolve resolves a TriggerAuthentication with the specification. It checks
// that neither the outcome nor the error prints a secret.
func (w *World) Resolve(spec kedav1alpha1.TriggerAuthenticationSpec) (auth.Resolved, error) {
	w.Helper()
	ta := &kedav1alpha1.TriggerAuthentication{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "it"}, Spec: spec}
	return w.resolve(ta, kedav1alpha1.KindTriggerAuthentication)
}

// ResolveCluster is Resolve for a ClusterTriggerAuthentication.
func (w *World) ResolveCluster(spec kedav1alpha1.TriggerAuthenticationSpec) (auth.Resolved, error) {
	w.Helper()
	cta := &kedav1alpha1.ClusterTriggerAuthentication{ObjectMeta: metav1.ObjectMeta{Name: "it"}, Spec: spec}
	return w.resolve(cta, kedav1alpha1.KindClusterTriggerAuthentication)
}

func (w *World) resolve(obj client.Object, kind string) (auth.Resolved, error) {
	w.Helper()
	w.Put(obj)
	got, err := w.Resolver.Resolve(w.Context(), w.Workload(), &kedav1alpha1.AuthenticationRef{Name: "it", Kind: kind})
	w.Silent(got, err)
	return got, err
}

// Put creates the object, or writes it over the one that is there.
func (w *World) Put(obj client.Object) {
	w.Helper()
	existing := obj.DeepCopyObject().(client.Object)
	if err := w.Client.Get(w.Context(), client.ObjectKeyFromObject(obj), existing); err != nil {
		if err := w.Client.Create(w.Context(), obj); err != nil {
			w.Fatal(err)
		}
		return
	}
	obj.SetResourceVersion(existing.GetResourceVersion())
	if err := w.Client.Update(w.Context(), obj); err != nil {
		w.Fatal(err)
	}
}

// Silent checks that no way of printing shows a secret.
func (w *World) Silent(things ...any) {
	w.Helper()
	for _, thing := range things {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			w.silent(fmt.Sprintf(verb, thing))
		}
		if text, err := json.Marshal(thing); err == nil {
			w.silent(string(text))
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("", "thing", thing)
		slog.New(slog.NewTextHandler(&log, nil)).Info("", "thing", thing)
		w.silent(log.String())
	}
}

func (w *World) silent(text string) {
	w.Helper()
	if strings.Contains(text, Sentinel) || strings.Contains(text, fmt.Sprintf("%x", Sentinel)) {
		w.Errorf("a secret is printed: %s", text)
	}
}

// Secret is a Secret with the values, given in pairs.
func Secret(namespace, name string, pairs ...string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string][]byte{}}
	for i := 0; i < len(pairs); i += 2 {
		s.Data[pairs[i]] = []byte(pairs[i+1])
	}
	return s
}

// From is a credential that is the value of a Secret's key.
func From(name, key string) kedav1alpha1.CredentialSource {
	return kedav1alpha1.CredentialSource{ValueFrom: kedav1alpha1.ValueFromSecret{
		SecretKeyRef: kedav1alpha1.SecretKeyRef{Name: name, Key: key},
	}}
}

// WantError wants an error of the class, of one line, that names all the names.
func WantError(t testing.TB, err error, class scalers.Class, names ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("there is no error")
	}
	if got := scalers.ClassOf(err); got != class {
		t.Errorf("the error is of class %s, want %s: %v", got, class, err)
	}
	for _, name := range names {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the error does not name %q: %v", name, err)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error is more than a line: %q", err)
	}
}
