package horizontal

import (
	"strconv"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/freshet-io/freshet/controller/timeline"
)

// behave takes the rules of a direction.
func (w *world) behave(direction string, words []string) error {
	if w.hpa.Behavior == nil {
		w.hpa.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{}
	}
	if direction == "behavior" {
		return nil
	}
	rules := &autoscalingv2.HPAScalingRules{}
	if direction == "up" {
		w.hpa.Behavior.ScaleUp = rules
	} else {
		w.hpa.Behavior.ScaleDown = rules
	}
	return timeline.Each(words, func(key, value string) error {
		switch key {
		case "window":
			window, err := seconds(value)
			rules.StabilizationWindowSeconds = &window
			return err
		case "select":
			rules.SelectPolicy = new(autoscalingv2.ScalingPolicySelect(value))
			return nil
		case "tolerance":
			q, err := resource.ParseQuantity(value)
			rules.Tolerance = &q
			return err
		}
		amount, period, _ := strings.Cut(value, "/")
		n, err := strconv.ParseInt(amount, 10, 32)
		if err != nil {
			return err
		}
		every, err := seconds(period)
		rules.Policies = append(rules.Policies, autoscalingv2.HPAScalingPolicy{
			Type: autoscalingv2.HPAScalingPolicyType(key), Value: int32(n), PeriodSeconds: every,
		})
		return err
	})
}

func seconds(text string) (int32, error) {
	d, err := time.ParseDuration(text)
	return int32(d / time.Second), err
}

// measure takes a metric: its type, its name and its target.
func (w *world) measure(words []string) error {
	kind, name := autoscalingv2.MetricSourceType(words[0]), words[1]
	target := autoscalingv2.MetricTarget{}
	err := timeline.Each(words[2:], func(key, value string) error {
		q, err := resource.ParseQuantity(value)
		target.Type = autoscalingv2.MetricTargetType(key)
		switch target.Type {
		case autoscalingv2.ValueMetricType:
			target.Value = &q
		case autoscalingv2.AverageValueMetricType:
			target.AverageValue = &q
		case autoscalingv2.UtilizationMetricType:
			target.AverageUtilization = new(int32(q.Value()))
		default:
			return timeline.ErrUnknownWord
		}
		return err
	})
	m := autoscalingv2.MetricSpec{Type: kind}
	id := autoscalingv2.MetricIdentifier{Name: name}
	switch kind {
	case autoscalingv2.ExternalMetricSourceType:
		m.External = &autoscalingv2.ExternalMetricSource{Metric: id, Target: target}
	case autoscalingv2.ObjectMetricSourceType:
		m.Object = &autoscalingv2.ObjectMetricSource{Metric: id, Target: target}
	case autoscalingv2.PodsMetricSourceType:
		m.Pods = &autoscalingv2.PodsMetricSource{Metric: id, Target: target}
	case autoscalingv2.ContainerResourceMetricSourceType:
		m.ContainerResource = &autoscalingv2.ContainerResourceMetricSource{Name: corev1.ResourceName(name), Container: "worker", Target: target}
	default:
		m.Resource = &autoscalingv2.ResourceMetricSource{Name: corev1.ResourceName(name), Target: target}
	}
	w.hpa.Metrics = append(w.hpa.Metrics, m)
	w.names = append(w.names, name)
	w.in.Readings = append(w.in.Readings, Reading{Err: errNoReading})
	return err
}
