package scaledobject

import (
	"testing"
	"time"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// withRestore has the original replicas restored.
func withRestore(so *kedav1alpha1.ScaledObject) {
	so.Spec.Advanced = &kedav1alpha1.AdvancedConfig{RestoreToOriginalReplicaCount: true}
}

// aim has the ScaledObject orders scale another Deployment.
func (w *world) aim(name string) {
	w.Helper()
	so := newObject("orders")
	w.change(so, func() { so.Spec.ScaleTargetRef.Name = name })
}

// TestMoveRestores: a target that is not scaled any more gets its replicas back,
// after its HPA is gone, and those of the new one are kept.
func TestMoveRestores(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 3), newDeployment("other", 5), newObject("orders", withRestore))
	w.settle("orders")
	w.read("orders", 0, 0)
	w.settle("orders")
	if got := w.replicas("orders"); got != 0 {
		t.Fatalf("the target has %d replicas before, want 0", got)
	}
	w.aim("other")
	if result := w.settle("orders"); result.RequeueAfter != hpaGrace {
		t.Errorf("looked at again after %s, want %s", result.RequeueAfter, hpaGrace)
	}
	if w.hpa("keda-hpa-orders") != nil || w.replicas("orders") != 0 {
		t.Error("the HPA is to go first")
	}
	w.settle("orders")
	if got := w.replicas("orders"); got != 3 {
		t.Errorf("the old target has %d replicas, want its original 3", got)
	}
	if got := w.object("orders").Status.ScaleTargetName; got != "orders" {
		t.Errorf("the status is of %s before the replicas of the old target are seen to stay", got)
	}
	if err := w.outlast("orders"); err != nil {
		t.Fatal(err)
	}
	status := w.object("orders").Status
	if status.ScaleTargetName != "other" || status.OriginalReplicaCount == nil || *status.OriginalReplicaCount != 5 {
		t.Errorf("the status has %s of %v replicas, want other of 5", status.ScaleTargetName, status.OriginalReplicaCount)
	}
	if hpa := w.hpa("keda-hpa-orders"); hpa == nil || hpa.Spec.ScaleTargetRef.Name != "other" {
		t.Errorf("the HPA is %v, want one of other", hpa)
	}
	if err := w.client.Delete(t.Context(), w.object("orders")); err != nil {
		t.Fatal(err)
	}
	if err := w.outlast("orders"); err != nil {
		t.Fatal(err)
	}
	if got := w.replicas("other"); got != 5 {
		t.Errorf("after deletion the new target has %d replicas, want its own original 5", got)
	}
}

// TestMoveLeaves: without restoring, the old target stays as it is.
func TestMoveLeaves(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 3), newDeployment("other", 5), newObject("orders"))
	w.settle("orders")
	w.read("orders", 0, 40)
	w.settle("orders")
	w.forgetPast()
	w.aim("other")
	if result := w.settle("orders"); result.RequeueAfter >= hpaGrace && result.RequeueAfter < time.Minute {
		t.Errorf("looked at again after %s, though there is nothing to wait for", result.RequeueAfter)
	}
	w.expectScaled()
	if got := *w.object("orders").Status.OriginalReplicaCount; got != 5 {
		t.Errorf("original replicas: %d, want those of the new target", got)
	}
}

// TestMoveFromWhatIsGone: a target that does not exist any more holds nothing up.
func TestMoveFromWhatIsGone(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 3), newDeployment("other", 5), newObject("orders", withRestore))
	w.settle("orders")
	if err := w.client.Delete(t.Context(), newDeployment("orders", 0)); err != nil {
		t.Fatal(err)
	}
	w.aim("other")
	w.settle("orders")
	w.forgetPast()
	w.settle("orders")
	w.expectEvents("Warning ScaledObjectCheckFailed: The original replicas are not restored: the target apps/v1.Deployment shop/orders " +
		"does not exist or has no scale subresource: create it or correct scaleTargetRef")
	if got := w.object("orders").Status.ScaleTargetName; got != "other" {
		t.Errorf("the object scales %s", got)
	}
}

// TestDeletedWhileMoving: the replicas are given back to the target they are of.
func TestDeletedWhileMoving(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 3), newDeployment("other", 5), newObject("orders", withRestore))
	w.settle("orders")
	w.read("orders", 0, 0)
	w.settle("orders")
	w.aim("other")
	if err := w.client.Delete(t.Context(), w.object("orders")); err != nil {
		t.Fatal(err)
	}
	w.settle("orders")
	w.settle("orders")
	if orders, other := w.replicas("orders"), w.replicas("other"); orders != 3 || other != 5 {
		t.Errorf("the old target has %d replicas and the new one %d, want 3 and 5", orders, other)
	}
}
