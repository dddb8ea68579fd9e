package horizontal

import (
	"errors"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

var errNoMetrics = errors.New("the HPA has no metrics")

// measure asks every metric and takes the most that any asks for. While one fails
// the count may not go down, and when all do it stays.
func (r *round) measure() {
	if f := r.in.Selector; f != nil {
		r.fail(f.Reason, fmt.Errorf("reading the target's selector: %w", f.Err))
		return
	}
	if len(r.spec.Metrics) == 0 { // the API server does not let that be
		r.Outcome, r.Err = Failed, errNoMetrics
		return
	}
	r.Metrics = make([]MetricStep, len(r.spec.Metrics))
	most, first, broken := int32(0), -1, 0
	for i := range r.spec.Metrics {
		step := &r.Metrics[i]
		step.Metric = r.spec.Metrics[i]
		r.ask(step, r.reading(i))
		switch {
		case step.Err != nil:
			if broken++; first < 0 {
				first = i
			}
		case most == 0 || step.Desired > most:
			most, r.Winner = step.Desired, i
		}
	}
	if broken == len(r.Metrics) || broken > 0 && most < r.Current {
		r.judge(Overruled)
		r.Winner = -1
		r.fail(r.Metrics[first].Reason, r.complaint(first, broken))
		return
	}
	r.judge(Lost)
	if broken > 0 {
		r.Err = r.complaint(first, broken)
	}
	r.Proposed = max(most, 0)
	r.Desired = r.Proposed
	r.says(scalingActive, true, "ValidMetricFound")
}

// reading is that of a metric.
func (r *round) reading(i int) *Reading {
	if i < len(r.in.Readings) {
		return &r.in.Readings[i]
	}
	return &Reading{Err: errNoReading}
}

// judge says what became of each metric's answer: of those that are not the
// winner's it is as given, and when they are overruled the winner's is too.
func (r *round) judge(others Verdict) {
	for i := range r.Metrics {
		step := &r.Metrics[i]
		switch {
		case step.Err != nil:
			step.Verdict = Broken
		case i == r.Winner && others == Lost:
			step.Verdict = Won
		default:
			step.Verdict = others
			step.Short = max(r.Metrics[r.Winner].Desired, 0) - max(step.Desired, 0)
		}
	}
}

func (r *round) complaint(first, broken int) error {
	step := &r.Metrics[first]
	if broken == 1 && len(r.Metrics) == 1 {
		return fmt.Errorf("reading %s: %w", step.Metric.Name, step.Err)
	}
	return fmt.Errorf("reading %s (%d of %d metrics fail): %w", step.Metric.Name, broken, len(r.Metrics), step.Err)
}

// fail ends the round with the count as it is.
func (r *round) fail(reason string, err error) {
	r.Outcome, r.Err = Failed, err
	r.says(scalingActive, false, reason)
}

// ask computes what one metric asks for.
func (r *round) ask(step *MetricStep, reading *Reading) {
	switch step.Metric.Type {
	case autoscalingv2.ExternalMetricSourceType:
		step.Reason = "FailedGetExternalMetric"
		r.askTotal(step, reading)
	case autoscalingv2.ObjectMetricSourceType:
		step.Reason = "FailedGetObjectMetric"
		r.askTotal(step, reading)
	case autoscalingv2.PodsMetricSourceType:
		step.Reason = "FailedGetPodsMetric"
		r.askPods(step, reading)
	case autoscalingv2.ResourceMetricSourceType:
		step.Reason = "FailedGetResourceMetric"
		r.askPods(step, reading)
	case autoscalingv2.ContainerResourceMetricSourceType:
		step.Reason = "FailedGetContainerResourceMetric"
		r.askPods(step, reading)
	default:
		step.Reason, step.Err = "InvalidMetricSourceType", fmt.Errorf("a metric of type %q is unknown", step.Metric.Type)
	}
	if step.Err == nil {
		step.Reason = ""
	}
	if step.Ratio == 1 { // nothing to tolerate
		step.Untolerated = step.Desired
	}
}
