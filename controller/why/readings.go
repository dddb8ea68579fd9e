package why

import (
	"math"
	"slices"
	"strconv"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/controller/horizontal"
)

// readings are what the triggers say, and what the HPA makes of it.
func (x *explainer) readings() {
	for i := range x.f.Triggers {
		x.e.Readings = append(x.e.Readings, x.reading(&x.f.Triggers[i]))
	}
	if x.f.Formula != nil {
		x.e.Readings = append(x.e.Readings, x.reading(x.f.Formula))
	}
}

func (x *explainer) reading(t *Trigger) whyv1alpha1.Reading {
	r := whyv1alpha1.Reading{
		Trigger: t.Index, Name: t.Name, Type: t.Type, Metric: t.Metric, Error: t.Err, Failures: t.Failures,
		StandIn: t.StandIn != nil, Active: t.Active, Activation: x.activation(t),
	}
	if t.Known && !t.At.IsZero() {
		age := math.Round(max(0, x.f.Now.Sub(t.At).Seconds())*10) / 10
		r.AgeSeconds = &age
	}
	if value, ok := t.given(); ok {
		r.Value = &value
	}
	target := x.target(t.Metric)
	if target == nil {
		return r
	}
	r.TargetType = target.Type
	if r.Target = float64(target.Milli) / milli; target.Type == autoscalingv2.UtilizationMetricType {
		r.Target = float64(target.Percent)
	}
	if t.Resource {
		x.measured(&r)
	}
	if step := x.step(t.Metric); step != nil && step.Err == nil {
		asks := step.Desired
		r.Asks, r.Exact = &asks, finite(x.exact(step))
	} else if r.Value != nil && step == nil && target.Type == autoscalingv2.AverageValueMetricType && r.Target > 0 {
		exact := max(0, *r.Value) / r.Target
		asks := int32(min(math.Ceil(exact), math.MaxInt32))
		r.Asks, r.Exact = &asks, finite(exact)
	}
	return r
}

// finite is a number that can be told, or nil.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// milli is how many thousandths there are in one.
const milli = 1000

// given is what the HPA is given of the metric.
func (t *Trigger) given() (value float64, ok bool) {
	switch {
	case t.StandIn != nil && finite(*t.StandIn) != nil:
		return *t.StandIn, true
	case t.Known && t.Err == "" && !t.Resource && finite(t.Value) != nil:
		return t.Value, true
	}
	return 0, false
}

// measured takes the value from the HPA, which measures it.
func (x *explainer) measured(r *whyv1alpha1.Reading) {
	for i := range x.f.HPA.Spec.Metrics {
		m := &x.f.HPA.Spec.Metrics[i]
		current := statusOf(x.f.HPA, m)
		if current == nil || metricName(m) != r.Metric {
			continue
		}
		var v float64
		switch {
		case current.AverageUtilization != nil:
			v = float64(*current.AverageUtilization)
		case current.AverageValue != nil:
			v = current.AverageValue.AsApproximateFloat64()
		}
		r.Value = &v
	}
}

func metricName(m *autoscalingv2.MetricSpec) string {
	switch {
	case m.Resource != nil:
		return string(m.Resource.Name)
	case m.ContainerResource != nil:
		return string(m.ContainerResource.Name)
	case m.External != nil:
		return m.External.Metric.Name
	}
	return ""
}

// target is what the HPA compares the metric with; nil when there is no HPA that
// says so.
func (x *explainer) target(metric string) *horizontal.Target {
	if x.expected == nil {
		return nil
	}
	i := slices.IndexFunc(x.expected.spec.Metrics, func(m horizontal.Metric) bool { return strings.EqualFold(m.Name, metric) })
	if i < 0 {
		return nil
	}
	return &x.expected.spec.Metrics[i].Target
}

// exact is how many replicas a metric asks for, before it is rounded.
func (x *explainer) exact(step *horizontal.MetricStep) float64 {
	n := float64(x.expected.decision.Current)
	switch {
	case step.Metric.Target.Type == autoscalingv2.AverageValueMetricType && step.Metric.Type == autoscalingv2.ExternalMetricSourceType:
		n = float64(step.Usage) / float64(max(1, step.Metric.Target.Milli))
	case step.Pods != nil && step.Metric.Target.Type == autoscalingv2.ValueMetricType:
		n = step.Ratio * float64(step.Pods.Ready)
	default:
		n *= step.Ratio
	}
	return math.Round(n*milli) / milli
}

// activation is the value above which the metric is active, of parameters that say
// so by their name.
func (x *explainer) activation(t *Trigger) *float64 {
	so := x.f.Object
	if t.Resource || so == nil {
		return nil
	}
	if t == x.f.Formula {
		m := so.ScalingModifiers()
		if m == nil { // the object is newer than what is made of it
			return nil
		}
		if v, err := m.ActivationTargetValue(); err == nil {
			return &v
		}
		return nil
	}
	if t.Index < 0 || t.Index >= len(so.Spec.Triggers) {
		return nil
	}
	for key, text := range so.Spec.Triggers[t.Index].Metadata {
		if v, err := strconv.ParseFloat(text, 64); err == nil && strings.HasPrefix(strings.ToLower(key), "activation") {
			return &v
		}
	}
	if slices.Contains(decideThemselves, t.Type) {
		return nil
	}
	return new(0.0)
}

// decideThemselves are the types of triggers that are not active above a number.
var decideThemselves = []string{"cron", "external", "external-push"}
