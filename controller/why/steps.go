package why

import (
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/controller/horizontal"
)

// Steps are those that the HPA's algorithm took, in sentences.
func Steps(spec *horizontal.Spec, d *horizontal.Decision) []whyv1alpha1.Step {
	var all []whyv1alpha1.Step
	say := func(stage string, n int32, why string) {
		all = append(all, whyv1alpha1.Step{Stage: stage, Replicas: n, Why: why})
	}
	for i := range d.Metrics {
		m := &d.Metrics[i]
		say("metric", m.Desired, Asks(spec, m))
	}
	switch d.Outcome {
	case horizontal.AboveMax:
		say("bounds", d.Desired, fmt.Sprintf("%s are more than the maximum of %d, which is restored", replicas(d.Current), spec.Max))
		return all
	case horizontal.BelowMin:
		say("bounds", d.Desired, fmt.Sprintf("%s are fewer than the minimum of %d, which is restored", replicas(d.Current), spec.Min))
		return all
	case horizontal.Failed:
		say("metrics", d.Current, "the metrics do not tell, so that nothing changes")
		return all
	case horizontal.Computed:
	default:
		return all
	}
	if d.Winner >= 0 && len(d.Metrics) > 1 {
		say("choice", d.Proposed, d.Metrics[d.Winner].Metric.Name+" asks for the most")
	}
	if d.Stabilization.Held != "" {
		say("window", d.Stabilization.To, held(d))
	}
	if d.Limit.Bound != "" {
		say("limit", d.Limit.To, limited(spec, d))
	}
	return all
}

// Asks is how one metric comes to its answer.
func Asks(spec *horizontal.Spec, m *horizontal.MetricStep) string {
	if m.Err != nil {
		return fmt.Sprintf("%s has no value: %v", m.Metric.Name, m.Err)
	}
	said := fmt.Sprintf("%s asks for %d: %s", m.Metric.Name, m.Untolerated, arithmetic(m))
	if m.Tolerated && m.Untolerated != m.Desired {
		said += fmt.Sprintf("; that is within the tolerance of %s, so it asks for %d", percent(tolerance(spec, m)), m.Desired)
	}
	return said
}

func tolerance(spec *horizontal.Spec, m *horizontal.MetricStep) float64 {
	if m.Ratio > 1 {
		return spec.ToleranceUp
	}
	return spec.ToleranceDown
}

// arithmetic is the division that the answer comes from.
func arithmetic(m *horizontal.MetricStep) string {
	t := m.Metric.Target
	usage := number(float64(m.Usage) / milli)
	target := number(float64(t.Milli) / milli)
	switch {
	case t.Type == autoscalingv2.AverageValueMetricType && m.Pods == nil:
		return fmt.Sprintf("%s by %s each is %s", usage, target, number(float64(m.Usage)/float64(max(1, t.Milli))))
	case t.Type == autoscalingv2.ValueMetricType && m.Pods != nil:
		return fmt.Sprintf("%s is %s of %s, times %d ready", usage, percent(m.Ratio), target, m.Pods.Ready)
	case t.Type == autoscalingv2.UtilizationMetricType:
		return fmt.Sprintf("%d %% of what is requested, by %d %%", m.Utilization, t.Percent)
	default:
		return fmt.Sprintf("%s on average, by %s", usage, target)
	}
}

// held says what a stabilization window does.
func held(d *horizontal.Decision) string {
	s := &d.Stabilization
	left := span(max(0, s.Until.Sub(d.At)))
	if s.Held == horizontal.Up {
		return fmt.Sprintf("%d was asked for %s ago, and the scale-up window of %s takes the least of its time: for about %s more",
			s.By.Replicas, span(d.At.Sub(s.By.At)), span(s.Window), left)
	}
	return fmt.Sprintf("%d was asked for until %s ago, and the scale-down window of %s takes the most of its time: for about %s more",
		s.By.Replicas, span(d.At.Sub(s.By.At)), span(s.Window), left)
}

// limited says what policies or bounds do.
func limited(spec *horizontal.Spec, d *horizontal.Decision) string {
	l := &d.Limit
	switch {
	case l.Bound == horizontal.ByMax:
		return fmt.Sprintf("the maximum is %d", spec.Max)
	case l.Bound == horizontal.ByMin:
		return fmt.Sprintf("the minimum is %d", spec.Min)
	case l.Disabled:
		return fmt.Sprintf("scaling %s is disabled by the HPA's behavior", direction(l.Direction))
	case l.Decisive < 0:
		return fmt.Sprintf("without a behavior the HPA at most doubles, or goes to 4: %d", l.To)
	}
	p := &l.Policies[l.Decisive]
	amount := fmt.Sprintf("%d %s", p.Policy.Value, plural(int(p.Policy.Value), "pod", "pods"))
	if p.Policy.Type == autoscalingv2.PercentScalingPolicy {
		amount = fmt.Sprintf("%d %%", p.Policy.Value)
	}
	said := fmt.Sprintf("the scale-%s policy allows %s in %s, so that %d is as far as it goes", direction(l.Direction), amount, span(p.Policy.Period), l.To)
	if l.Frees.After(d.At) {
		said += fmt.Sprintf("; more in about %s", span(l.Frees.Sub(d.At).Round(time.Second)))
	}
	return said
}

func direction(d horizontal.Direction) string {
	if d == horizontal.Up {
		return "up"
	}
	return "down"
}
