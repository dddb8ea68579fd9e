// Package fallback finds what stands in for a trigger that cannot be read: a
// number of replicas, as spec.fallback says, and the metric's value that brings the
// HPA to it. Everything in it is a pure function.
//
// The fallback of one metric says nothing of the others: the HPA takes the most
// that any of them asks for, so that it never holds a workload below what the
// triggers that can be read want.
package fallback

import (
	"math"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
)

// Spec is what the user asked for. A nil Spec is no fallback.
type Spec struct {
	// Threshold is the number of failures in a row that are put up with: the
	// fallback holds from the next on.
	Threshold int32
	// Replicas is the count that the user then wants, and Behavior how the count
	// that the workload has matters to it.
	Replicas int32
	Behavior kedav1alpha1.FallbackBehavior
}

// Of is the fallback of an object.
func Of(so *kedav1alpha1.ScaledObject) *Spec {
	f := so.Spec.Fallback
	if f == nil {
		return nil
	}
	return &Spec{Threshold: f.FailureThreshold, Replicas: f.Replicas, Behavior: f.EffectiveBehavior()}
}

// Holds tells whether the fallback stands in for a trigger that failed so many
// times in a row.
func (s *Spec) Holds(failures int32) bool { return s != nil && failures > s.Threshold }

// ByFormula tells whether the formula sees a trigger that is stood in for as nil.
func (s *Spec) ByFormula() bool {
	return s != nil && s.Behavior == kedav1alpha1.FallbackBehaviorScalingModifiers
}

// NeedsCurrent tells whether Count depends on what the workload has.
func (s *Spec) NeedsCurrent() bool {
	switch s.Behavior {
	case kedav1alpha1.FallbackBehaviorCurrentReplicas, kedav1alpha1.FallbackBehaviorCurrentReplicasIfHigher,
		kedav1alpha1.FallbackBehaviorCurrentReplicasIfLower:
		return true
	case kedav1alpha1.FallbackBehaviorStatic, kedav1alpha1.FallbackBehaviorScalingModifiers:
	}
	return false
}

// Count is the replicas that the fallback asks for while the workload is asked to
// have current. With the behavior scalingModifiers it is for a formula that gives nil.
func (s *Spec) Count(current int32) int32 {
	switch s.Behavior {
	case kedav1alpha1.FallbackBehaviorCurrentReplicas:
		return current
	case kedav1alpha1.FallbackBehaviorCurrentReplicasIfHigher:
		return max(current, s.Replicas)
	case kedav1alpha1.FallbackBehaviorCurrentReplicasIfLower:
		return min(current, s.Replicas)
	case kedav1alpha1.FallbackBehaviorStatic, kedav1alpha1.FallbackBehaviorScalingModifiers:
	}
	return s.Replicas
}

// Target is what the HPA compares a metric with.
type Target struct {
	// Value is what one replica should handle, or with Total what all together
	// should.
	Value float64
	Total bool
}

// Number is the value of a metric with which the HPA arrives at count replicas, of a
// workload that is asked to have current.
//
// ready is how many of its pods are ready. It matters only with a target of type Value,
// which the HPA multiplies by the pods that it counts itself, at another moment. So the
// workload is held with the target itself, whatever is ready, once it has its count,
// and pods that are going away move it to neither side of the count. The error says
// that there is no pod to multiply.
func (t Target) Number(count, current, ready int32) (float64, error) {
	const milli = 1000 // the HPA compares thousandths
	target := math.Round(t.Value * milli)
	switch {
	case !t.Total:
		return target * float64(count) / milli, nil
	case count == current:
		return target / milli, nil
	case ready <= 0:
		return 0, scalers.UnavailableError("the fallback asks for %d replicas, but with a target of type Value it needs a pod that is ready", count)
	}
	if count < current {
		ready = min(ready, current)
	}
	number := math.Floor(target * float64(count) / float64(ready)) // rounded up, the HPA would add a replica
	if count < current {
		return min(number, target) / milli, nil
	}
	return max(number, target) / milli, nil
}
