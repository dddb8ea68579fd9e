package scaledjob

import (
	"context"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/scaledobject"
	"github.com/freshet-io/freshet/scalers/auth"
)

// indexer adds the indexes of the cache to a fake client.
type indexer struct{ builder *fake.ClientBuilder }

// IndexField adds one.
func (i indexer) IndexField(_ context.Context, obj client.Object, field string, extract client.IndexerFunc) error {
	i.builder.WithIndex(obj, field, extract)
	return nil
}

// TestWhatConcernsAnObject: a credential that changes has those objects looked at
// that use it, by their authentications or by the environment of their Jobs.
func TestWhatConcernsAnObject(t *testing.T) {
	meta := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name}
	}
	uses := func(name, kind string) *kedav1alpha1.ScaledJob {
		sj := newObject()
		sj.Name = name
		sj.Spec.Triggers[0].AuthenticationRef = &kedav1alpha1.AuthenticationRef{Kind: kind, Name: "redis"}
		return sj
	}
	environment := func(name string, from bool) *kedav1alpha1.ScaledJob {
		sj := newObject()
		sj.Name = name
		if from {
			sj.Spec.Triggers[0].Metadata["passwordFromEnv"] = "PASSWORD"
		}
		sj.Spec.JobTargetRef.Template.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{
			{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "keys"}}},
		}
		return sj
	}
	refs := []kedav1alpha1.AuthSecretTargetRef{{Name: "keys", Key: "a", Parameter: "password"}}
	local := &kedav1alpha1.TriggerAuthentication{ObjectMeta: meta("shop", "redis"), Spec: kedav1alpha1.TriggerAuthenticationSpec{SecretTargetRef: refs}}
	cluster := &kedav1alpha1.ClusterTriggerAuthentication{ObjectMeta: meta("", "redis"), Spec: local.Spec}
	scheme := runtime.NewScheme()
	if err := kedav1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		uses("local", ""), uses("cluster", kedav1alpha1.KindClusterTriggerAuthentication), environment("env", true), environment("apart", false), local, cluster)
	if err := addIndexes(t.Context(), indexer{builder}); err != nil {
		t.Fatal(err)
	}
	builder.WithIndex(&kedav1alpha1.TriggerAuthentication{}, scaledobject.ReferenceIndex, func(client.Object) []string { return []string{"Secret/keys"} })
	builder.WithIndex(&kedav1alpha1.ClusterTriggerAuthentication{}, scaledobject.ReferenceIndex, func(client.Object) []string { return []string{"Secret/keys"} })
	r := &Reconciler{Client: builder.Build(), Auth: &auth.Resolver{Options: auth.Options{ClusterNamespace: "freshet"}}}
	expect := func(reason string, got []string, want ...string) {
		t.Helper()
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: %v are looked at, want %v", reason, got, want)
		}
	}
	names := func(obj client.Object, of func(context.Context, client.Object) []string) []string {
		return of(t.Context(), obj)
	}
	byAuth := func(ctx context.Context, obj client.Object) (all []string) {
		for _, req := range r.byAuthentication(ctx, obj) {
			all = append(all, req.Name)
		}
		return all
	}
	bySecret := func(ctx context.Context, obj client.Object) (all []string) {
		for _, req := range r.byReference("Secret")(ctx, obj) {
			all = append(all, req.Name)
		}
		return all
	}
	expect("an authentication", names(local, byAuth), "local")
	expect("one of the cluster", names(cluster, byAuth), "cluster")
	expect("a Secret", names(&corev1.Secret{ObjectMeta: meta("shop", "keys")}, bySecret), "env", "local")
	expect("a Secret of cluster-scoped ones", names(&corev1.Secret{ObjectMeta: meta("freshet", "keys")}, bySecret), "cluster")
	expect("another Secret", names(&corev1.Secret{ObjectMeta: meta("shop", "other")}, bySecret))
}
