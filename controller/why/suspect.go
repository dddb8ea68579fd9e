package why

import (
	"fmt"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"

	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/controller/horizontal"
)

// suspects are what looks like a mistake, from what users report again and again.
func (x *explainer) suspects() {
	for i := range x.e.Readings {
		r := &x.e.Readings[i]
		if r.Value == nil || r.Trigger < 0 || r.StandIn {
			continue
		}
		x.averaged(r)
		x.rated(r)
		x.totalled(r)
	}
	x.fought()
	x.edited()
}

func (x *explainer) suspect(format string, args ...any) {
	x.verdict().Suspect = append(x.verdict().Suspect, fmt.Sprintf(format, args...))
}

// query is what a trigger asks its source.
func (x *explainer) query(r *whyv1alpha1.Reading) string {
	triggers := x.f.Object.Spec.Triggers
	if r.Trigger >= len(triggers) {
		return ""
	}
	return strings.ToLower(strings.ReplaceAll(triggers[r.Trigger].Metadata["query"], " ", ""))
}

// averaged finds a query that averages what the HPA then divides by the replicas.
func (x *explainer) averaged(r *whyv1alpha1.Reading) {
	if r.TargetType == autoscalingv2.AverageValueMetricType && strings.HasPrefix(x.query(r), "avg(") && r.Exact != nil {
		x.suspect("The query of %s averages already, and with metricType AverageValue the HPA divides by the replicas once more: %s by %s each never asks for more than %s. Use sum(…), or metricType: Value.",
			r.Metric, number(*r.Value), number(r.Target), number(*r.Exact))
	}
}

// rated finds a rate that is compared with a target that looks like a count.
func (x *explainer) rated(r *whyv1alpha1.Reading) {
	q := x.query(r)
	const few = 0.1
	if (strings.Contains(q, "rate(") || strings.Contains(q, "deriv(")) && r.Target >= 1 && *r.Value > 0 && *r.Value < few*r.Target {
		x.suspect("The query of %s gives a rate: %s per second, against a target of %s per second and replica. If a count was meant, use increase(…), or a target that is per second too.",
			r.Metric, number(*r.Value), number(r.Target))
	}
}

// backlogs are types whose readings are piles that replicas share.
var backlogs = []string{
	"redis", "redis-cluster", "redis-sentinel", "redis-streams", "redis-cluster-streams", "redis-sentinel-streams",
	"kafka", "apache-kafka", "rabbitmq", "azure-queue", "aws-sqs-queue", "nats-jetstream",
}

// totalled finds a backlog that is compared with the target as a whole.
func (x *explainer) totalled(r *whyv1alpha1.Reading) {
	if r.TargetType == autoscalingv2.ValueMetricType && slices.Contains(backlogs, r.Type) && r.Target > 0 && *r.Value > r.Target {
		x.suspect("%s is a backlog with metricType Value: %s against %s of all replicas together multiplies them by %s at each look, until the backlog is below %s. With AverageValue it would ask for %s.",
			r.Metric, number(*r.Value), number(r.Target), number(*r.Value/r.Target), number(r.Target), number(*r.Value/r.Target))
	}
}

// recent is how long ago a write still explains what is seen.
const recent = time.Hour

// fought finds somebody else who writes the replicas.
func (x *explainer) fought() {
	w := x.f.Target.Writer
	if w == nil || w.Who != whyv1alpha1.MakerOther {
		return
	}
	when := "last (when is not recorded)"
	if !w.At.IsZero() {
		ago := x.f.Now.Sub(w.At.Time)
		if x.f.Object.CreationTimestamp.After(w.At.Time) || ago > recent {
			return
		}
		when = span(ago) + " ago"
	}
	x.suspect("%s wrote spec.replicas %s, which is neither Freshet nor the HPA: as long as it does, they undo each other. Leave replicas out of what it applies.",
		w.Manager, when)
}

// edited finds those who changed the HPA by hand.
func (x *explainer) edited() {
	if x.e.HPA == nil || x.e.HPA.Foreign != "" {
		return
	}
	for _, w := range x.e.HPA.Edited {
		x.suspect("%s wrote %s of the HPA %s ago: Freshet restores what it applies itself, and leaves the rest. Change the ScaledObject instead.",
			w.Manager, list(w.Fields), span(x.f.Now.Sub(w.At.Time)))
	}
}

// disagreement tells where the HPA's own words do not fit what is expected of it.
func (x *explainer) disagreement(d *horizontal.Decision) {
	for _, c := range x.f.HPA.Status.Conditions {
		switch {
		case c.Type == autoscalingv2.ScalingActive && c.Status == corev1.ConditionFalse && c.Reason != "ScalingDisabled" && d.Outcome == horizontal.Computed:
			x.suspect("The HPA disagrees: when it looked last it could not read its metrics (%s: %s).", c.Reason, strings.TrimSuffix(c.Message, "."))
		case c.Type == autoscalingv2.AbleToScale && c.Status == corev1.ConditionFalse:
			x.suspect("The HPA disagrees: it is not able to scale (%s: %s).", c.Reason, strings.TrimSuffix(c.Message, "."))
		case c.Type == autoscalingv2.AbleToScale && c.Reason == "ScaleDownStabilized" && d.Outcome == horizontal.Computed && d.Desired < d.Current:
			x.suspect("The HPA disagrees: it says %s, because it remembers more of what was asked for than was watched here.", c.Reason)
		}
	}
}

// unknowns are what cannot be known, and what is taken in its place.
func (x *explainer) unknowns() {
	if x.f.Cursory {
		return
	}
	v, w := x.verdict(), x.f.Witness
	if h := x.e.HPA; h != nil && h.Expected != nil && x.e.Object.State != whyv1alpha1.StatePaused {
		said := fmt.Sprintf("The HPA controller's flags cannot be read: a look each %s", span(syncPeriod))
		if !h.Assumed.ToleranceKnown {
			said += fmt.Sprintf(" and a tolerance of %s", percent(horizontal.DefaultSettings().Tolerance))
		}
		v.Unknown = append(v.Unknown, said+" are its defaults.")
		if window := downWindow(x.expected.spec); !x.f.AskedSince.IsZero() && x.f.Now.Sub(x.f.AskedSince) < window {
			v.Unknown = append(v.Unknown, fmt.Sprintf("What was asked for before %s ago was not watched: the scale-down window of %s may hold for longer.",
				span(x.f.Now.Sub(x.f.AskedSince)), span(window)))
		}
	}
	for i := range x.f.Triggers {
		if x.f.Triggers[i].Resource {
			v.Unknown = append(v.Unknown, fmt.Sprintf("%s is measured by the HPA itself: the average is from its last look, what each pod uses is not known here.", x.f.Triggers[i].Metric))
		}
	}
	if x.f.Target.Replicas != nil && x.f.Target.Writer == nil {
		v.Unknown = append(v.Unknown, "Who wrote spec.replicas last is not recorded.")
	}
	if !w.Decides && w.Replica != "" {
		owner := w.Owner
		if owner == "" {
			owner = "another replica"
		}
		v.Unknown = append(v.Unknown, fmt.Sprintf("What Freshet decided on: %s decides on this object and %s answers, which knows of Freshet's decisions what the object's status told.", owner, w.Replica))
	}
}
