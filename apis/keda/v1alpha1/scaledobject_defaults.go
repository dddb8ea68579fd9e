package v1alpha1

import (
	"fmt"
	"math"
	"strconv"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// What optional fields amount to when they are left out.
const (
	DefaultPollingInterval       = 30 * time.Second
	DefaultCooldownPeriod        = 300 * time.Second
	DefaultInitialCooldownPeriod = 0 * time.Second

	DefaultMinReplicaCount int32 = 0
	DefaultMaxReplicaCount int32 = 100
)

// PollingInterval is the time from the start of one read of the triggers to the start of the next.
func (so *ScaledObject) PollingInterval() time.Duration {
	return secondsOr(so.Spec.PollingInterval, DefaultPollingInterval)
}

// CooldownPeriod is how long the object stays up after it was last active.
func (so *ScaledObject) CooldownPeriod() time.Duration {
	return secondsOr(so.Spec.CooldownPeriod, DefaultCooldownPeriod)
}

// InitialCooldownPeriod is how long the object stays up after its creation while it has never been active.
func (so *ScaledObject) InitialCooldownPeriod() time.Duration {
	return secondsOr(so.Spec.InitialCooldownPeriod, DefaultInitialCooldownPeriod)
}

// MinReplicas is the lower bound of replicas while the object is active, and while it is not if IdleReplicas is nil.
func (so *ScaledObject) MinReplicas() int32 {
	return valueOr(so.Spec.MinReplicaCount, DefaultMinReplicaCount)
}

// MaxReplicas is the upper bound of replicas.
func (so *ScaledObject) MaxReplicas() int32 {
	return valueOr(so.Spec.MaxReplicaCount, DefaultMaxReplicaCount)
}

// IdleReplicas is the number of replicas while the object is not active, or nil when that is MinReplicas. The caller
// may keep the pointer.
func (so *ScaledObject) IdleReplicas() *int32 {
	if so.Spec.IdleReplicaCount == nil {
		return nil
	}
	return new(*so.Spec.IdleReplicaCount)
}

// HPAMinReplicas is the minimum of the HorizontalPodAutoscaler, which never holds a workload at zero: MinReplicas, but
// at least 1.
func (so *ScaledObject) HPAMinReplicas() int32 {
	return max(1, so.MinReplicas())
}

// HPAName is the name of the HorizontalPodAutoscaler that the spec asks for. The one in use may still be another, and
// is named by status.hpaName.
func (so *ScaledObject) HPAName() string {
	if hpa := so.hpaConfig(); hpa != nil && hpa.Name != "" {
		return hpa.Name
	}
	return DefaultHPAName(so.Name)
}

// HPABehavior is a copy of the behavior that the spec gives the HorizontalPodAutoscaler, or nil.
func (so *ScaledObject) HPABehavior() *autoscalingv2.HorizontalPodAutoscalerBehavior {
	if hpa := so.hpaConfig(); hpa != nil {
		return hpa.Behavior.DeepCopy()
	}
	return nil
}

// RestoresReplicas reports whether the workload gets its original replicas back when the object is deleted.
func (so *ScaledObject) RestoresReplicas() bool {
	return so.Spec.Advanced != nil && so.Spec.Advanced.RestoreToOriginalReplicaCount
}

// ScalingModifiers is the formula and what goes with it, or nil when the object has none. A block without a single
// field set is none.
func (so *ScaledObject) ScalingModifiers() *ScalingModifiers {
	if so.Spec.Advanced == nil || so.Spec.Advanced.ScalingModifiers == nil {
		return nil
	}
	if *so.Spec.Advanced.ScalingModifiers == (ScalingModifiers{}) {
		return nil
	}
	return so.Spec.Advanced.ScalingModifiers
}

// OnlyResourceTriggers reports whether all triggers are cpu or memory, so that there is nothing that could wake the
// workload from zero.
func (so *ScaledObject) OnlyResourceTriggers() bool {
	for i := range so.Spec.Triggers {
		if !so.Spec.Triggers[i].IsResource() {
			return false
		}
	}
	return len(so.Spec.Triggers) > 0
}

func (so *ScaledObject) hpaConfig() *HorizontalPodAutoscalerConfig {
	if so.Spec.Advanced == nil {
		return nil
	}
	return so.Spec.Advanced.HorizontalPodAutoscalerConfig
}

// EffectiveMetricType is how the result compares with the target: what the block says, or AverageValue.
func (m *ScalingModifiers) EffectiveMetricType() autoscalingv2.MetricTargetType {
	if m.MetricType == "" {
		return autoscalingv2.AverageValueMetricType
	}
	return m.MetricType
}

// TargetValue is the target as a number. It fails unless that is above 0 and finite.
func (m *ScalingModifiers) TargetValue() (float64, error) {
	target, err := finite(m.Target)
	if err != nil {
		return 0, fmt.Errorf("reading target of scalingModifiers: %w", err)
	}
	if target <= 0 {
		return 0, fmt.Errorf("reading target of scalingModifiers: %s is not above 0", m.Target)
	}
	return target, nil
}

// ActivationTargetValue is the activationTarget as a number, 0 when left out. It fails unless that is finite.
func (m *ScalingModifiers) ActivationTargetValue() (float64, error) {
	if m.ActivationTarget == "" {
		return 0, nil
	}
	target, err := finite(m.ActivationTarget)
	if err != nil {
		return 0, fmt.Errorf("reading activationTarget of scalingModifiers: %w", err)
	}
	return target, nil
}

// EffectiveBehavior is how the fallback finds its number of replicas: what it says, or static.
func (f *Fallback) EffectiveBehavior() FallbackBehavior {
	if f.Behavior == "" {
		return FallbackBehaviorStatic
	}
	return f.Behavior
}

// valueOr is the number pointed at, or the one to use when there is none.
func valueOr(have *int32, otherwise int32) int32 {
	if have == nil {
		return otherwise
	}
	return *have
}

// secondsOr is the number of seconds pointed at, or the duration to use when there is none.
func secondsOr(have *int32, otherwise time.Duration) time.Duration {
	if have == nil {
		return otherwise
	}
	return time.Duration(*have) * time.Second
}

// finite reads a decimal number that is neither infinite nor NaN.
func finite(text string) (float64, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, err
	}
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, fmt.Errorf("%s is not a finite number", text)
	}
	return n, nil
}
