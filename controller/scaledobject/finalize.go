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
	"github.com/freshet-io/freshet/scalers/poll"
)

// hpaGrace is how long after its HPA the replicas of a target are restored, and how
// long they must stay so: a sync of the HPA that was under way writes once more, and
// wins any conflict.
const hpaGrace = time.Second

// finalize undoes what an object with the finalizer did: its HPA goes first, so that it does not
// work against the replicas that are restored. What the user made impossible,
// such as restoring a target that is gone, does not hold up the deletion.
func (r *Reconciler) finalize(ctx context.Context, so *kedav1alpha1.ScaledObject) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(so, kedav1alpha1.Finalizer) {
		return ctrl.Result{}, nil // others hold it back: gone.go sees it off
	}
	deleted, err := r.deleteHPA(ctx, so, hpaName(so))
	if err != nil {
		return ctrl.Result{}, err
	}
	if so.RestoresReplicas() {
		if deleted {
			return ctrl.Result{RequeueAfter: hpaGrace}, nil
		}
		restored, err := r.tryRestore(ctx, so, events.ScaledObjectDeleted)
		if err != nil {
			return ctrl.Result{}, err
		}
		if wait := r.stays(Key(client.ObjectKeyFromObject(so)), restored, time.Now()); wait > 0 {
			return ctrl.Result{RequeueAfter: wait}, nil
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

// hpaName is that of the HPA that the object has.
func hpaName(so *kedav1alpha1.ScaledObject) string {
	if name := so.Status.HpaName; name != "" {
		return name
	}
	return so.HPAName()
}

// stays tells how long to wait until replicas that were restored are known to stay;
// they were now, or when it was asked before.
func (r *Reconciler) stays(key poll.Key, restored bool, now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if restored {
		if r.restored == nil {
			r.restored = map[poll.Key]time.Time{}
		}
		r.restored[key] = now
	}
	at, ok := r.restored[key]
	wait := hpaGrace - now.Sub(at)
	if !ok || wait <= 0 {
		delete(r.restored, key)
		return 0
	}
	return wait
}

// tryRestore restores the original replicas, and tells whether they were others.
// What the user made impossible is an event of that reason and no error.
func (r *Reconciler) tryRestore(ctx context.Context, so *kedav1alpha1.ScaledObject, reason string) (restored bool, err error) {
	restored, err = r.restore(ctx, so)
	var f *fault
	if errors.As(err, &f) {
		r.Events.Warn(so, reason, "The original replicas are not restored: "+f.message)
		return false, nil
	}
	return restored, err
}

// restore gives the target the replicas it had before the object came: the one that
// these were seen of, which the spec may not name any more. It tells whether it had
// others.
func (r *Reconciler) restore(ctx context.Context, so *kedav1alpha1.ScaledObject) (restored bool, err error) {
	original := so.Status.OriginalReplicaCount
	if original == nil {
		return false, nil
	}
	var tgt *target.Target
	if gvkr := so.Status.ScaleTargetGVKR; gvkr != nil && so.Status.ScaleTargetName != "" {
		tgt = r.Targets.At(so.Namespace, so.Status.ScaleTargetName, *gvkr)
	} else {
		if tgt, err = r.Targets.Resolve(so.Namespace, &so.Spec.ScaleTargetRef); err != nil {
			return false, asFault(err)
		}
	}
	live, err := tgt.Scale(ctx)
	if err != nil {
		return false, asFault(err)
	}
	if live.Spec.Replicas == *original {
		return false, nil
	}
	if err := tgt.SetScale(ctx, live, *original); err != nil {
		if apierrors.IsInvalid(err) {
			return false, faultf("%v", err)
		}
		return false, asFault(err)
	}
	return true, nil
}
