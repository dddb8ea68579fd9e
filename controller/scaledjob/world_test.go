package scaledjob

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/flowcontrol"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/controller/jobs"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers"
	_ "github.com/freshet-io/freshet/scalers/all" // redis, which is not read here
	"github.com/freshet-io/freshet/scalers/auth"
	"github.com/freshet-io/freshet/scalers/poll"
)

// world is a cluster with one replica of Freshet, whose triggers read what tests put
// in.
type world struct {
	testing.TB
	r      *Reconciler
	client client.WithWatch
	events *recorder
	// before is called before each write, and after it with its outcome; an error is
	// what the caller is told. They are called one at a time.
	mu     sync.Mutex
	before func(call string) error
	after  func(call string, err error) error
	writes []string
	// lists counts those that were made.
	lists int
	// blind tells that no Job is seen.
	blind bool
}

// newWorld returns a world that holds the objects.
func newWorld(t testing.TB, objects ...client.Object) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), kedav1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, events: &recorder{}}
	w.client = fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&kedav1alpha1.ScaledJob{}, &batchv1.Job{}).
		WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			return w.write("create", func() error { return c.Create(ctx, obj, opts...) })
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			w.lists++
			return c.List(ctx, list, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			return w.write("delete", func() error { return c.Delete(ctx, obj, opts...) })
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			return w.write("status", func() error { return c.SubResource(sub).Patch(ctx, obj, patch, opts...) })
		},
	}).Build()
	w.restart()
	return w
}

// write does one call of Freshet's, unless a test says otherwise.
func (w *world) write(call string, do func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes = append(w.writes, call)
	if w.before != nil {
		if err := w.before(call); err != nil {
			return err
		}
	}
	err := do()
	if w.after != nil {
		err = w.after(call, err)
	}
	return err
}

// restart makes a new replica of Freshet, which knows only what is in the cluster.
func (w *world) restart() {
	w.Helper()
	leader := poll.NewLeader("this")
	leader.Elect()
	tracker := &jobs.Tracker{Now: time.Now, Ended: func(client.ObjectKey) {}}
	w.r = &Reconciler{
		Client: w.client, Live: w.client, Cluster: w.client, Auth: &auth.Resolver{Reader: w.client},
		Engine: poll.New(poll.Options{Ownership: leader}), Store: store.New(func(poll.Key) {}),
		Jobs: tracker, Synced: func(context.Context, bool) (bool, error) { return true, nil },
		Rate: flowcontrol.NewFakeAlwaysRateLimiter(), Ownership: leader, Events: events.Recorder{Sink: w.events}, Version: "v1.2.3+4",
	}
	w.watch()
}

// watch has the replica see all Jobs as they are.
func (w *world) watch() {
	w.Helper()
	if w.blind {
		return
	}
	for _, j := range w.jobs() {
		w.r.Jobs.See(&j)
	}
}

func (w *world) jobs() []batchv1.Job {
	w.Helper()
	var list batchv1.JobList
	if err := w.client.List(context.Background(), &list); err != nil {
		w.Fatal(err)
	}
	return list.Items
}

// reconcile reconciles "resize", and has what it did seen.
func (w *world) reconcile() (ctrl.Result, error) {
	w.Helper()
	result, err := w.r.Reconcile(w.Context(), ctrl.Request{NamespacedName: name})
	w.watch()
	return result, err
}

// settle reconciles until there is nothing more to do at once.
func (w *world) settle() ctrl.Result {
	w.Helper()
	for range 100 {
		result, err := w.reconcile()
		if err != nil {
			w.Fatalf("reconciling: %v", err)
		}
		if result.RequeueAfter == 0 || result.RequeueAfter > conflictRecheck {
			return result
		}
	}
	w.Fatal("reconciling does not settle")
	return ctrl.Result{}
}

// read has the trigger at that place read a number now.
func (w *world) read(place int, n float64) {
	w.Helper()
	w.put(place, scalers.Reading{Value: scalers.Number(n), Active: n > 0, At: time.Now()})
}

func (w *world) put(place int, r scalers.Reading) {
	w.Helper()
	slots := w.r.Store.Object(Key(name))
	if place >= len(slots) {
		w.Fatalf("there are %d triggers that are read, so none at place %d", len(slots), place)
	}
	slots[place].Put(r)
}

// demand reconciles with that number read by the first trigger.
func (w *world) demand(n float64) ctrl.Result {
	w.Helper()
	w.settle() // registers triggers
	w.read(0, n)
	return w.settle()
}

func (w *world) object() *kedav1alpha1.ScaledJob {
	w.Helper()
	sj := &kedav1alpha1.ScaledJob{}
	if err := w.client.Get(w.Context(), name, sj); err != nil {
		w.Fatal(err)
	}
	return sj
}

// change writes what f makes of the object, as a user does.
func (w *world) change(f func(*kedav1alpha1.ScaledJob)) {
	w.Helper()
	sj := w.object()
	f(sj)
	if err := w.client.Update(w.Context(), sj); err != nil {
		w.Fatal(err)
	}
}

// finish ends a Job.
func (w *world) finish(j batchv1.Job, as batchv1.JobConditionType, at time.Time) {
	w.Helper()
	j.Status.Conditions = []batchv1.JobCondition{{Type: as, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(at)}}
	if err := w.client.Status().Update(w.Context(), &j); err != nil {
		w.Fatal(err)
	}
	w.watch()
}

func (w *world) expectJobs(reason string, want int) {
	w.Helper()
	if got := len(w.jobs()); got != want {
		w.Errorf("%s: there are %d Jobs, want %d", reason, got, want)
	}
}

// expectCondition compares a condition; the message must hold words.
func (w *world) expectCondition(t kedav1alpha1.ConditionType, status metav1.ConditionStatus, reason string, words string) {
	w.Helper()
	c := w.object().Status.Conditions.Get(t)
	if c.Status != status || c.Reason != reason || !strings.Contains(c.Message, words) {
		w.Errorf("condition %s is %+v, want %s %s with %q", t, c, status, reason, words)
	}
}

// expectEvents compares the events since the last call.
func (w *world) expectEvents(want ...string) {
	w.Helper()
	got := w.events.take()
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("events (-want +got):\n%s", diff)
	}
}

var name = types.NamespacedName{Namespace: "shop", Name: "resize"}

// newObject is the ScaledJob "resize" with one trigger, one item a Job.
func newObject(edits ...func(*kedav1alpha1.ScaledJob)) *kedav1alpha1.ScaledJob {
	sj := &kedav1alpha1.ScaledJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name, UID: "u", Generation: 1},
		Spec: kedav1alpha1.ScaledJobSpec{
			JobTargetRef: &batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}},
			Triggers:     []kedav1alpha1.ScaleTriggers{list("orders")},
		},
	}
	for _, edit := range edits {
		edit(sj)
	}
	return sj
}

func list(name string) kedav1alpha1.ScaleTriggers {
	return kedav1alpha1.ScaleTriggers{Type: "redis", Metadata: map[string]string{"address": "nowhere:6379", "listName": name, "listLength": "1"}}
}

// recorder keeps events as "type reason: message".
type recorder struct {
	mu       sync.Mutex
	recorded []string
}

// Eventf keeps one.
func (r *recorder) Eventf(_, _ runtime.Object, eventtype, reason, _, note string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recorded = append(r.recorded, fmt.Sprintf("%s %s: %s", eventtype, reason, fmt.Sprintf(note, args...)))
}

// take returns the events since it was last called.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	recorded := r.recorded
	r.recorded = nil
	return recorded
}
