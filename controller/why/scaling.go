package why

import (
	"fmt"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/controller/horizontal"
)

// scaling says what the HPA does.
func (x *explainer) scaling() {
	if x.expected == nil {
		return
	}
	d, v := &x.expected.decision, x.verdict()
	x.e.Object.State = whyv1alpha1.StateScaling
	switch d.Outcome {
	case horizontal.AboveMax, horizontal.BelowMin:
		x.e.Object.State = whyv1alpha1.StateLimited
		v.Now = upper(x.e.HPA.Steps[len(x.e.HPA.Steps)-1].Why) + "."
		v.Next = fmt.Sprintf("The HPA goes to %d at its next look, whatever the metrics say.", d.Desired)
	case horizontal.Failed:
		x.blind(d)
	case horizontal.Computed:
		x.computed(d)
	}
	x.disagreement(d)
}

// blind says that the HPA holds because metrics fail.
func (x *explainer) blind(d *horizontal.Decision) {
	v := x.verdict()
	x.e.Object.State = whyv1alpha1.StateFailing
	var failed []string
	for i := range d.Metrics {
		if d.Metrics[i].Err != nil {
			failed = append(failed, d.Metrics[i].Metric.Name)
		}
	}
	v.Now = fmt.Sprintf("%s cannot be read, so the HPA holds the %s.", list(failed), replicas(d.Current))
	v.Next = "Nothing, until it can be read again or another metric asks for more."
	v.NotFewer = append(v.NotFewer, "The HPA never scales in while one of its metrics fails.")
	for i := range d.Metrics {
		if m := &d.Metrics[i]; m.Err == nil {
			v.NotMore = append(v.NotMore, upper(Asks(x.expected.spec, m))+".")
		}
	}
}

func (x *explainer) computed(d *horizontal.Decision) {
	v := x.verdict()
	winner := &d.Metrics[d.Winner]
	v.Now = upper(Asks(x.expected.spec, winner)) + "."
	switch {
	case d.Limit.Bound == horizontal.ByMax, d.Limit.Bound == horizontal.ByMin:
		x.e.Object.State = whyv1alpha1.StateLimited
	case d.Desired == d.Current && d.Current > x.expected.spec.Min && (d.Stabilization.Held != "" || d.Limit.Bound == horizontal.ByPolicy):
		x.e.Object.State = whyv1alpha1.StateHeld
	}
	v.Next = x.next(d)
	x.notMore(d, winner)
	x.notFewer(d, winner)
	x.changes(d, winner)
	for i := range d.Metrics {
		if m := &d.Metrics[i]; m.Verdict == horizontal.Lost && m.Short > 0 {
			v.Change = append(v.Change, x.lost(m, winner))
		}
	}
}

func (x *explainer) next(d *horizontal.Decision) string {
	var parts []string
	if d.Desired != d.Current {
		parts = append(parts, fmt.Sprintf("The HPA goes from %d to %d at its next look, within about %s", d.Current, d.Desired, span(syncPeriod)))
	}
	for i, l := range x.expected.later {
		said := fmt.Sprintf("%d in about %s", l.replicas, span(l.in))
		if i == 0 {
			said = fmt.Sprintf("to %s (%s)", said, l.why)
		}
		parts = append(parts, said)
	}
	switch {
	case len(parts) == 0 && d.Limit.Disabled:
		return fmt.Sprintf("The HPA keeps %s until the direction is enabled again.", replicas(d.Current))
	case len(parts) == 0:
		return fmt.Sprintf("The HPA keeps %s as long as the readings stay.", replicas(d.Current))
	case d.Desired == d.Current:
		parts[0] = "If the readings stay: " + parts[0]
	case len(parts) > 1:
		parts[1] = "and if the readings stay " + parts[1]
	}
	return strings.Join(parts, ", ") + "."
}

func (x *explainer) notMore(d *horizontal.Decision, winner *horizontal.MetricStep) {
	v, spec := x.verdict(), x.expected.spec
	switch {
	case winner.Tolerated && winner.Untolerated > d.Current:
		v.NotMore = append(v.NotMore, fmt.Sprintf("%s is at %s of its target: within the tolerance of %s nothing changes.",
			winner.Metric.Name, percent(winner.Ratio), percent(spec.ToleranceUp)))
	case d.Limit.Bound == horizontal.ByMax && d.Limit.From > spec.Max:
		v.NotMore = append(v.NotMore, fmt.Sprintf("maxReplicaCount is %d, and %d are asked for.", spec.Max, d.Limit.From))
	case d.Limit.Bound == horizontal.ByPolicy && d.Limit.Direction == horizontal.Up:
		v.NotMore = append(v.NotMore, upper(limited(spec, d))+x.pausedAs(d)+".")
	case d.Stabilization.Held == horizontal.Up:
		v.NotMore = append(v.NotMore, upper(held(d))+".")
	default:
		v.NotMore = append(v.NotMore, fmt.Sprintf("Nothing asks for more than %d.", max(d.Desired, d.Current)))
	}
}

func (x *explainer) notFewer(d *horizontal.Decision, winner *horizontal.MetricStep) {
	v, spec := x.verdict(), x.expected.spec
	switch {
	case d.Current <= spec.Min && d.Proposed < spec.Min && x.f.Object.MinReplicas() < spec.Min:
		v.NotFewer = append(v.NotFewer, fmt.Sprintf("The HPA never goes below %d; to %d only Freshet goes, when no trigger is active.", spec.Min, x.f.Object.MinReplicas()))
	case d.Current <= spec.Min && d.Proposed < spec.Min:
		v.NotFewer = append(v.NotFewer, fmt.Sprintf("minReplicaCount is %d, and %d would be enough.", spec.Min, d.Proposed))
	case d.Limit.Bound == horizontal.ByMin:
		v.NotFewer = append(v.NotFewer, fmt.Sprintf("minReplicaCount is %d, and %d would be enough.", spec.Min, d.Limit.From))
	case d.Stabilization.Held == horizontal.Down:
		v.NotFewer = append(v.NotFewer, fmt.Sprintf("%d would be enough, but %s.", d.Proposed, held(d)))
	case d.Limit.Bound == horizontal.ByPolicy && d.Limit.Direction == horizontal.Down:
		v.NotFewer = append(v.NotFewer, fmt.Sprintf("%d would be enough, but %s%s.", d.Limit.From, limited(spec, d), x.pausedAs(d)))
	case winner.Tolerated && winner.Untolerated < d.Current:
		v.NotFewer = append(v.NotFewer, fmt.Sprintf("%s is at %s of its target: within the tolerance of %s nothing changes.",
			winner.Metric.Name, percent(winner.Ratio), percent(spec.ToleranceDown)))
	case d.Current == spec.Min && d.Desired == d.Current:
		v.NotFewer = append(v.NotFewer, fmt.Sprintf("minReplicaCount is %d.", spec.Min))
	case d.Desired >= d.Current:
		v.NotFewer = append(v.NotFewer, fmt.Sprintf("%s asks for %d.", winner.Metric.Name, winner.Desired))
	}
}

// pausedAs tells that it is an annotation that forbids a direction.
func (x *explainer) pausedAs(d *horizontal.Decision) string {
	switch so := x.f.Object; {
	case d.Limit.Disabled && d.Limit.Direction == horizontal.Down && so.PausedScaleIn():
		return ": the annotation autoscaling.keda.sh/paused-scale-in is set"
	case d.Limit.Disabled && d.Limit.Direction == horizontal.Up && so.PausedScaleOut():
		return ": the annotation autoscaling.keda.sh/paused-scale-out is set"
	}
	return ""
}

// lost says by how much a metric lost to the winner.
func (x *explainer) lost(m, winner *horizontal.MetricStep) string {
	said := fmt.Sprintf("%s asks for %d and lost by %s to %s", m.Metric.Name, m.Desired, replicas(m.Short), winner.Metric.Name)
	if m.Metric.Target.Type == autoscalingv2.AverageValueMetricType && m.Pods == nil {
		said += fmt.Sprintf("; above %s it would lead", number(float64(m.Metric.Target.Milli)*float64(winner.Desired)/milli))
	}
	return said + "."
}
