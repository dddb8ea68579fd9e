package scaledobject

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/events"
)

// finalize undoes what an object with the finalizer did: its HPA goes first, so that
// it does not work against the replicas that are restored. What the user made
// impossible, such as restoring a target that is gone, does not hold up the deletion.
func (r *Reconciler) finalize(ctx context.Context, so *kedav1alpha1.ScaledObject) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(so, kedav1alpha1.Finalizer) {
		return ctrl.Result{}, nil // others hold it back: gone.go sees it off
	}
	deleted, err := r.deleteHPAs(ctx, so)
	if err != nil {
		return ctrl.Result{}, err
	}
	if so.RestoresReplicas() {
		if wait, err := r.giveBack(ctx, so, deleted, events.ScaledObjectDeleted); err != nil || wait > 0 {
			return ctrl.Result{RequeueAfter: wait}, err
		}
	}
	before := so.DeepCopy()
	controllerutil.RemoveFinalizer(so, kedav1alpha1.Finalizer)
	r.letGo(so) // before it is gone
	if err := r.Client.Patch(ctx, so, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("removing finalizer: %w", err)
	}
	r.sayFarewell(so)
	return ctrl.Result{}, nil
}
