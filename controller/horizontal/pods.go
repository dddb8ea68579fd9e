package horizontal

import (
	"errors"
	"math"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
)

var errNoPodValues = errors.New("there are no values of the target's pods, which may be unready")

// askPods computes a metric that has a value for each pod.
func (r *round) askPods(step *MetricStep, reading *Reading) {
	t := step.Metric.Target.Type
	switch {
	case t != autoscalingv2.AverageValueMetricType && (t != autoscalingv2.UtilizationMetricType || step.Metric.Type == autoscalingv2.PodsMetricSourceType):
		step.Err = errNoTarget
		return
	case reading.Err != nil:
		step.Err = reading.Err
		return
	case len(r.in.Pods) == 0:
		step.Err = errNoPods
		return
	}
	pods := r.sort(step, reading)
	if pods.values == 0 {
		step.Err = errNoPodValues
		return
	}
	gauge := r.gauge(step, reading, pods)
	if step.Err != nil {
		return
	}
	step.Ratio = gauge.ratio()
	step.Usage, step.Utilization = gauge.usage()
	step.Average = step.Usage
	more := step.Ratio > 1 && step.Pods.Unready > 0
	if !more && step.Pods.Missing == 0 {
		step.Tolerated = r.spec.tolerates(step.Ratio)
		step.Untolerated = int32(math.Ceil(step.Ratio * float64(step.Pods.Ready)))
		if step.Desired = step.Untolerated; step.Tolerated {
			step.Desired = r.Current
		}
		return
	}
	r.guess(step, gauge, pods, more)
}

// guess takes the ratio again, with values put in for pods that have none, and
// lets them not turn the direction.
func (r *round) guess(step *MetricStep, gauge *gauge, pods *sorted, more bool) {
	first := step.Ratio
	counting := pods.values
	if step.Pods.Missing > 0 && first != 1 {
		gauge.put(pods.missing, first < 1)
		counting += len(pods.missing)
	}
	if more {
		gauge.put(pods.unready, false)
		counting += len(pods.unready)
	}
	step.Ratio = gauge.ratio()
	step.Pods.Guessed, step.Pods.First = true, first
	step.Tolerated = r.spec.tolerates(step.Ratio)
	step.Untolerated = int32(math.Ceil(step.Ratio * float64(counting)))
	step.Pods.Turned = first < 1 && step.Ratio > 1 || first > 1 && step.Ratio < 1 ||
		step.Ratio < 1 && step.Untolerated > r.Current || step.Ratio > 1 && step.Untolerated < r.Current
	if step.Pods.Turned {
		step.Untolerated = r.Current
	}
	if step.Desired = step.Untolerated; step.Tolerated {
		step.Desired = r.Current
	}
}

// sorted are the pods by whether their values count.
type sorted struct {
	// unready and missing are indexes of pods.
	unready, missing []int
	// left tells of each pod that its value is left out.
	left []bool
	// values is how many count, also of pods that are no longer there.
	values int
}

// sort finds out which pods count.
func (r *round) sort(step *MetricStep, reading *Reading) *sorted {
	s := &sorted{left: make([]bool, len(r.in.Pods)), values: len(reading.Pods)}
	step.Pods = &PodStep{}
	cpu := step.Metric.Type != autoscalingv2.PodsMetricSourceType && step.Metric.Name == string(corev1.ResourceCPU)
	for i := range r.in.Pods {
		p := &r.in.Pods[i]
		value, found := reading.Pods[p.Name]
		switch {
		case p.Deleting || p.Phase == corev1.PodFailed:
			step.Pods.Ignored++
			s.left[i] = true
		case p.Phase == corev1.PodPending:
			s.unready, s.left[i] = append(s.unready, i), true
		case !found:
			s.missing = append(s.missing, i)
		case cpu && r.unsettled(p, value):
			s.unready, s.left[i] = append(s.unready, i), true
		default:
			step.Pods.Ready++
		}
		if found && s.left[i] {
			s.values--
		}
	}
	step.Pods.Unready, step.Pods.Missing = len(s.unready), len(s.missing)
	return s
}

// unsettled tells whether a pod's cpu usage may still be that of its start.
func (r *round) unsettled(p *Pod, value PodValue) bool {
	if p.Ready == "" || p.Start.IsZero() {
		return true
	}
	notReady := p.Ready == corev1.ConditionFalse
	if p.Start.Add(r.spec.Settings.CPUInitialization).After(r.At) {
		return notReady || value.At.Before(p.ReadySince.Add(value.Window))
	}
	return notReady && p.Start.Add(r.spec.Settings.InitialReadinessDelay).After(p.ReadySince)
}
