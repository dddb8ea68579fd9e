package horizontal

import (
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// Settings are the flags of the HPA controller, for all HPAs of a cluster.
type Settings struct {
	// Tolerance is how far a metric may be from its target, as a share of it.
	Tolerance float64
	// DownscaleStabilization is the scale-down window of HPAs that set none.
	DownscaleStabilization time.Duration
	// CPUInitialization is how long after its start a pod's cpu usage counts
	// only once the pod is ready.
	CPUInitialization time.Duration
	// InitialReadinessDelay is how long after its start an unready pod counts as
	// one that never was ready.
	InitialReadinessDelay time.Duration
}

// DefaultSettings are those of a kube-controller-manager without flags for them.
func DefaultSettings() Settings {
	return Settings{
		Tolerance:              0.1,
		DownscaleStabilization: 5 * time.Minute,
		CPUInitialization:      5 * time.Minute,
		InitialReadinessDelay:  30 * time.Second,
	}
}

// Spec is what an HPA asks for, with all defaults filled in. [SpecOf] makes it.
type Spec struct {
	// Min and Max bound the replicas.
	Min, Max int32
	// Metrics are in the order of the HPA.
	Metrics []Metric
	// Up and Down are the rules for one direction each; nil, both of them, in an
	// HPA without a behavior, for which simpler rules hold: no window and at
	// most max(4, twice as many) up, and down the controller's window alone.
	Up, Down *Rules
	// ToleranceUp and ToleranceDown are how far above and below its target a
	// metric may be without a change.
	ToleranceUp, ToleranceDown float64
	// Settings are the controller's.
	Settings Settings
}

// Rules are a behavior in one direction.
type Rules struct {
	// Window is the stabilization window.
	Window time.Duration
	// Select chooses among what the policies allow: Max is the largest change,
	// Min the smallest, Disabled none at all.
	Select autoscalingv2.ScalingPolicySelect
	// Policies each allow a change in a period.
	Policies []Policy
}

// Policy allows a change of so many pods, or of such a percentage, in a period.
type Policy struct {
	Type   autoscalingv2.HPAScalingPolicyType
	Value  int32
	Period time.Duration
}

// Metric is one metric of an HPA and its target.
type Metric struct {
	// Type says where its values come from.
	Type autoscalingv2.MetricSourceType
	// Name is the metric's, or with a resource the resource's.
	Name string
	// Container is set in a ContainerResource metric.
	Container string
	// Target says what the usage is compared with.
	Target Target
}

// Target is one of three.
type Target struct {
	// Type: Value is compared with the usage of all, AverageValue with the usage
	// of one replica, Utilization with the usage in percent of the request.
	// Empty is a target that was not set, which fails.
	Type autoscalingv2.MetricTargetType
	// Milli is the target in thousandths, of a Value and an AverageValue.
	Milli int64
	// Percent is that of a Utilization.
	Percent int32
}

// ScalesToZero tells whether the HPA may scale to zero with these metrics and
// know how to come back.
func (s *Spec) ScalesToZero() bool {
	for i := range s.Metrics {
		if t := s.Metrics[i].Type; t == autoscalingv2.ObjectMetricSourceType || t == autoscalingv2.ExternalMetricSourceType {
			return true
		}
	}
	return false
}
