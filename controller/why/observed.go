package why

import (
	"fmt"
	"math"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"

	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/controller/horizontal"
)

// Proposed is what the metrics in the HPA's status ask for together, before any
// window or bound; ok is false while they do not tell. The triggers of the facts say
// exactly what the status only has as an average.
func Proposed(f *Facts) (n int32, ok bool) {
	if f.HPA.Status.CurrentReplicas == 0 {
		return 0, false
	}
	d, _ := observe(f)
	return d.Proposed, d.Outcome == horizontal.Computed
}

// observe runs the HPA's algorithm on what its status says that it read.
func observe(f *Facts) (horizontal.Decision, *horizontal.Spec) {
	seen := *f
	seen.Target.Replicas, seen.Cursory, seen.Formula = &f.HPA.Status.CurrentReplicas, true, nil
	seen.Triggers = nil
	for i := range f.HPA.Spec.Metrics {
		m := &f.HPA.Spec.Metrics[i]
		if m.External == nil {
			continue
		}
		t := Trigger{Metric: m.External.Metric.Name, Err: "the HPA tells no value"}
		if current := statusOf(f.HPA, m); current != nil {
			t.Known, t.Err = true, ""
			t.Value = used(current, f.metric(m.External.Metric.Name), f.HPA.Status.CurrentReplicas)
		}
		seen.Triggers = append(seen.Triggers, t)
	}
	x := expect(&seen)
	return x.decision, x.spec
}

// used is the value that the HPA read. Its status has the average of the replicas,
// rounded up to a thousandth: what is known of the trigger is taken if that fits,
// else a whole number that does.
func used(current *autoscalingv2.MetricValueStatus, t *Trigger, replicas int32) float64 {
	if current.AverageValue == nil {
		if current.Value == nil {
			return 0
		}
		return current.Value.AsApproximateFloat64()
	}
	n := float64(max(1, replicas))
	most := float64(current.AverageValue.MilliValue()) * n / milli
	least := most - n/milli
	fits := func(v float64) bool { return v > least && v <= most }
	if t != nil {
		if v, ok := t.given(); ok && fits(v) {
			return v
		}
	}
	if whole := math.Floor(most); fits(whole) {
		return whole
	}
	return most
}

// Observed is the decision that the HPA's status tells of, with what it was made of
// as far as that can be told. ok is false when there is none: at zero replicas.
func Observed(f *Facts) (d whyv1alpha1.Decision, ok bool) {
	status := &f.HPA.Status
	if status.CurrentReplicas == 0 && status.DesiredReplicas == 0 {
		return d, false
	}
	d = whyv1alpha1.Decision{By: whyv1alpha1.MakerHPA, Outcome: "Held", From: status.CurrentReplicas, To: status.DesiredReplicas}
	d.At.Time = f.Now
	switch {
	case d.To > d.From:
		d.Outcome = "ScaledUp"
	case d.To < d.From:
		d.Outcome = "ScaledDown"
	}
	if failed := condition(f.HPA, autoscalingv2.ScalingActive); failed != nil && failed.Status == corev1.ConditionFalse {
		d.Outcome, d.Why = failed.Reason, failed.Message
		return d, true
	}
	computed, spec := observe(f)
	if steps := Steps(spec, &computed); len(steps) > 1 { // one step is the sentence
		d.Steps = steps
	}
	for i := range computed.Metrics {
		d.Inputs = append(d.Inputs, inputSeen(f, &computed.Metrics[i]))
	}
	d.Why = sentence(spec, &computed)
	if computed.Outcome == horizontal.Computed && computed.Desired != d.To {
		d.Why += fmt.Sprintf("; by what is known here it would be %d", computed.Desired)
	}
	return d, true
}

// sentence is what led to the decision: the metric that decided, and what became of
// its answer.
func sentence(spec *horizontal.Spec, d *horizontal.Decision) string {
	steps := Steps(spec, d)
	if len(steps) == 0 {
		return "nothing was computed"
	}
	last := steps[len(steps)-1]
	if d.Outcome != horizontal.Computed || d.Winner < 0 {
		return last.Why
	}
	said := Asks(spec, &d.Metrics[d.Winner])
	if last.Stage == "window" || last.Stage == "limit" {
		said += "; " + last.Why
	}
	return said
}

func inputSeen(f *Facts, m *horizontal.MetricStep) whyv1alpha1.Input {
	in := whyv1alpha1.Input{
		Metric: m.Metric.Name, Target: float64(m.Metric.Target.Milli) / milli, Asks: m.Desired,
		Total: m.Metric.Target.Type == autoscalingv2.ValueMetricType,
	}
	switch {
	case m.Err != nil:
		in.Error = m.Err.Error()
		return in
	case m.Metric.Target.Type == autoscalingv2.UtilizationMetricType:
		in.Target = float64(m.Metric.Target.Percent)
		in.Value = new(float64(m.Utilization))
	default:
		in.Value = new(float64(m.Usage) / milli)
	}
	if t := f.metric(m.Metric.Name); t != nil {
		in.StandIn = t.StandIn != nil
		if v, ok := t.given(); ok && v == *in.Value && !t.At.IsZero() {
			in.AgeSeconds = max(0, f.Now.Sub(t.At).Seconds())
		}
	}
	return in
}

func condition(hpa *autoscalingv2.HorizontalPodAutoscaler, kind autoscalingv2.HorizontalPodAutoscalerConditionType) *autoscalingv2.HorizontalPodAutoscalerCondition {
	for i := range hpa.Status.Conditions {
		if hpa.Status.Conditions[i].Type == kind {
			return &hpa.Status.Conditions[i]
		}
	}
	return nil
}

// LongestWindow is how far back the HPA looks on what was asked for.
func LongestWindow(hpa *autoscalingv2.HorizontalPodAutoscaler) time.Duration {
	longest := horizontal.DefaultSettings().DownscaleStabilization
	if b := hpa.Spec.Behavior; b != nil {
		for _, r := range []*autoscalingv2.HPAScalingRules{b.ScaleUp, b.ScaleDown} {
			if r != nil && r.StabilizationWindowSeconds != nil {
				longest = max(longest, time.Duration(*r.StabilizationWindowSeconds)*time.Second)
			}
		}
	}
	return longest
}
