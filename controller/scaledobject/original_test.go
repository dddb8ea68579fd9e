package scaledobject

import (
	"errors"
	"slices"
	"testing"
	"time"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers/poll"
)

const writesStatus = "patch status of ScaledObject"

// original is the count in the status, or -1.
func (w *world) original(name string) int32 {
	w.Helper()
	if n := w.object(name).Status.OriginalReplicaCount; n != nil {
		return *n
	}
	return -1
}

// TestOriginalIsKeptFirst: while it cannot be written how many replicas the target had,
// nothing is done to it: it is neither given an HPA, nor scaled, nor paused.
func TestOriginalIsKeptFirst(t *testing.T) {
	for _, tc := range []struct {
		reason string
		edits  []func(*kedav1alpha1.ScaledObject)
		reads  bool
	}{
		{"new", []func(*kedav1alpha1.ScaledObject){withRestore}, false},
		{"active", []func(*kedav1alpha1.ScaledObject){withRestore}, true},
		{"paused at other replicas", []func(*kedav1alpha1.ScaledObject){withRestore, withAnnotation(kedav1alpha1.AnnotationPausedReplicas, "5")}, false},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t, newDeployment("orders", 2), newObject("orders", tc.edits...))
			down := errors.New("the server is down")
			w.fail[writesStatus] = down
			for range 2 {
				if _, err := w.reconcile("orders"); !errors.Is(err, down) {
					t.Errorf("the reconcile ends with %v, want %v", err, down)
				}
				if tc.reads {
					w.read("orders", 0, 0) // asks for zero
				}
			}
			if w.hpa("keda-hpa-orders") != nil {
				t.Error("there is an HPA")
			}
			w.expectScaled()
			delete(w.fail, writesStatus)
			w.scales.before = func() error {
				if got := w.original("orders"); got != 2 {
					t.Errorf("when the target is scaled, the status has %d original replicas", got)
				}
				return nil
			}
			w.settle("orders")
			if got := w.original("orders"); got != 2 {
				t.Errorf("the status has %d original replicas, want 2", got)
			}
		})
	}
}

// TestOriginalOutlivesWhatComesBetween: between the scaling of the target and the status
// that tells of it the process ends, or the object is deleted. The count that is
// restored is that from before.
func TestOriginalOutlivesWhatComesBetween(t *testing.T) {
	for _, tc := range []struct {
		reason  string
		between func(w *world)
	}{
		{"a crash", func(w *world) { w.fail[writesStatus] = errors.New("gone before it was sent") }},
		{"a deletion", func(w *world) {
			if err := w.client.Delete(w.Context(), newObject("orders")); err != nil {
				w.Fatal(err)
			}
		}},
		{"a change by a user", func(w *world) { w.annotate("orders", "team", "shop") }},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t, newDeployment("orders", 2), newObject("orders", func(so *kedav1alpha1.ScaledObject) {
				withRestore(so)
				so.Spec.MinReplicaCount = new(int32(4)) // so that the first decision scales
			}))
			w.r.Patience = time.Minute // the first status tells of the first readings too
			w.settle("orders")
			w.read("orders", 0, 0)
			w.scales.before = func() error { tc.between(w); return nil }
			_, _ = w.reconcile("orders") // what it ends with does not matter
			w.expectScaled(4)
			w.scales.before = nil
			clear(w.fail)

			leader := poll.NewLeader("another")
			leader.Elect()
			w.restart(leader)
			if w.object("orders").DeletionTimestamp.IsZero() {
				w.settle("orders")
				if err := w.client.Delete(t.Context(), newObject("orders")); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.outlast("orders"); err != nil {
				t.Fatal(err)
			}
			if got := w.replicas("orders"); got != 2 || w.object("orders") != nil {
				t.Errorf("the target is left with %d replicas, want 2; the object is %v", got, w.object("orders"))
			}
		})
	}
}

// TestOriginalCostsNoWrite: an object that restores nothing, and whose target need not be
// scaled, tells of the original replicas in its first status.
func TestOriginalCostsNoWrite(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders"))
	w.settle("orders")
	w.expectWrites("create HorizontalPodAutoscaler", writesStatus)
	if got := w.original("orders"); got != 0 {
		t.Errorf("the status has %d original replicas, want 0", got)
	}
	w.settle("orders")
	w.expectWrites()
}

// TestOriginalOfTheNextTarget: after a move the count of the new target is kept before
// anything is done to that. What else is new is told as ever.
func TestOriginalOfTheNextTarget(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 3), newDeployment("other", 5), newObject("orders", withRestore))
	w.settle("orders")
	w.read("orders", 0, 0)
	w.settle("orders")
	so := newObject("orders")
	w.change(so, func() {
		so.Spec.ScaleTargetRef.Name = "other"
		so.Spec.Triggers = append(so.Spec.Triggers, newTrigger("parcels"))
	})
	w.events.take()
	w.scales.before = func() error {
		given := w.replicas("orders") == 3 // so that it is the new one's turn
		if name := w.object("orders").Status.ScaleTargetName; given && (name != "other" || w.original("orders") != 5) {
			t.Errorf("when the new target is scaled, the status has %d original replicas of %s", w.original("orders"), name)
		}
		return nil
	}
	if err := w.outlast("orders"); err != nil {
		t.Fatal(err)
	}
	w.read("orders", 1, 0)
	w.settle("orders")
	if got := w.original("orders"); got != 5 || w.replicas("other") != 0 {
		t.Errorf("the status has %d original replicas, want 5, and the new target %d, want 0", got, w.replicas("other"))
	}
	if !slices.Contains(w.events.take(), "Normal KEDAScalersStarted: Scaler tray is built") {
		t.Error("no event tells of the new trigger")
	}
}
