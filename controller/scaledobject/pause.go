package scaledobject

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/activation"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/controller/target"
)

// pause leaves the replicas alone, or sets those that the annotation asks for,
// and removes the HPA meanwhile. before is the object as the API server has it.
func (r *Reconciler) pause(ctx context.Context, before, so *kedav1alpha1.ScaledObject, tgt *target.Target, replicas int32, now time.Time) error {
	wanted, err := so.PausedReplicas()
	if err != nil {
		return faultf("%v", err)
	}
	if _, err := r.deleteHPAs(ctx, so); err != nil {
		return err
	}
	so.Status.HpaName = ""
	if wanted != nil && replicas != *wanted {
		if err := r.keepOriginal(ctx, before, so, tgt); err != nil {
			return err
		}
		live, err := tgt.Scale(ctx)
		if err != nil {
			return asFault(err)
		}
		if err := tgt.SetScale(ctx, live, *wanted); err != nil {
			return asFault(err)
		}
	}
	so.Status.PausedReplicaCount = wanted
	to := replicas
	if wanted != nil {
		to = *wanted
	}
	r.recordState(so, string(activation.Paused), "scaling is paused by an annotation", replicas, to, now)
	if !so.Status.Conditions.Get(kedav1alpha1.ConditionPaused).IsTrue() {
		r.Events.Note(so, events.ScaledObjectPaused, "ScaledObject is paused: its HPA is removed until the annotation is")
	}
	r.set(so, kedav1alpha1.ConditionPaused, metav1.ConditionTrue, kedav1alpha1.ReasonScaledObjectPaused,
		"Scaling is paused by an annotation", now)
	return nil
}

// unpause reports whether one direction, or none, is paused.
func (r *Reconciler) unpause(so *kedav1alpha1.ScaledObject, now time.Time) {
	so.Status.PausedReplicaCount = nil
	wasPaused := so.Status.Conditions.Get(kedav1alpha1.ConditionPaused).IsTrue()
	switch {
	case so.PausedScaleIn() && so.PausedScaleOut():
		r.set(so, kedav1alpha1.ConditionPaused, metav1.ConditionTrue, kedav1alpha1.ReasonScaledObjectPaused, "Scaling in and out is paused by annotations", now)
	case so.PausedScaleIn():
		r.set(so, kedav1alpha1.ConditionPaused, metav1.ConditionTrue, kedav1alpha1.ReasonScaledObjectPaused, "Scaling in is paused by an annotation", now)
	case so.PausedScaleOut():
		r.set(so, kedav1alpha1.ConditionPaused, metav1.ConditionTrue, kedav1alpha1.ReasonScaledObjectPaused, "Scaling out is paused by an annotation", now)
	case wasPaused:
		r.set(so, kedav1alpha1.ConditionPaused, metav1.ConditionFalse, kedav1alpha1.ReasonScaledObjectUnpaused, "Scaling is no longer paused", now)
		r.Events.Note(so, events.ScaledObjectUnpaused, "ScaledObject is no longer paused")
	}
}
