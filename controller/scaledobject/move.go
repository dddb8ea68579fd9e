package scaledobject

import (
	"context"
	"time"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/controller/target"
)

// move turns the object to its target. One that it scaled before is left as on
// deletion: its replicas stay, or are restored once no HPA works against that, for
// which the object is to be looked at again after wait. The original replicas are
// then those of the new target.
func (r *Reconciler) move(ctx context.Context, so *kedav1alpha1.ScaledObject, tgt *target.Target) (wait time.Duration, err error) {
	if moved(so, tgt) {
		if so.RestoresReplicas() {
			deleted, err := r.deleteHPAs(ctx, so)
			if err != nil {
				return 0, err
			}
			if wait, err := r.giveBack(ctx, so, deleted, events.ScaledObjectCheckFailed); err != nil || wait > 0 {
				return wait, err
			}
		}
		so.Status.OriginalReplicaCount = nil
	}
	so.Status.ScaleTargetGVKR, so.Status.ScaleTargetName = &tgt.GVKR, tgt.Name
	so.Status.ScaleTargetKind = tgt.GVKR.String()
	return 0, nil
}

// moved tells whether the object scaled another workload before.
func moved(so *kedav1alpha1.ScaledObject, tgt *target.Target) bool {
	old := so.Status.ScaleTargetGVKR
	if old == nil || so.Status.ScaleTargetName == "" {
		return false
	}
	return old.Group != tgt.GVKR.Group || old.Kind != tgt.GVKR.Kind || so.Status.ScaleTargetName != tgt.Name
}
