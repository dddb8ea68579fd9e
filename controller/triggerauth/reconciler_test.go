package triggerauth

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/scaledobject"
)

// user is a ScaledObject whose triggers use the authentications kind/name.
func user(namespace, name string, auths ...string) *kedav1alpha1.ScaledObject {
	so := &kedav1alpha1.ScaledObject{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: 1}}
	for _, auth := range auths {
		kind, name, _ := strings.Cut(auth, "/")
		so.Spec.Triggers = append(so.Spec.Triggers, kedav1alpha1.ScaleTriggers{AuthenticationRef: &kedav1alpha1.AuthenticationRef{Kind: kind, Name: name}})
	}
	so.Spec.Triggers = append(so.Spec.Triggers, kedav1alpha1.ScaleTriggers{}) // one without
	return so
}

// scaledJob is a ScaledJob whose triggers use the authentications kind/name.
func scaledJob(namespace, name string, auths ...string) *kedav1alpha1.ScaledJob {
	return &kedav1alpha1.ScaledJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: 1},
		Spec:       kedav1alpha1.ScaledJobSpec{Triggers: user(namespace, name, auths...).Spec.Triggers},
	}
}

// world has a client whose writes are counted.
type world struct {
	client.Client
	writes int
}

func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := kedav1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	w := &world{}
	w.Client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithStatusSubresource(&kedav1alpha1.TriggerAuthentication{}, &kedav1alpha1.ClusterTriggerAuthentication{}).
		WithIndex(&kedav1alpha1.ScaledObject{}, scaledobject.AuthIndex, authentications).
		WithIndex(&kedav1alpha1.ScaledJob{}, scaledobject.AuthIndex, authentications).
		WithInterceptorFuncs(interceptor.Funcs{
			SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
				w.writes++
				return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
			},
		}).Build()
	return w
}

func authentications(obj client.Object) []string {
	var keys []string
	for _, t := range triggersOf(obj) {
		if ref := t.AuthenticationRef; ref != nil {
			keys = append(keys, scaledobject.AuthKey(ref.EffectiveKind(), ref.Name))
		}
	}
	return keys
}

func (w *world) reconcile(t *testing.T, cluster bool, key client.ObjectKey) {
	t.Helper()
	r := &Reconciler{Client: w.Client, Cluster: cluster}
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
		t.Fatal(err)
	}
}

func TestUsersAreListed(t *testing.T) {
	w := newWorld(t,
		&kedav1alpha1.TriggerAuthentication{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "redis"}},
		&kedav1alpha1.ClusterTriggerAuthentication{ObjectMeta: metav1.ObjectMeta{Name: "redis"}},
		user("shop", "parcels", "/redis"), user("shop", "orders", "TriggerAuthentication/redis", "/redis"),
		user("shop", "other", "/kafka"), user("bank", "loans", "/redis"),
		user("shop", "mail", "ClusterTriggerAuthentication/redis"), user("bank", "mail", "ClusterTriggerAuthentication/redis"),
		scaledJob("shop", "resize", "/redis"), scaledJob("bank", "report", "ClusterTriggerAuthentication/redis"),
	)
	local, cluster := client.ObjectKey{Namespace: "shop", Name: "redis"}, client.ObjectKey{Name: "redis"}
	for range 2 { // the second has nothing to write
		w.reconcile(t, false, local)
		w.reconcile(t, true, cluster)
	}
	var ta kedav1alpha1.TriggerAuthentication
	var cta kedav1alpha1.ClusterTriggerAuthentication
	for key, obj := range map[client.ObjectKey]client.Object{local: &ta, cluster: &cta} {
		if err := w.Get(t.Context(), key, obj); err != nil {
			t.Fatal(err)
		}
	}
	if got := ta.Status.ScaledObjectNamesStr; got != "orders,parcels" {
		t.Errorf("the TriggerAuthentication names %q", got)
	}
	if got := cta.Status.ScaledObjectNamesStr; got != "bank/mail,shop/mail" {
		t.Errorf("the ClusterTriggerAuthentication names %q", got)
	}
	if ta.Status.ScaledJobNamesStr != "resize" || cta.Status.ScaledJobNamesStr != "bank/report" {
		t.Errorf("ScaledJobs are %q and %q", ta.Status.ScaledJobNamesStr, cta.Status.ScaledJobNamesStr)
	}
	if w.writes != 2 {
		t.Errorf("%d writes, want one for each", w.writes)
	}
	if err := w.Delete(t.Context(), user("shop", "orders")); err != nil {
		t.Fatal(err)
	}
	w.reconcile(t, false, local)
	if err := w.Get(t.Context(), local, &ta); err != nil || ta.Status.ScaledObjectNamesStr != "parcels" {
		t.Errorf("after a user went: %q, %v", ta.Status.ScaledObjectNamesStr, err)
	}
}

// TestManyUsers: the status stays small.
func TestManyUsers(t *testing.T) {
	objects := []client.Object{&kedav1alpha1.TriggerAuthentication{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "redis"}}}
	for i := range maxNames + 7 {
		objects = append(objects, user("shop", fmt.Sprintf("user-%04d", i), "/redis"))
	}
	w := newWorld(t, objects...)
	key := client.ObjectKey{Namespace: "shop", Name: "redis"}
	w.reconcile(t, false, key)
	var ta kedav1alpha1.TriggerAuthentication
	if err := w.Get(t.Context(), key, &ta); err != nil {
		t.Fatal(err)
	}
	if got := ta.Status.ScaledObjectNamesStr; !strings.HasSuffix(got, "user-0499,and 7 more") {
		t.Errorf("the list ends with %q", got[len(got)-30:])
	}
}

// TestFinalizerOfBefore: an object that another operator put its finalizer on can be
// deleted, and one that does not exist is nothing to do.
func TestFinalizerOfBefore(t *testing.T) {
	now := metav1.NewTime(time.Now())
	w := newWorld(t, &kedav1alpha1.TriggerAuthentication{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "redis", Finalizers: []string{kedav1alpha1.Finalizer}, DeletionTimestamp: &now,
	}})
	key := client.ObjectKey{Namespace: "shop", Name: "redis"}
	w.reconcile(t, false, key)
	if err := w.Get(t.Context(), key, &kedav1alpha1.TriggerAuthentication{}); client.IgnoreNotFound(err) != nil || err == nil {
		t.Errorf("the object is held: %v", err)
	}
	w.reconcile(t, false, key)
}

// TestUsersAreWatched: what a change of a ScaledObject concerns, before and after.
func TestUsersAreWatched(t *testing.T) {
	before, after := user("shop", "orders", "/old", "ClusterTriggerAuthentication/all"), user("shop", "orders", "/new")
	after.Generation = 2
	for _, tc := range []struct {
		reason  string
		cluster bool
		event   any
		want    []string
	}{
		{"made", false, event.CreateEvent{Object: before}, []string{"shop/old"}},
		{"made, of the cluster", true, event.CreateEvent{Object: before}, []string{"/all"}},
		{"changed", false, event.UpdateEvent{ObjectOld: before, ObjectNew: after}, []string{"shop/new", "shop/old"}},
		{"its status changed", false, event.UpdateEvent{ObjectOld: before, ObjectNew: before}, nil},
		{"gone", false, event.DeleteEvent{Object: after}, []string{"shop/new"}},
		{"a ScaledJob", false, event.CreateEvent{Object: scaledJob("shop", "resize", "/keys")}, []string{"shop/keys"}},
	} {
		q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
		users := (&Reconciler{Cluster: tc.cluster}).users()
		switch e := tc.event.(type) {
		case event.CreateEvent:
			users.Create(t.Context(), e, q)
		case event.UpdateEvent:
			users.Update(t.Context(), e, q)
		case event.DeleteEvent:
			users.Delete(t.Context(), e, q)
		}
		var got []string
		for q.Len() > 0 {
			req, _ := q.Get()
			got = append(got, req.String())
		}
		slices.Sort(got)
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v are looked at, want %v", tc.reason, got, tc.want)
		}
		q.ShutDown()
	}
}
