package scaledobject

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/controller/target"
)

// hpaGrace is how long after its HPA the replicas of a target are restored: a
// sync of the HPA that was under way writes once more, and wins any conflict.
const hpaGrace = time.Second

// finalize undoes what the object did: its HPA goes first, so that it does not
// work against the replicas that are restored. What the user made impossible,
// such as restoring a target that is gone, does not hold up the deletion.
func (r *Reconciler) finalize(ctx context.Context, so *kedav1alpha1.ScaledObject) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(so, kedav1alpha1.Finalizer) {
		return ctrl.Result{}, nil
	}
	name := so.Status.HpaName
	if name == "" {
		name = so.HPAName()
	}
	deleted, err := r.deleteHPA(ctx, so, name)
	if err != nil {
		return ctrl.Result{}, err
	}
	if so.RestoresReplicas() {
		if deleted {
			return ctrl.Result{RequeueAfter: hpaGrace}, nil
		}
		if err := r.tryRestore(ctx, so, events.ScaledObjectDeleted); err != nil {
			return ctrl.Result{}, err
		}
	}
	before := so.DeepCopy()
	controllerutil.RemoveFinalizer(so, kedav1alpha1.Finalizer)
	if err := r.Client.Patch(ctx, so, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("removing finalizer: %w", err)
	}
	if so.Status.HpaName != "" {
		r.Events.Stopped(so, "Stopped scalers watch")
	}
	r.Events.Warn(so, events.ScaledObjectDeleted, "ScaledObject was deleted")
	return ctrl.Result{}, nil
}

// tryRestore restores the original replicas. What the user made impossible is an
// event of that reason and no error.
func (r *Reconciler) tryRestore(ctx context.Context, so *kedav1alpha1.ScaledObject, reason string) error {
	err := r.restore(ctx, so)
	var f *fault
	if errors.As(err, &f) {
		r.Events.Warn(so, reason, "The original replicas are not restored: "+f.message)
		return nil
	}
	return err
}

// restore gives the target the replicas it had before the object came: the one that
// these were seen of, which the spec may not name any more.
func (r *Reconciler) restore(ctx context.Context, so *kedav1alpha1.ScaledObject) error {
	original := so.Status.OriginalReplicaCount
	if original == nil {
		return nil
	}
	var tgt *target.Target
	if gvkr := so.Status.ScaleTargetGVKR; gvkr != nil && so.Status.ScaleTargetName != "" {
		tgt = r.Targets.At(so.Namespace, so.Status.ScaleTargetName, *gvkr)
	} else {
		var err error
		if tgt, err = r.Targets.Resolve(so.Namespace, &so.Spec.ScaleTargetRef); err != nil {
			return asFault(err)
		}
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
