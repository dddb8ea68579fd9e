package horizontal

import (
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// Outcome is the kind of a decision.
type Outcome string

// The outcomes of a decision.
const (
	// NoTarget: the target's scale could not be read.
	NoTarget Outcome = "NoTarget"
	// Disabled: the target has zero replicas and somebody else took it there.
	Disabled Outcome = "Disabled"
	// AboveMax: the target has more than the maximum, which is restored at once.
	AboveMax Outcome = "AboveMax"
	// BelowMin: the target has less than the minimum, which is restored at once.
	BelowMin Outcome = "BelowMin"
	// Failed: the metrics do not tell, so nothing changes.
	Failed Outcome = "Failed"
	// Computed: the metrics told, and the steps below were taken.
	Computed Outcome = "Computed"
)

// Decision is what the controller does in one sync, and each step on the way.
type Decision struct {
	Outcome Outcome
	// At is when it was made.
	At time.Time
	// Current is the count before, and Desired the count to have: equal when
	// nothing changes.
	Current, Desired int32
	// Rescaled tells whether the controller wrote the count.
	Rescaled bool
	// Metrics are the answers of all metrics in the order of the HPA, and Winner
	// the index of the one that the others lost to: -1 when there is none.
	Metrics []MetricStep
	Winner  int
	// Proposed is what the metrics ask for together, before any limit.
	Proposed int32
	// Stabilization and Limit are what became of it. They are zero unless Computed.
	Stabilization Stabilization
	Limit         Limit
	// Conditions are those that the controller writes in this sync, one of a
	// type. A type that is not among them keeps what was written before.
	Conditions []Condition
	// Err is what the controller complains of; with some metrics failing it may
	// still have Computed.
	Err error
}

// Condition is one of the HPA's status.
type Condition struct {
	Type   autoscalingv2.HorizontalPodAutoscalerConditionType
	Status bool
	Reason string
}
