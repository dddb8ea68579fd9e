package horizontal

import (
	"errors"
	"math"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
)

var (
	errNoReading = errors.New("it was not read")
	errNoTarget  = errors.New("it has no target")
	errNoValues  = errors.New("the answer has no values")
	errNoPods    = errors.New("the target's selector finds no pods")
)

// tolerates tells whether a ratio is too close to 1 for a change.
func (s *Spec) tolerates(ratio float64) bool {
	return 1-s.ToleranceDown <= ratio && ratio <= 1+s.ToleranceUp
}

// askTotal computes a metric whose value is that of all replicas together.
func (r *round) askTotal(step *MetricStep, reading *Reading) {
	t := step.Metric.Target
	switch {
	case t.Type != autoscalingv2.ValueMetricType && t.Type != autoscalingv2.AverageValueMetricType:
		step.Err = errNoTarget
	case reading.Err != nil:
		step.Err = reading.Err
	case len(reading.Values) == 0:
		step.Err = errNoValues
	case t.Type == autoscalingv2.ValueMetricType:
		step.Usage = total(step.Metric.Type, false, reading.Values)
		r.askValue(step)
	default:
		step.Usage = total(step.Metric.Type, true, reading.Values)
		r.askAverage(step)
	}
}

// total adds up the series of an External metric; an Object metric has one. Sums
// beyond what fits are the most that does. The controller takes a negative sum of
// an AverageValue for one of these, so that it asks for all there is.
func total(kind autoscalingv2.MetricSourceType, average bool, values []int64) int64 {
	if kind == autoscalingv2.ObjectMetricSourceType {
		return values[0]
	}
	sum := int64(0)
	for _, v := range values {
		over := v > 0 && sum > math.MaxInt64-v
		if sum += v; over || average && sum < 0 {
			return math.MaxInt64
		}
	}
	return sum
}

// askValue compares the usage with a target for all replicas: the pods that are
// ready bear it now, and so many times as many could.
func (r *round) askValue(step *MetricStep) {
	step.Ratio = float64(step.Usage) / float64(step.Metric.Target.Milli)
	if r.Current == 0 {
		step.Desired = int32(math.Ceil(step.Ratio))
		step.Untolerated = step.Desired
		return
	}
	step.Tolerated = r.spec.tolerates(step.Ratio)
	if len(r.in.Pods) == 0 {
		step.Desired, step.Untolerated = r.Current, r.Current
		if !step.Tolerated {
			step.Err = errNoPods
		}
		return
	}
	pods := &PodStep{}
	for i := range r.in.Pods {
		if p := &r.in.Pods[i]; p.Phase == corev1.PodRunning && p.Ready == corev1.ConditionTrue {
			pods.Ready++
		}
	}
	step.Pods = pods
	step.Untolerated = capped(step.Ratio * float64(pods.Ready))
	if step.Desired = step.Untolerated; step.Tolerated {
		step.Desired = r.Current
	}
}

// askAverage compares the usage with a target for one replica.
func (r *round) askAverage(step *MetricStep) {
	target, replicas := float64(step.Metric.Target.Milli), r.in.StatusReplicas
	usage := float64(step.Usage)
	step.Ratio = usage / (target * float64(replicas))
	step.Tolerated = r.spec.tolerates(step.Ratio)
	if step.Metric.Type == autoscalingv2.ExternalMetricSourceType {
		step.Untolerated = capped(usage / target)
	} else {
		step.Untolerated = int32(math.Ceil(usage / target))
	}
	if step.Desired = step.Untolerated; step.Tolerated {
		step.Desired = replicas
	}
	if step.Metric.Type == autoscalingv2.ExternalMetricSourceType && usage >= math.MaxInt64 {
		step.Average = math.MaxInt64
	} else {
		step.Average = int64(math.Ceil(usage / float64(replicas)))
	}
}

// capped rounds up to a count that there can be.
func capped(replicas float64) int32 {
	if replicas > math.MaxInt32 {
		return math.MaxInt32
	}
	return int32(math.Ceil(replicas))
}
