package why

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/freshet-io/freshet/controller/horizontal"
	"github.com/freshet-io/freshet/metricsadapter"
)

// syncPeriod is how often the HPA controller looks by default.
const syncPeriod = 15 * time.Second

// expectation is what the HPA is expected to do at its next look.
type expectation struct {
	spec     *horizontal.Spec
	decision horizontal.Decision
	memory   horizontal.Memory
	later    []later
}

// later is a count that is expected after some time if the readings stay.
type later struct {
	replicas int32
	in       time.Duration
	why      string
}

// expect runs the HPA's algorithm on what is known; nil when too little is.
func expect(f *Facts) *expectation {
	if f.HPA == nil || f.Target.Replicas == nil {
		return nil
	}
	x := &expectation{spec: horizontal.SpecOf(&f.HPA.Spec, horizontal.DefaultSettings())}
	memory := remembered(f, x.spec)
	in := inputOf(f, *f.Target.Replicas)
	x.decision, x.memory = horizontal.Decide(x.spec, in, memory, f.Now)
	if !f.Cursory {
		x.forecast(f)
	}
	return x
}

// remembered is what the HPA controller knows of before, as far as it was watched.
func remembered(f *Facts, spec *horizontal.Spec) horizontal.Memory {
	var m horizontal.Memory
	for _, a := range f.Asked {
		m.Recommendations = append(m.Recommendations, horizontal.Recommendation{Replicas: a.Replicas, At: a.Until})
	}
	for i := len(f.Decisions) - 1; i >= 0; i-- {
		if d := &f.Decisions[i]; d.By == "HPA" && d.From != d.To && f.Now.Sub(d.At.Time) < time.Hour {
			m = m.Scaled(spec, d.From, d.To, d.At.Time)
		}
	}
	return m
}

// inputOf is what the HPA controller would read now of a target with so many replicas.
func inputOf(f *Facts, replicas int32) *horizontal.Input {
	in := &horizontal.Input{Replicas: replicas, StatusReplicas: replicas}
	for _, c := range f.HPA.Status.Conditions {
		if c.Type == "ScaledToZero" && c.Status == corev1.ConditionTrue {
			in.ScaledToZero = true
		}
	}
	ready := replicas
	if f.Target.Ready != nil && f.Target.Replicas != nil && replicas == *f.Target.Replicas {
		ready = *f.Target.Ready
	}
	if !countsPods(f.HPA.Spec.Metrics) {
		replicas, ready = 0, 0
	}
	for i := range replicas {
		started := f.Now.Add(-time.Hour)
		pod := horizontal.Pod{Name: fmt.Sprint(i), Phase: corev1.PodRunning, Start: started, Ready: corev1.ConditionTrue, ReadySince: started}
		if i >= ready {
			pod.Ready = corev1.ConditionFalse
		}
		in.Pods = append(in.Pods, pod)
	}
	for i := range f.HPA.Spec.Metrics {
		in.Readings = append(in.Readings, readingOf(f, &f.HPA.Spec.Metrics[i], in.Replicas))
	}
	return in
}

// countsPods tells whether any of the metrics does.
func countsPods(metrics []autoscalingv2.MetricSpec) bool {
	return slices.ContainsFunc(metrics, func(m autoscalingv2.MetricSpec) bool {
		return m.External == nil || m.External.Target.AverageValue == nil
	})
}

// readingOf is what the HPA would read of one metric: what Freshet serves, or, of
// metrics that the HPA measures itself, what its status last had.
func readingOf(f *Facts, m *autoscalingv2.MetricSpec, replicas int32) horizontal.Reading {
	if m.External == nil {
		return measured(f, m, replicas)
	}
	t := f.metric(m.External.Metric.Name)
	switch {
	case t == nil:
		return horizontal.Reading{Err: fmt.Errorf("no trigger is read as %s", m.External.Metric.Name)}
	case t.StandIn != nil:
		return served(*t.StandIn)
	case t.Err != "":
		return horizontal.Reading{Err: errors.New(t.Err)}
	case !t.Known:
		return horizontal.Reading{Err: errors.New("it was not read yet")}
	default:
		return served(t.Value)
	}
}

func served(v float64) horizontal.Reading {
	quantity := metricsadapter.Quantity(v)
	return horizontal.Reading{Values: []int64{quantity.MilliValue()}}
}

// measured makes of an average that many pods that are all alike. What all replicas
// use together stays when there are more or fewer.
func measured(f *Facts, m *autoscalingv2.MetricSpec, replicas int32) horizontal.Reading {
	current := statusOf(f.HPA, m)
	if current == nil {
		return horizontal.Reading{Err: errors.New("the HPA tells no value")}
	}
	share := 1.0
	if was := *f.Target.Replicas; was > 0 && replicas > 0 {
		share = float64(was) / float64(replicas)
	}
	const request = 100_000
	r := horizontal.Reading{Pods: map[string]horizontal.PodValue{}, Requests: map[string]int64{}}
	for i := range replicas {
		pod := fmt.Sprint(i)
		v := horizontal.PodValue{At: f.Now, Window: syncPeriod}
		switch {
		case current.AverageUtilization != nil:
			r.Requests[pod] = request
			v.Milli = int64(float64(*current.AverageUtilization) * request / 100 * share)
		case current.AverageValue != nil:
			v.Milli = int64(float64(current.AverageValue.MilliValue()) * share)
		}
		r.Pods[pod] = v
	}
	return r
}

// statusOf is what the HPA's status has of one of its metrics.
func statusOf(hpa *autoscalingv2.HorizontalPodAutoscaler, m *autoscalingv2.MetricSpec) *autoscalingv2.MetricValueStatus {
	for i := range hpa.Status.CurrentMetrics {
		s := &hpa.Status.CurrentMetrics[i]
		switch {
		case s.Type != m.Type:
		case s.Resource != nil && m.Resource != nil && s.Resource.Name == m.Resource.Name:
			return &s.Resource.Current
		case s.ContainerResource != nil && m.ContainerResource != nil && s.ContainerResource.Name == m.ContainerResource.Name &&
			s.ContainerResource.Container == m.ContainerResource.Container:
			return &s.ContainerResource.Current
		case s.External != nil && m.External != nil && s.External.Metric.Name == m.External.Metric.Name:
			return &s.External.Current
		case s.Pods != nil && m.Pods != nil && s.Pods.Metric.Name == m.Pods.Metric.Name:
			return &s.Pods.Current
		}
	}
	return nil
}

// metric finds what is known of a metric; the formula's result is one of them.
func (f *Facts) metric(name string) *Trigger {
	if f.Formula != nil && strings.EqualFold(f.Formula.Metric, name) {
		return f.Formula
	}
	for i := range f.Triggers {
		if strings.EqualFold(f.Triggers[i].Metric, name) {
			return &f.Triggers[i]
		}
	}
	return nil
}

const (
	// mostSteps bounds how far is looked ahead, mostLater how much of it is told.
	mostSteps = 130
	mostLater = 4
)

// forecast looks ahead, sync by sync, while the readings stay as they are.
func (x *expectation) forecast(f *Facts) {
	memory, now, count := x.memory, f.Now, x.decision.Desired
	for range mostSteps {
		now = now.Add(syncPeriod)
		var d horizontal.Decision
		d, memory = horizontal.Decide(x.spec, inputOf(f, count), memory, now)
		if d.Outcome != horizontal.Computed {
			return
		}
		if d.Desired != count {
			x.later = append(x.later, later{d.Desired, now.Sub(f.Now), reasonLater(&d)})
			if count = d.Desired; len(x.later) == mostLater {
				return
			}
			continue
		}
		if d.Stabilization.Held == "" && d.Limit.Bound != horizontal.ByPolicy {
			return
		}
	}
}

func reasonLater(d *horizontal.Decision) string {
	switch {
	case d.Limit.Bound == horizontal.ByPolicy:
		return "as far as the policies allow then"
	case d.Desired < d.Current:
		return "when what was asked for before has left the scale-down window"
	default:
		return "when the policies and windows allow it"
	}
}
