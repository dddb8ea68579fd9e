package scaledobject

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/controller/target"
	"github.com/freshet-io/freshet/metricsadapter/rules"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/auth"
	"github.com/freshet-io/freshet/scalers/poll"
)

// world is a cluster with one replica of Freshet.
type world struct {
	*testing.T
	r      *Reconciler
	client client.WithWatch
	scales *scales
	events *recorder
	// writes are the calls to the API server that write, but for the scale
	// subresource, as verb and kind.
	writes []string
	// fail makes the call of that name, as in writes, an error.
	fail map[string]error
}

// deployed is when everything in the world was made, unless it says otherwise.
var deployed = metav1.NewTime(time.Now().Add(-24 * time.Hour).Truncate(time.Second))

// newWorld returns a world that holds the objects.
func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	w := &world{T: t, events: &recorder{}, fail: map[string]error{}}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithReturnManagedFields().WithRESTMapper(newMapper()).
		WithStatusSubresource(&kedav1alpha1.ScaledObject{}, &autoscalingv2.HorizontalPodAutoscaler{}).WithObjects(objects...).WithInterceptorFuncs(w.intercept())
	if err := addIndexes(t.Context(), indexer{builder}); err != nil {
		t.Fatal(err)
	}
	w.client = builder.Build()
	w.scales = &scales{client: w.client, others: map[string]int32{}}
	leader := poll.NewLeader("this")
	leader.Elect()
	w.restart(leader)
	return w
}

// restart makes a new replica of Freshet, which knows only what is in the cluster.
func (w *world) restart(ownership poll.Ownership) {
	w.r = &Reconciler{
		Client:    w.client,
		Live:      w.client,
		Cluster:   w.client,
		Targets:   &target.Client{Client: w.client, Scales: w.scales},
		Auth:      &auth.Resolver{Reader: w.client},
		Engine:    poll.New(poll.Options{Ownership: ownership}),
		Store:     store.New(func(poll.Key) {}),
		Rules:     &rules.Book{},
		Ownership: ownership,
		Events:    events.Recorder{Sink: w.events},
		Version:   "v1.2.3",
	}
}

// scheme knows the kinds that the cluster knows.
var scheme = func() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, kedav1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	return scheme
}()

var rolloutGVK = schema.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout"}

func newMapper() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, gvk := range []schema.GroupVersionKind{
		appsv1.SchemeGroupVersion.WithKind("Deployment"), appsv1.SchemeGroupVersion.WithKind("StatefulSet"), rolloutGVK,
		autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler"),
		kedav1alpha1.GroupVersion.WithKind(kedav1alpha1.KindScaledObject),
	} {
		mapper.Add(gvk, meta.RESTScopeNamespace)
	}
	return mapper
}

// indexer adds the indexes of the cache to the fake client.
type indexer struct{ builder *fake.ClientBuilder }

// IndexField adds one.
func (i indexer) IndexField(_ context.Context, obj client.Object, field string, extract client.IndexerFunc) error {
	i.builder.WithIndex(obj, field, extract)
	return nil
}

// intercept notes every write and fails those that are to fail.
func (w *world) intercept() interceptor.Funcs {
	note := func(verb string, obj any) error {
		switch obj := obj.(type) {
		case interface{ GetKind() string }: // what is applied
			verb += " " + obj.GetKind()
		case client.Object:
			verb += " " + kindOf(obj)
		}
		w.writes = append(w.writes, verb)
		return w.fail[verb]
	}
	return interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			if err := note("create", obj); err != nil {
				return err
			}
			return c.Create(ctx, obj, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
			if err := note("patch", obj); err != nil {
				return err
			}
			defer w.watchGone(obj)()
			return c.Patch(ctx, obj, patch, opts...)
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			if err := note("patch "+sub+" of", obj); err != nil {
				return err
			}
			return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
		},
		Apply: func(ctx context.Context, c client.WithWatch, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			if err := note("apply", obj); err != nil {
				return err
			}
			return c.Apply(ctx, obj, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			if err := note("delete", obj); err != nil {
				return err
			}
			defer w.watchGone(obj)()
			return c.Delete(ctx, obj, opts...)
		},
	}
}

// watchGone looks at a ScaledObject before something is done that may end it. What it
// returns looks again, and tells the reconciler of the end, as its watch does.
func (w *world) watchGone(obj client.Object) func() {
	if kindOf(obj) != kedav1alpha1.KindScaledObject {
		return func() {}
	}
	before := w.object(obj.GetName())
	return func() {
		if before != nil && w.object(before.Name) == nil {
			w.r.keepGone(before)
		}
	}
}

func kindOf(obj client.Object) string {
	gvks, _, err := scheme.ObjectKinds(obj)
	if err != nil {
		return fmt.Sprintf("%T", obj)
	}
	return gvks[0].Kind
}

// reconcile reconciles the object, and returns what the reconcile asks for.
func (w *world) reconcile(name string) (ctrl.Result, error) {
	w.Helper()
	return w.r.Reconcile(w.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: name}})
}

// settle reconciles the object and fails the test if that fails.
func (w *world) settle(name string) ctrl.Result {
	w.Helper()
	result, err := w.reconcile(name)
	if err != nil {
		w.Fatalf("reconciling %s: %v", name, err)
	}
	return result
}

// read puts a reading of the trigger at that place among those that are read,
// as the engine does.
func (w *world) read(name string, place int, value float64) {
	w.Helper()
	slot := w.slot(name, place)
	slot.Put(scalers.Reading{Value: scalers.Number(value), Active: value > 0, At: time.Now()})
}

// fails puts a failed reading.
func (w *world) fails(name string, place int, err error) {
	w.Helper()
	w.slot(name, place).Put(scalers.Reading{Err: err, At: time.Now()})
}

func (w *world) slot(name string, place int) *store.Slot {
	w.Helper()
	slots := w.r.Store.Object(Key(types.NamespacedName{Namespace: "shop", Name: name}))
	if place >= len(slots) {
		w.Fatalf("%s has %d triggers that are read, so none at place %d", name, len(slots), place)
	}
	return slots[place]
}

// object returns the ScaledObject as it is now, or nil when there is none.
func (w *world) object(name string) *kedav1alpha1.ScaledObject {
	w.Helper()
	return get(w, name, &kedav1alpha1.ScaledObject{})
}

// hpa returns the HPA as it is now, or nil when there is none.
func (w *world) hpa(name string) *autoscalingv2.HorizontalPodAutoscaler {
	w.Helper()
	return get(w, name, &autoscalingv2.HorizontalPodAutoscaler{})
}

// replicas returns what the Deployment is asked to have.
func (w *world) replicas(name string) int32 {
	w.Helper()
	d := get(w, name, &appsv1.Deployment{})
	if d == nil || d.Spec.Replicas == nil {
		w.Fatalf("Deployment %s does not exist, or has no replicas", name)
	}
	return *d.Spec.Replicas
}

func get[T client.Object](w *world, name string, obj T) T {
	w.Helper()
	err := w.client.Get(w.Context(), client.ObjectKey{Namespace: "shop", Name: name}, obj)
	if apierrors.IsNotFound(err) {
		var none T
		return none
	}
	if err != nil {
		w.Fatalf("reading %T %s: %v", obj, name, err)
	}
	return obj
}

// change writes what f makes of the object, as a user does.
func (w *world) change(obj client.Object, f func()) {
	w.Helper()
	if err := w.client.Get(w.Context(), client.ObjectKeyFromObject(obj), obj); err != nil {
		w.Fatal(err)
	}
	f()
	if err := w.client.Update(w.Context(), obj); err != nil {
		w.Fatal(err)
	}
}

// annotate sets an annotation of the ScaledObject, or removes it when value is "".
func (w *world) annotate(name, key, value string) {
	w.Helper()
	so := newObject(name)
	w.change(so, func() {
		if value == "" {
			delete(so.Annotations, key)
			return
		}
		if so.Annotations == nil {
			so.Annotations = map[string]string{}
		}
		so.Annotations[key] = value
	})
}

// expectCondition compares a condition by status, reason and message.
func (w *world) expectCondition(name string, t kedav1alpha1.ConditionType, status metav1.ConditionStatus, reason, message string) {
	w.Helper()
	so := w.object(name)
	if so == nil {
		w.Fatalf("ScaledObject %s is gone", name)
	}
	got := so.Status.Conditions.Get(t)
	want := kedav1alpha1.Condition{
		Type: t, Status: status, Reason: reason, Message: message,
		LastTransitionTime: got.LastTransitionTime, ObservedGeneration: so.Generation,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("condition %s of %s (-want +got):\n%s", t, name, diff)
	}
}

// expectEvents compares the events since the last call.
func (w *world) expectEvents(want ...string) {
	w.Helper()
	if diff := cmp.Diff(want, w.events.take()); diff != "" {
		w.Errorf("events (-want +got):\n%s", diff)
	}
}

// expectWrites compares the writes since the last call.
func (w *world) expectWrites(want ...string) {
	w.Helper()
	got := w.writes
	w.writes = nil
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("writes (-want +got):\n%s", diff)
	}
}

// expectScaled compares the counts that were written to scale subresources
// since the last call.
func (w *world) expectScaled(want ...int32) {
	w.Helper()
	got := w.scales.written
	w.scales.written = nil
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("replicas written (-want +got):\n%s", diff)
	}
}

// forgetPast drops the events, writes and scalings so far.
func (w *world) forgetPast() {
	w.writes, w.scales.written = nil, nil
	w.events.take()
}

// newDeployment is a Deployment in the namespace shop.
func newDeployment(name string, replicas int32) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name), CreationTimestamp: deployed},
		Spec:       appsv1.DeploymentSpec{Replicas: &replicas},
	}
}

// newObject is a ScaledObject of the Deployment of the same name in the namespace
// shop, with one trigger: the tray of that name. Each edit changes it.
func newObject(name string, edits ...func(*kedav1alpha1.ScaledObject)) *kedav1alpha1.ScaledObject {
	so := &kedav1alpha1.ScaledObject{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: types.UID(name), Generation: 1, CreationTimestamp: deployed,
		},
		Spec: kedav1alpha1.ScaledObjectSpec{
			ScaleTargetRef: kedav1alpha1.ScaleTarget{Name: name},
			Triggers:       []kedav1alpha1.ScaleTriggers{newTrigger(name)},
		},
	}
	for _, edit := range edits {
		edit(so)
	}
	return so
}

// newTrigger is a trigger of the tray of that name. More are parameters, in
// pairs of key and value.
func newTrigger(name string, more ...string) kedav1alpha1.ScaleTriggers {
	t := kedav1alpha1.ScaleTriggers{Type: "tray", Metadata: map[string]string{"name": name}}
	for pair := range slices.Chunk(more, 2) {
		t.Metadata[pair[0]] = pair[1]
	}
	return t
}

// withAnnotation sets an annotation of a ScaledObject.
func withAnnotation(key, value string) func(*kedav1alpha1.ScaledObject) {
	return func(so *kedav1alpha1.ScaledObject) {
		if so.Annotations == nil {
			so.Annotations = map[string]string{}
		}
		so.Annotations[key] = value
	}
}

// withTriggers replaces the triggers of a ScaledObject.
func withTriggers(triggers ...kedav1alpha1.ScaleTriggers) func(*kedav1alpha1.ScaledObject) {
	return func(so *kedav1alpha1.ScaledObject) { so.Spec.Triggers = triggers }
}
