package scaledobject

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers/poll"
)

// TestPause: paused, an object has no HPA, reads nothing and scales nothing.
// Unpaused, it goes on.
func TestPause(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders"))
	w.settle("orders")
	w.read("orders", 0, 12)
	w.settle("orders")
	w.annotate("orders", kedav1alpha1.AnnotationPaused, "true")
	w.forgetPast()

	w.settle("orders")
	w.expectWrites("delete HorizontalPodAutoscaler", "patch status of ScaledObject")
	w.expectEvents("Normal ScaledObjectPaused: ScaledObject is paused: its HPA is removed until the annotation is", stoppedEvent)
	w.expectCondition("orders", kedav1alpha1.ConditionPaused, metav1.ConditionTrue, kedav1alpha1.ReasonScaledObjectPaused, "Scaling is paused by an annotation")
	if w.hpa("keda-hpa-orders") != nil {
		t.Error("the HPA is still there")
	}
	if got := w.object("orders").Status.HpaName; got != "" {
		t.Errorf("status.hpaName is %q, want none", got)
	}
	if got := w.r.Engine.Size(); got != (poll.Size{}) {
		t.Errorf("the engine still holds %+v", got)
	}
	w.settle("orders")
	w.expectWrites()
	w.expectEvents()
	w.expectScaled()

	w.annotate("orders", kedav1alpha1.AnnotationPaused, "")
	w.settle("orders")
	w.expectEvents("Normal ScaledObjectUnpaused: ScaledObject is no longer paused", startedEvent)
	w.expectCondition("orders", kedav1alpha1.ConditionPaused, metav1.ConditionFalse, kedav1alpha1.ReasonScaledObjectUnpaused, "Scaling is no longer paused")
	if w.hpa("keda-hpa-orders") == nil {
		t.Error("the HPA does not come back")
	}
	w.read("orders", 0, 0)
	w.settle("orders")
	w.expectScaled() // it was active until it was paused
	w.expectCondition("orders", kedav1alpha1.ConditionActive, metav1.ConditionFalse, kedav1alpha1.ReasonScalerCooldown, "No trigger is active, and the cooldown is not over")
}

// TestPausedReplicas: the count of the annotation is set, also when it changes,
// and also when somebody else changes the replicas.
func TestPausedReplicas(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 2), newObject("orders", withAnnotation(kedav1alpha1.AnnotationPausedReplicas, "5")))
	w.settle("orders")
	w.expectScaled(5)
	if got := w.object("orders").Status.PausedReplicaCount; got == nil || *got != 5 {
		t.Errorf("status.pausedReplicaCount is %v, want 5", got)
	}
	if got := w.object("orders").Status.OriginalReplicaCount; got == nil || *got != 2 {
		t.Errorf("status.originalReplicaCount is %v, want the 2 of before", got)
	}
	w.settle("orders")
	w.expectScaled()

	w.annotate("orders", kedav1alpha1.AnnotationPausedReplicas, "0")
	w.settle("orders")
	w.expectScaled(0)
	d := newDeployment("orders", 0)
	w.change(d, func() { d.Spec.Replicas = new(int32(3)) })
	w.settle("orders")
	w.expectScaled(0)

	w.annotate("orders", kedav1alpha1.AnnotationPausedReplicas, "")
	w.settle("orders")
	if got := w.object("orders").Status.PausedReplicaCount; got != nil {
		t.Errorf("status.pausedReplicaCount is %d, want none", *got)
	}
}

// TestPausedReplicasCountForMore: than the annotation that pauses where it is,
// and than one that says not to pause.
func TestPausedReplicasCountForMore(t *testing.T) {
	for _, paused := range []string{"true", "false"} {
		w := newWorld(t, newDeployment("orders", 2), newObject("orders",
			withAnnotation(kedav1alpha1.AnnotationPausedReplicas, "5"), withAnnotation(kedav1alpha1.AnnotationPaused, paused)))
		w.settle("orders")
		w.expectScaled(5)
	}
}

// TestPausedAndRenamed: pausing removes the HPA also when the same change gives
// it another name.
func TestPausedAndRenamed(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 2), newObject("orders"))
	w.settle("orders")
	so := newObject("orders")
	w.change(so, func() {
		named("mine")(so)
		withAnnotation(kedav1alpha1.AnnotationPaused, "true")(so)
	})
	w.settle("orders")
	if w.hpa("keda-hpa-orders") != nil {
		t.Error("the HPA goes on scaling a workload that is paused")
	}
}

// TestPausedLeavesForeignHPAs: an HPA of that name which is somebody else's stays.
func TestPausedLeavesForeignHPAs(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 2), foreignHPA("keda-hpa-orders"), newObject("orders", withAnnotation(kedav1alpha1.AnnotationPaused, "true")))
	w.settle("orders")
	if w.hpa("keda-hpa-orders") == nil {
		t.Error("somebody else's HPA was deleted")
	}
}

// TestPausedOneWay: the object goes on, and says which way is paused.
func TestPausedOneWay(t *testing.T) {
	in, out := kedav1alpha1.AnnotationPausedScaleIn, kedav1alpha1.AnnotationPausedScaleOut
	w := newWorld(t, newDeployment("orders", 2), newObject("orders"))
	w.settle("orders")
	w.forgetPast()
	steps := []struct {
		set, remove string
		message     string
		events      []string
	}{
		{set: in, message: "Scaling in is paused by an annotation"},
		{set: out, message: "Scaling in and out is paused by annotations"},
		{remove: in, message: "Scaling out is paused by an annotation"},
		{remove: out, message: "Scaling is no longer paused", events: []string{"Normal ScaledObjectUnpaused: ScaledObject is no longer paused"}},
	}
	for _, step := range steps {
		if step.set != "" {
			w.annotate("orders", step.set, "true")
		} else {
			w.annotate("orders", step.remove, "")
		}
		w.settle("orders")
		status, reason := metav1.ConditionTrue, kedav1alpha1.ReasonScaledObjectPaused
		if len(step.events) > 0 {
			status, reason = metav1.ConditionFalse, kedav1alpha1.ReasonScaledObjectUnpaused
		}
		w.expectCondition("orders", kedav1alpha1.ConditionPaused, status, reason, step.message)
		w.expectEvents(step.events...)
		if w.hpa("keda-hpa-orders") == nil {
			t.Error("the HPA is gone")
		}
	}
}

// TestPausedWithBrokenTriggers: an object whose triggers are broken can be paused.
func TestPausedWithBrokenTriggers(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 2), newObject("orders",
		withTriggers(kedav1alpha1.ScaleTriggers{Type: "drawer"}), withAnnotation(kedav1alpha1.AnnotationPausedReplicas, "1")))
	w.settle("orders")
	w.expectScaled(1)
	w.expectCondition("orders", kedav1alpha1.ConditionPaused, metav1.ConditionTrue, kedav1alpha1.ReasonScaledObjectPaused, "Scaling is paused by an annotation")
}
