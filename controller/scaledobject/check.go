package scaledobject

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/target"
	"github.com/freshet-io/freshet/metricsadapter/rules"
)

// fault is something the user has to change; its text says what.
type fault struct {
	message string
	// reason is of the Ready condition; "" is ScaledObjectCheckFailed.
	reason string
}

// Error says what to change.
func (f *fault) Error() string { return f.message }

func faultf(format string, args ...any) *fault { return &fault{message: fmt.Sprintf(format, args...)} }

// uncounted is an error of reading the target's replicas that nobody has to mend.
type uncounted struct{ error }

// Unwrap returns what happened.
func (u uncounted) Unwrap() error { return u.error }

// adopt marks an object that has replicas to restore with the finalizer. Others have
// none: their HPA goes with them. See gone.go.
func (r *Reconciler) adopt(ctx context.Context, so *kedav1alpha1.ScaledObject) error {
	if !so.RestoresReplicas() {
		return nil
	}
	before := so.DeepCopy()
	if !controllerutil.AddFinalizer(so, kedav1alpha1.Finalizer) {
		return nil
	}
	if err := r.Client.Patch(ctx, so, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("adding finalizer: %w", err)
	}
	return nil
}

// check finds the target and refuses what cannot work.
func (r *Reconciler) check(ctx context.Context, so *kedav1alpha1.ScaledObject) (*target.Target, error) {
	if faults := so.Validate(); len(faults) > 0 {
		return nil, faultf("%v", faults.ToAggregate())
	}
	tgt, err := r.Targets.Resolve(so.Namespace, &so.Spec.ScaleTargetRef)
	if err != nil {
		return nil, asFault(err)
	}
	rival, err := r.rival(ctx, so, tgt)
	if err != nil {
		return nil, err
	}
	if rival != "" {
		return nil, faultf("%s is already scaled by ScaledObject %s: two cannot share a target, so delete one of them", tgt, rival)
	}
	return tgt, nil
}

// asFault makes what is wrong with a target a fault.
func asFault(err error) error {
	var e *target.Error
	if errors.As(err, &e) {
		return faultf("%v", e)
	}
	return err
}

// rival names an older ScaledObject with the same target, or nothing.
func (r *Reconciler) rival(ctx context.Context, so *kedav1alpha1.ScaledObject, tgt *target.Target) (string, error) {
	var same kedav1alpha1.ScaledObjectList
	err := r.Client.List(ctx, &same, client.InNamespace(so.Namespace),
		client.MatchingFields{TargetIndex: TargetKey(tgt.GVKR.Group, tgt.GVKR.Kind, tgt.Name)})
	if err != nil {
		return "", fmt.Errorf("listing ScaledObjects of %s: %w", tgt, err)
	}
	for i := range same.Items {
		if other := &same.Items[i]; other.UID != so.UID && older(other, so) {
			return other.Name, nil
		}
	}
	return "", nil
}

func older(a, b *kedav1alpha1.ScaledObject) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}

// observe reads the target's replicas, and keeps those it had when it was seen
// for the first time.
func (r *Reconciler) observe(ctx context.Context, so *kedav1alpha1.ScaledObject, tgt *target.Target) (int32, error) {
	replicas, err := tgt.Replicas(ctx)
	if err != nil {
		var f *fault
		if err = asFault(err); errors.As(err, &f) {
			return 0, err
		}
		return 0, uncounted{err}
	}
	if so.Status.OriginalReplicaCount == nil {
		so.Status.OriginalReplicaCount = &replicas
	}
	return replicas, nil
}

// hopeless is a fault when there is nothing to scale on: no trigger can be read and
// there is no fallback, or the formula cannot be used.
func hopeless(so *kedav1alpha1.ScaledObject, triggers []*trigger, ru *rules.Rules) error {
	if ru != nil && ru.CompositeErr != nil {
		return faultf("spec.advanced.scalingModifiers: %v", ru.CompositeErr)
	}
	if so.Spec.Fallback != nil {
		return nil
	}
	var messages []string
	for _, t := range triggers {
		if t.err == nil {
			return nil
		}
		messages = append(messages, t.err.Error())
	}
	return faultf("%s", strings.Join(messages, "; "))
}
