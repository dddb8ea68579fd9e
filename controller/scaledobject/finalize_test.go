package scaledobject

import (
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers/poll"
)

// fromBefore has the finalizer that another operator gives to every object.
func fromBefore(so *kedav1alpha1.ScaledObject) { so.Finalizers = []string{kedav1alpha1.Finalizer} }

// deleting returns a world in which the object, which took its Deployment from
// 2 replicas to 7, is being deleted.
func deleting(t *testing.T, edits ...func(*kedav1alpha1.ScaledObject)) *world {
	t.Helper()
	w := newWorld(t, newDeployment("orders", 2), newObject("orders", edits...))
	w.settle("orders")
	d := newDeployment("orders", 0)
	w.change(d, func() { d.Spec.Replicas = new(int32(7)) })
	if err := w.client.Delete(t.Context(), newObject("orders")); err != nil {
		t.Fatal(err)
	}
	w.forgetPast()
	return w
}

// outlast reconciles the object again and again, each time after the time that it asks
// for, until nothing is waited for.
func (w *world) outlast(name string) error {
	for range 10 {
		result, err := w.reconcile(name)
		if err != nil || result.RequeueAfter == 0 || result.RequeueAfter > hpaGrace {
			return err
		}
		for key, at := range w.r.restored {
			w.r.restored[key] = at.Add(-result.RequeueAfter)
		}
	}
	return errors.New("waited for ever")
}

// TestLastSyncOfTheHPA: what an HPA that was deleted writes after the replicas were
// restored does not stay, however late that is within three seconds.
func TestLastSyncOfTheHPA(t *testing.T) {
	for _, looks := range []int{1, 2, 3} {
		w := deleting(t, withRestore)
		w.settle("orders") // deletes the HPA
		for range looks {
			if got := w.settle("orders").RequeueAfter; got <= 0 || got > hpaGrace {
				t.Errorf("after the replicas are restored it is looked again after %s", got)
			}
			for key, at := range w.r.restored {
				w.r.restored[key] = at.Add(-hpaGrace)
			}
		}
		d := newDeployment("orders", 0)
		w.change(d, func() { d.Spec.Replicas = new(int32(1)) })
		if err := w.outlast("orders"); err != nil {
			t.Fatal(err)
		}
		if got := w.replicas("orders"); got != 2 || w.object("orders") != nil {
			t.Errorf("the Deployment has %d replicas, want 2; the object is %v", got, w.object("orders"))
		}
	}
}

// TestRestoredReplicasAreSeenToStay: three seconds pass from the last write of the
// original replicas, also in a process that did not write them.
func TestRestoredReplicasAreSeenToStay(t *testing.T) {
	r, now := &Reconciler{}, time.Now()
	key := poll.Key{Name: "orders"}
	for _, look := range []struct {
		after    time.Duration
		restored bool
		want     time.Duration
	}{
		{0, true, hpaGrace}, {time.Second, false, hpaGrace}, {1500 * time.Millisecond, true, hpaGrace}, {2500 * time.Millisecond, false, hpaGrace},
		{4 * time.Second, false, 500 * time.Millisecond}, {4500 * time.Millisecond, false, 0},
		{5 * time.Second, false, hpaGrace}, {8 * time.Second, false, 0}, // anew, as a process that was just started
	} {
		if got := r.stays(key, look.restored, now.Add(look.after)); got != look.want {
			t.Errorf("after %s: looked at again after %s, want %s", look.after, got, look.want)
		}
	}
	if len(r.restored) != 0 {
		t.Errorf("still kept: %v", r.restored)
	}
}

const (
	deletedEvent = "Warning ScaledObjectDeleted: ScaledObject was deleted"
	stoppedEvent = "Normal KEDAScalersStopped: Stopped scalers watch"
)

func TestFinalize(t *testing.T) {
	cases := []struct {
		reason   string
		edits    []func(*kedav1alpha1.ScaledObject)
		replicas int32
		scaled   []int32
		writes   []string
	}{
		{"the replicas stay as they are", nil, 7, nil, []string{"delete HorizontalPodAutoscaler"}},
		{"the original replicas are restored", []func(*kedav1alpha1.ScaledObject){withRestore}, 2, []int32{2},
			[]string{"delete HorizontalPodAutoscaler", "patch ScaledObject"}},
		{"what another operator left is let go", []func(*kedav1alpha1.ScaledObject){fromBefore}, 7, nil,
			[]string{"delete HorizontalPodAutoscaler", "patch ScaledObject"}},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			w := deleting(t, tc.edits...)
			if err := w.outlast("orders"); err != nil {
				t.Fatal(err)
			}
			w.settle("orders") // sees it off
			w.settle("orders")
			w.expectWrites(tc.writes...)
			w.expectEvents(stoppedEvent, deletedEvent)
			w.expectScaled(tc.scaled...)
			if got := w.replicas("orders"); got != tc.replicas {
				t.Errorf("the Deployment has %d replicas, want %d", got, tc.replicas)
			}
			if w.object("orders") != nil {
				t.Error("the object is still there")
			}
			if w.hpa("keda-hpa-orders") != nil {
				t.Error("the HPA is still there")
			}
			if got := w.r.Engine.Size(); got != (poll.Size{}) {
				t.Errorf("the engine still holds %+v", got)
			}
			if len(w.r.gone.objects)+len(w.r.gone.told) > 0 {
				t.Errorf("what is gone is not forgotten: %v", w.r.gone)
			}
		})
	}
}

// TestFinalizeWaitsForTheHPA: nothing is restored while a sync of the HPA that
// was under way may still write.
func TestFinalizeWaitsForTheHPA(t *testing.T) {
	w := deleting(t, withRestore)
	result, err := w.reconcile("orders")
	if err != nil {
		t.Fatal(err)
	}
	if result.RequeueAfter != hpaGrace {
		t.Errorf("the object is looked at again after %s, want %s", result.RequeueAfter, hpaGrace)
	}
	w.expectWrites("delete HorizontalPodAutoscaler")
	w.expectScaled()
	if w.object("orders") == nil {
		t.Error("the object is gone")
	}
}

// TestFinalizeIsNotHeldUp: what the user made impossible does not keep the
// object from going, and is told.
func TestFinalizeIsNotHeldUp(t *testing.T) {
	gone := "Warning ScaledObjectDeleted: The original replicas are not restored: the target apps/v1.Deployment shop/orders " +
		"does not exist or has no scale subresource: create it or correct scaleTargetRef"
	cases := []struct {
		reason string
		do     func(w *world)
		events []string
	}{
		{"the target is gone", func(w *world) {
			if err := w.client.Delete(w.Context(), newDeployment("orders", 0)); err != nil {
				w.Fatal(err)
			}
		}, []string{gone, stoppedEvent, deletedEvent}},
		{"the HPA is gone", func(w *world) {
			if err := w.client.Delete(w.Context(), w.hpa("keda-hpa-orders")); err != nil {
				w.Fatal(err)
			}
		}, []string{stoppedEvent, deletedEvent}},
		{"the spec names another target by now", func(w *world) {
			so := w.object("orders")
			w.change(so, func() { so.Spec.ScaleTargetRef.Kind = "Machine" })
		}, []string{stoppedEvent, deletedEvent}},
		{"the kind of the target is gone, and the status does not name the target", func(w *world) {
			so := w.object("orders")
			w.change(so, func() { so.Spec.ScaleTargetRef.Kind = "Machine" })
			so.Status.ScaleTargetName = ""
			if err := w.client.Status().Update(w.Context(), so); err != nil {
				w.Fatal(err)
			}
		}, []string{"Warning ScaledObjectDeleted: The original replicas are not restored: scaleTargetRef names the kind Machine " +
			"of apps/v1, which the cluster does not know: correct kind and apiVersion", stoppedEvent, deletedEvent}},
		{"the replicas are restored already", func(w *world) {
			d := newDeployment("orders", 0)
			w.change(d, func() { d.Spec.Replicas = new(int32(2)) })
			w.scales.before = func() error { return errors.New("written for nothing") }
		}, []string{stoppedEvent, deletedEvent}},
		{"the count is not allowed any more", func(w *world) {
			w.scales.before = func() error {
				return apierrors.NewInvalid(schema.GroupKind{Group: "autoscaling", Kind: "Scale"}, "orders", nil)
			}
		}, []string{"Warning ScaledObjectDeleted: The original replicas are not restored: scaling apps/v1.Deployment shop/orders: " +
			`Scale.autoscaling "orders" is invalid`, stoppedEvent, deletedEvent}},
		{"the HPA was renamed, which no status tells yet", func(w *world) {
			hpa := w.hpa("keda-hpa-orders")
			hpa.Name, hpa.ResourceVersion = "orders-hpa", ""
			if err := w.client.Create(w.Context(), hpa); err != nil {
				w.Fatal(err)
			}
			so := w.object("orders")
			w.change(so, func() {
				so.Spec.Advanced.HorizontalPodAutoscalerConfig = &kedav1alpha1.HorizontalPodAutoscalerConfig{Name: "orders-hpa"}
			})
		}, []string{stoppedEvent, deletedEvent}},
		{"its triggers are broken", func(w *world) {
			so := w.object("orders")
			w.change(so, func() { so.Spec.Triggers[0].Type = "drawer" })
		}, []string{stoppedEvent, deletedEvent}},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			w := deleting(t, withRestore)
			tc.do(w)
			if err := w.outlast("orders"); err != nil {
				t.Fatal(err)
			}
			w.expectEvents(tc.events...)
			if w.object("orders") != nil {
				t.Error("the object is still there")
			}
			if w.hpa("keda-hpa-orders") != nil || w.hpa("orders-hpa") != nil {
				t.Error("an HPA is still there")
			}
		})
	}
}

// TestFinalizeIsTriedAgain: an outage keeps the object, so that nothing is left behind.
func TestFinalizeIsTriedAgain(t *testing.T) {
	down := errors.New("the server is down")
	cases := []struct {
		reason string
		spoil  func(w *world)
	}{
		{"the HPA cannot be deleted", func(w *world) { w.fail["delete HorizontalPodAutoscaler"] = down }},
		{"the replicas cannot be restored", func(w *world) { w.scales.before = func() error { return down } }},
		{"the finalizer cannot be removed", func(w *world) { w.fail["patch ScaledObject"] = down }},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			w := deleting(t, withRestore)
			tc.spoil(w)
			if err := w.outlast("orders"); !errors.Is(err, down) {
				t.Errorf("the reconcile ends with %v, want %v", err, down)
			}
			w.expectEvents()
			if w.object("orders") == nil {
				t.Error("the object is gone")
			}
			w.scales.before = nil
			clear(w.fail)
			if err := w.outlast("orders"); err != nil {
				t.Fatal(err)
			}
			w.expectEvents(stoppedEvent, deletedEvent)
			if got := w.replicas("orders"); got != 2 {
				t.Errorf("the Deployment has %d replicas, want 2", got)
			}
		})
	}
}

// TestFinalizeLeavesOthers: neither an HPA of somebody else nor another
// controller's finalizer is touched.
func TestFinalizeLeavesOthers(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 2), foreignHPA("keda-hpa-orders"), newObject("orders", func(so *kedav1alpha1.ScaledObject) {
		so.Finalizers = []string{"example.com/mine", kedav1alpha1.Finalizer}
	}))
	if err := w.client.Delete(t.Context(), newObject("orders")); err != nil {
		t.Fatal(err)
	}
	w.settle("orders")
	if w.hpa("keda-hpa-orders") == nil {
		t.Error("somebody else's HPA was deleted")
	}
	so := w.object("orders")
	if so == nil || len(so.Finalizers) != 1 || so.Finalizers[0] != "example.com/mine" {
		t.Fatalf("the other finalizer is not alone: %v", so)
	}
	w.forgetPast()
	w.settle("orders")
	w.expectWrites()
	w.expectEvents()
}

// TestFinalizePaused: an object that is paused is let go as any other.
func TestFinalizePaused(t *testing.T) {
	w := deleting(t, withRestore, withAnnotation(kedav1alpha1.AnnotationPaused, "true"))
	if err := w.outlast("orders"); err != nil {
		t.Fatal(err)
	}
	if w.object("orders") != nil {
		t.Error("the object is still there")
	}
	w.expectScaled(2)
}

// TestFinalizeNeverReconciled: an object that was never seen before knows no
// original count.
func TestFinalizeNeverReconciled(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 2), newObject("orders", withRestore, func(so *kedav1alpha1.ScaledObject) {
		so.Finalizers = []string{kedav1alpha1.Finalizer}
		so.DeletionTimestamp = &metav1.Time{Time: deployed.Time}
	}))
	w.settle("orders")
	w.expectScaled()
	if w.object("orders") != nil {
		t.Error("the object is still there")
	}
}

// TestFinalizeWithoutStatus: the HPA goes also when its name did not get into
// the status.
func TestFinalizeWithoutStatus(t *testing.T) {
	w := deleting(t, fromBefore)
	so := w.object("orders")
	so.Status = kedav1alpha1.ScaledObjectStatus{}
	if err := w.client.Status().Update(t.Context(), so); err != nil {
		t.Fatal(err)
	}
	w.settle("orders")
	if w.hpa("keda-hpa-orders") != nil {
		t.Error("the HPA is still there")
	}
}

// TestFollowedAtOnce: an object that takes the name of one that is gone gets an HPA of
// its own, whether or not the end of the other was told before.
func TestFollowedAtOnce(t *testing.T) {
	for reason, told := range map[string]bool{"it was told": true, "it was not": false} {
		t.Run(reason, func(t *testing.T) {
			w := deleting(t)
			if !told {
				w.r.gone = departures{}
			}
			if err := w.client.Create(t.Context(), newObject("orders", func(so *kedav1alpha1.ScaledObject) { so.UID = "second" })); err != nil {
				t.Fatal(err)
			}
			w.settle("orders")
			hpa := w.hpa("keda-hpa-orders")
			if hpa == nil || len(hpa.OwnerReferences) != 1 || hpa.OwnerReferences[0].UID != "second" {
				t.Fatalf("the second object has no HPA of its own: %+v", hpa)
			}
			if ready := w.object("orders").Status.Conditions.Get(kedav1alpha1.ConditionReady); ready.IsFalse() {
				t.Errorf("it is not ready: %s", ready.Message)
			}
			w.forgetPast()
			w.settle("orders")
			w.expectWrites()
			w.expectEvents()
		})
	}
}

// TestGoneIsSeenOffByItsOwner: a replica that does not own an object that is gone
// writes nothing, and forgets it.
func TestGoneIsSeenOffByItsOwner(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 2), newObject("orders"))
	w.settle("orders")
	w.restart(poll.NewLeader("that"))
	w.settle("orders")
	if err := w.client.Delete(t.Context(), newObject("orders")); err != nil {
		t.Fatal(err)
	}
	w.forgetPast()
	w.settle("orders")
	w.expectWrites()
	w.expectEvents()
	if len(w.r.gone.objects) > 0 {
		t.Error("it is not forgotten")
	}
}

// TestGoneIsTriedAgain: the HPA of an object that is gone is deleted once the server
// is there again.
func TestGoneIsTriedAgain(t *testing.T) {
	w := deleting(t)
	down := errors.New("the server is down")
	w.fail["delete HorizontalPodAutoscaler"] = down
	if _, err := w.reconcile("orders"); !errors.Is(err, down) {
		t.Errorf("the reconcile ends with %v, want %v", err, down)
	}
	w.expectEvents()
	clear(w.fail)
	w.settle("orders")
	w.expectEvents(stoppedEvent, deletedEvent)
	if w.hpa("keda-hpa-orders") != nil {
		t.Error("the HPA is still there")
	}
}

// TestGoneWithForeignFinalizer: an object that only others held back is seen off when
// it is gone, and not before.
func TestGoneWithForeignFinalizer(t *testing.T) {
	w := deleting(t, func(so *kedav1alpha1.ScaledObject) { so.Finalizers = []string{"example.com/mine"} })
	w.settle("orders")
	w.expectWrites()
	w.expectEvents()
	so := w.object("orders")
	before := so.DeepCopy()
	so.Finalizers = nil
	if err := w.client.Patch(t.Context(), so, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	w.forgetPast()
	w.settle("orders")
	w.expectWrites("delete HorizontalPodAutoscaler")
	w.expectEvents(stoppedEvent, deletedEvent)
}

// TestNotGoneButNotSelected: an object that leaves the cache for its labels is forgotten
// there, and keeps all that it has.
func TestNotGoneButNotSelected(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 2), newObject("orders"))
	w.settle("orders")
	w.r.keepGone(w.object("orders"))
	w.forgetPast()
	if err := w.r.seeOff(t.Context(), client.ObjectKeyFromObject(newObject("orders"))); err != nil {
		t.Fatal(err)
	}
	w.expectWrites()
	w.expectEvents()
	if w.hpa("keda-hpa-orders") == nil || len(w.r.gone.objects) > 0 {
		t.Error("the HPA is deleted, or the object not forgotten")
	}
	if len(w.r.Store.Object(Key(client.ObjectKeyFromObject(newObject("orders"))))) > 0 {
		t.Error("its triggers are still known")
	}
}
