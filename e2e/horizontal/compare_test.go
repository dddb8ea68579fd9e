package horizontal

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	ours "github.com/freshet-io/freshet/controller/horizontal"
)

// compare holds what the controller did, which had the HPA at was, to what we
// decided. It returns what differs.
func (l *life) compare(was *autoscalingv2.HorizontalPodAutoscalerStatus) []string {
	var faults []string
	expect := func(what string, got, want any) {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			faults = append(faults, fmt.Sprintf("%s: the controller has %v, we have %v", what, got, want))
		}
	}
	d, status := &l.decision, &l.hpa.Status
	replicas := l.input.Replicas
	if d.Rescaled {
		replicas = d.Desired
	}
	expect("replicas", l.server.scale.Spec.Replicas, replicas)
	expect("metrics that were asked for", l.server.asked, len(d.Metrics))
	scaled := status.LastScaleTime != nil && status.LastScaleTime.Time.Equal(d.At)
	expect("that it scaled", scaled, d.Rescaled)
	current, desired := statusReplicas(d, was)
	expect("status.currentReplicas", status.CurrentReplicas, current)
	expect("status.desiredReplicas", status.DesiredReplicas, desired)
	if d.Outcome == ours.Computed || d.Outcome == ours.Failed && l.input.Selector == nil {
		expect("status.currentMetrics", len(status.CurrentMetrics), len(d.Metrics))
		for i := range min(len(d.Metrics), len(status.CurrentMetrics)) {
			expect(fmt.Sprintf("metric %d", i), shown(&status.CurrentMetrics[i]), shownBy(&d.Metrics[i]))
		}
	}
	for _, c := range d.Conditions {
		l.told[c.Type] = c
	}
	expect("conditions", conditionsOf(status), toldOf(l.told))
	return faults
}

// statusReplicas are those that the HPA's status has after a decision.
func statusReplicas(d *ours.Decision, was *autoscalingv2.HorizontalPodAutoscalerStatus) (current, desired int32) {
	switch {
	case d.Outcome == ours.NoTarget:
		return was.CurrentReplicas, was.DesiredReplicas
	case d.Outcome == ours.Failed, d.Desired != d.Current && !d.Rescaled:
		return d.Current, was.DesiredReplicas
	default:
		return d.Current, d.Desired
	}
}

// shown is a metric in the HPA's status.
func shown(m *autoscalingv2.MetricStatus) string {
	var v autoscalingv2.MetricValueStatus
	switch m.Type {
	case autoscalingv2.ExternalMetricSourceType:
		v = m.External.Current
	case autoscalingv2.ObjectMetricSourceType:
		v = m.Object.Current
	case autoscalingv2.PodsMetricSourceType:
		v = m.Pods.Current
	case autoscalingv2.ResourceMetricSourceType:
		v = m.Resource.Current
	case autoscalingv2.ContainerResourceMetricSourceType:
		v = m.ContainerResource.Current
	default:
		return "fails"
	}
	text := []string{string(m.Type)}
	if v.Value != nil {
		text = append(text, "value "+sent(v.Value))
	}
	if v.AverageValue != nil {
		text = append(text, "average "+sent(v.AverageValue))
	}
	if v.AverageUtilization != nil {
		text = append(text, fmt.Sprint("percent ", *v.AverageUtilization))
	}
	return strings.Join(text, ", ")
}

// sent is a quantity as it arrives: what does not fit into one, as the average of no
// replicas, does not come through unchanged.
func sent(q *resource.Quantity) string {
	arrived, err := resource.ParseQuantity(q.String())
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(arrived.MilliValue(), "m")
}

// shownBy is the same of ours.
func shownBy(step *ours.MetricStep) string {
	if step.Err != nil {
		return "fails"
	}
	milli := func(n int64) string { return sent(resource.NewMilliQuantity(n, resource.DecimalSI)) }
	text := []string{string(step.Metric.Type)}
	switch step.Metric.Target.Type {
	case autoscalingv2.ValueMetricType:
		text = append(text, "value "+milli(step.Usage))
	case autoscalingv2.UtilizationMetricType:
		text = append(text, "average "+milli(step.Average), fmt.Sprint("percent ", step.Utilization))
	default:
		text = append(text, "average "+milli(step.Average))
	}
	return strings.Join(text, ", ")
}

func conditionsOf(status *autoscalingv2.HorizontalPodAutoscalerStatus) []string {
	var all []string
	for _, c := range status.Conditions {
		all = append(all, fmt.Sprint(c.Type, c.Status == corev1.ConditionTrue, c.Reason))
	}
	slices.Sort(all)
	return all
}

func toldOf(told map[autoscalingv2.HorizontalPodAutoscalerConditionType]ours.Condition) []string {
	var all []string
	for _, c := range told {
		all = append(all, fmt.Sprint(c.Type, c.Status, c.Reason))
	}
	slices.Sort(all)
	return all
}

// String is what a person wants to know of a sync that differs.
func (l *life) String() string {
	spec, _ := yaml.Marshal(l.written)
	return fmt.Sprintf("spec:\n%s\ninput: %+v\n\ndecision: %+v\n\nmemory: %+v", spec, l.input, l.decision, l.memory)
}

// sights counts what a run came across, so that it cannot pass for seeing nothing.
type sights map[string]int

func (s sights) add(d *ours.Decision) {
	s["outcome "+string(d.Outcome)]++
	switch {
	case d.Rescaled && d.Desired > d.Current:
		s["scaled up"]++
	case d.Rescaled:
		s["scaled down"]++
	}
	if d.Stabilization.Held != "" {
		s["held "+string(d.Stabilization.Held)]++
	}
	if d.Limit.Bound != "" {
		s["bound "+string(d.Limit.Bound)+string(d.Limit.Direction)]++
	}
	if d.Limit.Disabled {
		s["disabled direction"]++
	}
	if d.Limit.Raised {
		s["raised from zero"]++
	}
	if d.Rescaled && d.Desired == 0 {
		s["to zero"]++
	}
	if d.Rescaled && d.Current == 0 {
		s["from zero"]++
	}
	for _, m := range d.Metrics {
		s["verdict "+string(m.Verdict)]++
		if m.Tolerated {
			s["tolerated"]++
		}
		if m.Pods != nil && m.Pods.Guessed {
			s["guessed"]++
		}
		if m.Pods != nil && m.Pods.Turned {
			s["turned"]++
		}
	}
}

// expectAll fails the test when something was hardly seen.
func (s sights) expectAll(t *testing.T) {
	t.Helper()
	for _, what := range []string{
		"outcome NoTarget", "outcome Disabled", "outcome AboveMax", "outcome BelowMin", "outcome Failed", "outcome Computed",
		"scaled up", "scaled down", "held Up", "held Down", "bound MaxUp", "bound MinDown", "bound PolicyUp", "bound PolicyDown", "disabled direction",
		"raised from zero", "to zero", "from zero", "tolerated", "guessed", "turned",
		"verdict Won", "verdict Lost", "verdict Broken", "verdict Overruled",
	} {
		if s[what] < 5 {
			t.Errorf("%q was seen %d times only", what, s[what])
		}
	}
}
