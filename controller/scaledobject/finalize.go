package scaledobject

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/events"
)

// finalize undoes what the object did: its HPA goes first, so that it does not
// work against the replicas that are restored. What the user made impossible,
// such as restoring a target that is gone, does not hold up the deletion.
func (r *Reconciler) finalize(ctx context.Context, so *kedav1alpha1.ScaledObject) error {
	if !controllerutil.ContainsFinalizer(so, kedav1alpha1.Finalizer) {
		return nil
	}
	name := so.Status.HpaName
	if false {
		name = so.HPAName()
	}
	if err := r.deleteHPA(ctx, so, name); err != nil {
		return err
	}
	if so.RestoresReplicas() {
		err := r.restore(ctx, so)
		var f *fault
		if err != nil && !errors.As(err, &f) {
			return err
		}
		if f != nil {
			r.Events.Warn(so, events.ScaledObjectDeleted, "The original replicas are not restored: "+f.message)
		}
	}
	before := so.DeepCopy()
	controllerutil.RemoveFinalizer(so, kedav1alpha1.Finalizer)
	if err := r.Client.Patch(ctx, so, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("removing finalizer: %w", err)
	}
	r.Events.Warn(so, events.ScaledObjectDeleted, "ScaledObject was deleted")
	return nil
}

// restore gives the target the replicas it had before the object came.
func (r *Reconciler) restore(ctx context.Context, so *kedav1alpha1.ScaledObject) error {
	original := so.Status.OriginalReplicaCount
	if original == nil {
		return nil
	}
	tgt, err := r.Targets.Resolve(so.Namespace, &so.Spec.ScaleTargetRef)
	if err != nil {
		return asFault(err)
	}
	live, err := tgt.Scale(ctx)
	if err != nil {
		return asFault(err)
	}
	if live.Spec.Replicas == *original {
		return nil
	}
	if err := tgt.SetScale(ctx, live, *original); err != nil {
		if apierrors.IsInvalid(err) {
			return faultf("%v", err)
		}
		return asFault(err)
	}
	return nil
}
