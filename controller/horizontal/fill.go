package horizontal

import (
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
)

// SpecOf is what an HPA asks for, with what the API server fills in where it did
// not pass one.
func SpecOf(hpa *autoscalingv2.HorizontalPodAutoscalerSpec, settings Settings) *Spec {
	s := &Spec{
		Min: 1, Max: hpa.MaxReplicas,
		ToleranceUp: settings.Tolerance, ToleranceDown: settings.Tolerance,
		Settings: settings,
	}
	if hpa.MinReplicas != nil {
		s.Min = *hpa.MinReplicas
	}
	for i := range hpa.Metrics {
		s.Metrics = append(s.Metrics, metricOf(&hpa.Metrics[i]))
	}
	if len(hpa.Metrics) == 0 {
		s.Metrics = []Metric{{
			Type: autoscalingv2.ResourceMetricSourceType, Name: string(corev1.ResourceCPU),
			Target: Target{Type: autoscalingv2.UtilizationMetricType, Percent: 80},
		}}
	}
	if b := hpa.Behavior; b != nil {
		s.Up, s.Down = DefaultUp(), DefaultDown(settings)
		s.Up.override(b.ScaleUp, &s.ToleranceUp)
		s.Down.override(b.ScaleDown, &s.ToleranceDown)
	}
	return s
}

// DefaultUp are the rules up of an HPA whose behavior does not have them.
func DefaultUp() *Rules {
	return &Rules{Select: autoscalingv2.MaxChangePolicySelect, Policies: []Policy{
		{Type: autoscalingv2.PodsScalingPolicy, Value: 4, Period: 15 * time.Second},
		{Type: autoscalingv2.PercentScalingPolicy, Value: 100, Period: 15 * time.Second},
	}}
}

// DefaultDown are the rules down of an HPA whose behavior does not have them.
func DefaultDown(settings Settings) *Rules {
	return &Rules{
		Window: settings.DownscaleStabilization.Truncate(time.Second),
		Select: autoscalingv2.MaxChangePolicySelect,
		Policies: []Policy{
			{Type: autoscalingv2.PercentScalingPolicy, Value: 100, Period: 15 * time.Second},
		},
	}
}

// override takes what an HPA sets itself.
func (r *Rules) override(own *autoscalingv2.HPAScalingRules, tolerance *float64) {
	if own == nil {
		return
	}
	if own.StabilizationWindowSeconds != nil {
		r.Window = time.Duration(*own.StabilizationWindowSeconds) * time.Second
	}
	if own.SelectPolicy != nil {
		r.Select = *own.SelectPolicy
	}
	if own.Policies != nil {
		r.Policies = make([]Policy, len(own.Policies))
		for i, p := range own.Policies {
			r.Policies[i] = Policy{Type: p.Type, Value: p.Value, Period: time.Duration(p.PeriodSeconds) * time.Second}
		}
	}
	if own.Tolerance != nil {
		*tolerance = own.Tolerance.AsApproximateFloat64()
	}
}

// metricOf reads a metric. A target of the wrong kind for it is none.
func metricOf(m *autoscalingv2.MetricSpec) Metric {
	metric := Metric{Type: m.Type}
	switch {
	case m.Type == autoscalingv2.ExternalMetricSourceType && m.External != nil:
		metric.Name = m.External.Metric.Name
		metric.Target = targetOf(m.External.Target, autoscalingv2.AverageValueMetricType, autoscalingv2.ValueMetricType)
	case m.Type == autoscalingv2.ObjectMetricSourceType && m.Object != nil:
		metric.Name = m.Object.Metric.Name
		metric.Target = targetOf(m.Object.Target, m.Object.Target.Type)
	case m.Type == autoscalingv2.PodsMetricSourceType && m.Pods != nil:
		metric.Name = m.Pods.Metric.Name
		metric.Target = targetOf(m.Pods.Target, autoscalingv2.AverageValueMetricType)
	case m.Type == autoscalingv2.ResourceMetricSourceType && m.Resource != nil:
		metric.Name = string(m.Resource.Name)
		metric.Target = targetOf(m.Resource.Target, autoscalingv2.AverageValueMetricType, autoscalingv2.UtilizationMetricType)
	case m.Type == autoscalingv2.ContainerResourceMetricSourceType && m.ContainerResource != nil:
		metric.Name, metric.Container = string(m.ContainerResource.Name), m.ContainerResource.Container
		metric.Target = targetOf(m.ContainerResource.Target, autoscalingv2.AverageValueMetricType, autoscalingv2.UtilizationMetricType)
	}
	return metric
}

// targetOf is the first of the kinds that is set.
func targetOf(t autoscalingv2.MetricTarget, kinds ...autoscalingv2.MetricTargetType) Target {
	for _, kind := range kinds {
		switch {
		case kind == autoscalingv2.ValueMetricType && t.Value != nil:
			return Target{Type: kind, Milli: t.Value.MilliValue()}
		case kind == autoscalingv2.AverageValueMetricType && t.AverageValue != nil:
			return Target{Type: kind, Milli: t.AverageValue.MilliValue()}
		case kind == autoscalingv2.UtilizationMetricType && t.AverageUtilization != nil:
			return Target{Type: kind, Percent: *t.AverageUtilization}
		}
	}
	return Target{}
}
