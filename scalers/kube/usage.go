package kube

import (
	"strconv"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/locate"
)

func init() {
	scalers.RegisterResource(scalers.ResourceKind[*CPU]{
		Types: []string{"cpu"}, Category: "kube", Since: "0.1.0", Label: "cpuMemoryScaler",
		Example: map[string]string{"value": "60"}, ExampleMetricType: autoscalingv2.UtilizationMetricType,
	})
	scalers.RegisterResource(scalers.ResourceKind[*Memory]{
		Types: []string{"memory"}, Category: "kube", Since: "0.1.0", Label: "cpuMemoryScaler",
		Example: map[string]string{"value": "512Mi"}, ExampleMetricType: autoscalingv2.AverageValueMetricType,
	})
}

// CPU scales on the processor time that the workload's pods use on average. It
// needs the cluster's metrics server, a metricType, and another trigger beside it
// where the workload is to leave zero.
type CPU struct{ Usage }

// Metric is that of processor time.
func (c *CPU) Metric() (autoscalingv2.MetricSpec, error) { return c.metric(corev1.ResourceCPU) }

// Memory scales on the memory that the workload's pods use on average. It needs
// the cluster's metrics server, a metricType, and another trigger beside it where
// the workload is to leave zero.
type Memory struct{ Usage }

// Metric is that of memory.
func (m *Memory) Metric() (autoscalingv2.MetricSpec, error) { return m.metric(corev1.ResourceMemory) }

// Usage is how much of a resource pods may use.
type Usage struct {
	// How much a pod may use on average. With metricType Utilization a percentage
	// of what it requests, such as 60; with AverageValue a quantity such as 500m or
	// 512Mi.
	Value string `param:"value"`
	// Name of the container that is measured. Without it all of the pod is.
	ContainerName string `param:"containerName,optional"`
	// Former name of metricType.
	Type string `param:"type,optional" removed:"set metricType, beside the trigger's type, instead"`

	// MetricType is that of the trigger, which says what the value means.
	MetricType autoscalingv2.MetricTargetType
}

// Bind keeps the metricType.
func (u *Usage) Bind(s scalers.Setting) error {
	u.MetricType = s.MetricType
	return nil
}

// metric is what the HPA is asked to measure.
func (u *Usage) metric(name corev1.ResourceName) (autoscalingv2.MetricSpec, error) {
	target, err := u.target()
	switch {
	case err != nil:
		return autoscalingv2.MetricSpec{}, err
	case u.ContainerName == "":
		return autoscalingv2.MetricSpec{
			Type:     autoscalingv2.ResourceMetricSourceType,
			Resource: &autoscalingv2.ResourceMetricSource{Name: name, Target: target},
		}, nil
	}
	if problems := validation.IsDNS1123Label(u.ContainerName); len(problems) > 0 {
		return autoscalingv2.MetricSpec{}, scalers.ConfigurationError("parameter containerName is %q, which no container can be called: %s",
			u.ContainerName, strings.Join(problems, ", "))
	}
	return autoscalingv2.MetricSpec{
		Type: autoscalingv2.ContainerResourceMetricSourceType,
		ContainerResource: &autoscalingv2.ContainerResourceMetricSource{
			Name: name, Container: u.ContainerName, Target: target,
		},
	}, nil
}

// target reads the value as the metricType says.
func (u *Usage) target() (autoscalingv2.MetricTarget, error) {
	target := autoscalingv2.MetricTarget{Type: u.MetricType}
	switch u.MetricType {
	case autoscalingv2.UtilizationMetricType:
		percent, err := strconv.ParseInt(u.Value, 10, 32)
		if err != nil || percent <= 0 {
			return target, scalers.ConfigurationError(
				"parameter value is %.60q, and with metricType Utilization must be a whole percentage of at least 1, such as 60", u.Value)
		}
		target.AverageUtilization = new(int32(percent))
	case autoscalingv2.AverageValueMetricType:
		q, err := locate.Quantity(u.Value)
		if err != nil || q.Sign() <= 0 {
			return target, scalers.ConfigurationError(
				"parameter value is %.60q, and with metricType AverageValue must be a quantity above 0, such as 500m or 512Mi", u.Value)
		}
		target.AverageValue = &q
	case "":
		return target, scalers.ConfigurationError("metricType is missing: set it, beside the trigger's type, " +
			"to Utilization for a percentage of what pods request, or to AverageValue for a quantity")
	default:
		return target, scalers.ConfigurationError("metricType is %q: use Utilization or AverageValue", u.MetricType)
	}
	return target, nil
}
