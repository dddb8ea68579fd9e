package horizontal

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Input is what the controller reads in one sync.
type Input struct {
	// Replicas is the count that the target is asked to have (its scale's
	// spec.replicas), and StatusReplicas the count it has (status.replicas).
	Replicas, StatusReplicas int32
	// ScaledToZero is the HPA's condition: it was this HPA that went to zero.
	ScaledToZero bool
	// ScaleErr says why the target's scale could not be read.
	ScaleErr error
	// Selector, when set, says what is wrong with the target's selector.
	Selector *SelectorFault
	// Readings are those of Spec.Metrics, in the same order. One that is not
	// there is as one that failed.
	Readings []Reading
	// Pods are those that the target's selector finds. Only metrics that count
	// pods look at them: all but External and Object with an AverageValue.
	Pods []Pod
	// WriteErr says why the new count could not be written, when it could not.
	WriteErr error
}

// SelectorFault is a selector for which no metric is computed.
type SelectorFault struct {
	// Reason is that of the condition: InvalidSelector or AmbiguousSelector.
	Reason string
	// Err says more.
	Err error
}

// Reading is what was read of one metric.
type Reading struct {
	// Err says why there is none.
	Err error
	// Values are thousandths: one for each series of an External metric, one of
	// an Object metric.
	Values []int64
	// Pods are the values by the names of pods: of Pods, Resource and
	// ContainerResource metrics. A pod that is not there is missing.
	Pods map[string]PodValue
	// Requests are the resource requests by the names of pods, in thousandths,
	// and RequestsErr why they cannot be told: of a Utilization.
	Requests    map[string]int64
	RequestsErr error
	// At is when the values were measured, where that is known. No decision looks
	// at it: the controller does not mind old values.
	At time.Time
}

// PodValue is the value of one pod.
type PodValue struct {
	// Milli is in thousandths.
	Milli int64
	// At is the end of the time it was measured over, and Window that time.
	At     time.Time
	Window time.Duration
}

// Pod is what the controller wants to know of a pod.
type Pod struct {
	Name     string
	Phase    corev1.PodPhase
	Deleting bool
	// Start is when the kubelet saw it first; zero is not yet.
	Start time.Time
	// Ready is its condition; empty when it has none. ReadySince is when that
	// last changed.
	Ready      corev1.ConditionStatus
	ReadySince time.Time
}
