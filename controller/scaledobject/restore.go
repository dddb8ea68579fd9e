package scaledobject

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/target"
	"github.com/freshet-io/freshet/scalers/poll"
)

const (
	// hpaGrace is how long after its HPA the replicas of a target are restored: a sync
	// of the HPA that was under way writes once more, and wins any conflict.
	hpaGrace = time.Second
	// steady is how long replicas must be seen to be the original ones until they are
	// taken to stay so: that last write may come later than it should.
	steady = 3 * time.Second
)

// keepOriginal has the status say how many replicas the target had, before anything is
// done to it: what happens in between, such as a crash or the deletion of the object,
// must not make a count of ours the original one. before is the object as the API
// server has it, also afterwards.
func (r *Reconciler) keepOriginal(ctx context.Context, before, so *kedav1alpha1.ScaledObject, tgt *target.Target) error {
	if before.Status.OriginalReplicaCount != nil && !moved(before, tgt) {
		return nil
	}
	if err := r.patchStatus(ctx, before, so); err != nil {
		return err
	}
	so.DeepCopyInto(before)
	return nil
}

// giveBack restores the original replicas of the target once no HPA works against that,
// and tells how long to wait until the next look; 0 is that they stay. deleted tells
// that the HPA was there until now. What the user made impossible is an event of that
// reason and no error.
func (r *Reconciler) giveBack(ctx context.Context, so *kedav1alpha1.ScaledObject, deleted bool, reason string) (wait time.Duration, err error) {
	switch {
	case so.Status.OriginalReplicaCount == nil: // nothing was done to it
		return 0, nil
	case deleted:
		return hpaGrace, nil
	}
	restored, err := r.restore(ctx, so)
	var f *fault
	switch {
	case errors.As(err, &f):
		r.Events.Warn(so, reason, "The original replicas are not restored: "+f.message)
		return 0, nil
	case err != nil:
		return 0, err
	}
	return r.stays(Key(client.ObjectKeyFromObject(so)), restored, time.Now()), nil
}

// stays tells how long to wait until the original replicas are looked at again; 0 is
// that they were seen for long enough. restored tells that they had to be written now.
func (r *Reconciler) stays(key poll.Key, restored bool, now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.restored == nil {
		r.restored = map[poll.Key]time.Time{}
	}
	at, ok := r.restored[key]
	if restored || !ok {
		at = now
		r.restored[key] = now
	}
	wait := steady - now.Sub(at)
	if wait <= 0 {
		delete(r.restored, key)
		return 0
	}
	return min(wait, hpaGrace)
}

// forgetRestored is for an object that is gone, however that came about.
func (r *Reconciler) forgetRestored(key poll.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.restored, key)
}

// restore gives the target the replicas it had before the object came: the one that
// these were seen of, which the spec may not name any more. It tells whether it had
// others.
func (r *Reconciler) restore(ctx context.Context, so *kedav1alpha1.ScaledObject) (restored bool, err error) {
	original := so.Status.OriginalReplicaCount
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
