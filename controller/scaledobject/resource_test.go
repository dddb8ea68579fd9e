package scaledobject

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	_ "github.com/freshet-io/freshet/scalers/kube"
	"github.com/freshet-io/freshet/scalers/poll"
)

// usage is a trigger on a resource. More are parameters, in pairs of key and value.
func usage(typ string, metricType autoscalingv2.MetricTargetType, value string, more ...string) kedav1alpha1.ScaleTriggers {
	t := newTrigger("", append([]string{"value", value}, more...)...)
	t.Type, t.MetricType = typ, metricType
	delete(t.Metadata, "name")
	return t
}

const (
	utilization  = autoscalingv2.UtilizationMetricType
	averageValue = autoscalingv2.AverageValueMetricType
)

// TestOnlyResources: an object with only cpu and memory is active, its HPA
// measures them, and nothing is read.
func TestOnlyResources(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders", func(so *kedav1alpha1.ScaledObject) {
		so.Spec.MinReplicaCount, so.Spec.CooldownPeriod = new(int32(2)), new(int32(0))
		so.Spec.Triggers = []kedav1alpha1.ScaleTriggers{
			usage("cpu", utilization, "60"), usage("memory", averageValue, "512Mi"), usage("cpu", averageValue, "500m", "containerName", "app"),
		}
	}))
	w.settle("orders")
	w.expectScaled(2)
	w.expectCondition("orders", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady", "ScaledObject is ready for scaling")
	w.expectCondition("orders", kedav1alpha1.ConditionActive, metav1.ConditionTrue, "ScalerActive", "Scaling is performed because triggers are active")
	want := []autoscalingv2.MetricSpec{
		{Type: "Resource", Resource: &autoscalingv2.ResourceMetricSource{
			Name: "cpu", Target: autoscalingv2.MetricTarget{Type: utilization, AverageUtilization: new(int32(60))},
		}},
		{Type: "Resource", Resource: &autoscalingv2.ResourceMetricSource{
			Name: "memory", Target: autoscalingv2.MetricTarget{Type: averageValue, AverageValue: new(resource.MustParse("512Mi"))},
		}},
		{Type: "ContainerResource", ContainerResource: &autoscalingv2.ContainerResourceMetricSource{
			Name: "cpu", Container: "app", Target: autoscalingv2.MetricTarget{Type: averageValue, AverageValue: new(resource.MustParse("500m"))},
		}},
	}
	if diff := cmp.Diff(want, w.hpa("keda-hpa-orders").Spec.Metrics); diff != "" {
		t.Errorf("metrics of the HPA (-want +got):\n%s", diff)
	}
	status := w.object("orders").Status
	if diff := cmp.Diff([]string{"cpu", "memory"}, status.ResourceMetricNames); diff != "" {
		t.Errorf("resourceMetricNames (-want +got):\n%s", diff)
	}
	if len(status.ExternalMetricNames) > 0 || len(status.TriggersActivity) > 0 || status.TriggersTypes != "cpu,memory" {
		t.Errorf("the status is %+v, want no external metrics and no activity", status)
	}
	if got := w.r.Engine.Size(); got != (poll.Size{}) {
		t.Errorf("the engine reads %+v", got)
	}
	w.forgetPast()
	w.settle("orders")
	w.expectWrites()
	w.expectEvents()
	w.expectScaled()
}

// TestResourceBesideQueue: cpu takes no part in activation where there is
// another trigger, which is read in its own place.
func TestResourceBesideQueue(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders", func(so *kedav1alpha1.ScaledObject) {
		so.Spec.CooldownPeriod = new(int32(0))
		so.Spec.Triggers = []kedav1alpha1.ScaleTriggers{usage("cpu", utilization, "60"), newTrigger("orders")}
	}))
	w.settle("orders")
	w.expectCondition("orders", kedav1alpha1.ConditionActive, metav1.ConditionUnknown, "", "")
	w.read("orders", 0, 0)
	w.settle("orders")
	w.expectScaled()
	w.expectCondition("orders", kedav1alpha1.ConditionActive, metav1.ConditionFalse, "ScalerNotActive", "Scaling is not performed because triggers are not active")
	w.read("orders", 0, 12)
	w.settle("orders")
	w.expectScaled(3)
	w.read("orders", 0, 0)
	w.settle("orders")
	w.expectScaled(0)
	status := w.object("orders").Status
	if diff := cmp.Diff([][]string{{"s1-tray-orders"}, {"cpu"}}, [][]string{status.ExternalMetricNames, status.ResourceMetricNames}); diff != "" {
		t.Errorf("names of metrics (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]kedav1alpha1.TriggerActivityStatus{"s1-tray-orders": {}}, status.TriggersActivity); diff != "" {
		t.Errorf("activity (-want +got):\n%s", diff)
	}
	var types []autoscalingv2.MetricSourceType
	for _, metric := range w.hpa("keda-hpa-orders").Spec.Metrics {
		types = append(types, metric.Type)
	}
	if diff := cmp.Diff([]autoscalingv2.MetricSourceType{"Resource", "External"}, types); diff != "" {
		t.Errorf("metrics of the HPA (-want +got):\n%s", diff)
	}
}

// TestBrokenResource: a cpu trigger that cannot be decoded keeps its place in the
// HPA as an external metric without a value, so that nothing scales in.
func TestBrokenResource(t *testing.T) {
	for name, broken := range map[string]kedav1alpha1.ScaleTriggers{
		"no metricType":       usage("cpu", "", "60"),
		"another metricType":  usage("cpu", "Share", "60"),
		"a hostile quantity":  usage("cpu", averageValue, "1.5e-2147483647"),
		"the former type":     usage("cpu", utilization, "60", "type", "Utilization"),
		"a share of nothing":  usage("cpu", utilization, "0"),
		"no such container's": usage("cpu", utilization, "60", "containerName", "My App"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newDeployment("orders", 4), newObject("orders", func(so *kedav1alpha1.ScaledObject) {
				so.Spec.CooldownPeriod = new(int32(0))
				so.Spec.Triggers = []kedav1alpha1.ScaleTriggers{broken, newTrigger("orders")}
			}))
			w.settle("orders")
			w.read("orders", 0, 0)
			w.settle("orders")
			w.expectScaled()
			expectExternal(t, w.hpa("keda-hpa-orders").Spec.Metrics, "s0-cpu", "s1-tray-orders")
			if got := w.object("orders").Status.Conditions.Get(kedav1alpha1.ConditionReady); got.Reason != kedav1alpha1.ReasonTriggerError {
				t.Errorf("Ready is %+v", got)
			}
			if names := w.object("orders").Status.ResourceMetricNames; len(names) > 0 {
				t.Errorf("resourceMetricNames are %q", names)
			}
		})
	}
}

// TestBrokenMetricType: whatever the metricType of a trigger is, the HPA is one
// that the API server takes.
func TestBrokenMetricType(t *testing.T) {
	bad := newTrigger("bad")
	bad.MetricType = "Percent"
	w := newWorld(t, newDeployment("orders", 4), newObject("orders", withTriggers(bad, newTrigger("orders"))))
	w.settle("orders")
	expectExternal(t, w.hpa("keda-hpa-orders").Spec.Metrics, "s0-tray", "s1-tray-orders")
}

// expectExternal wants external metrics of those names, each with an average to
// reach.
func expectExternal(t *testing.T, metrics []autoscalingv2.MetricSpec, names ...string) {
	t.Helper()
	var got []string
	for _, metric := range metrics {
		if metric.External == nil {
			t.Fatalf("there is a metric of type %s, want external ones", metric.Type)
		}
		got = append(got, metric.External.Metric.Name)
		if target := metric.External.Target; target.Type != averageValue || target.AverageValue == nil || target.Value != nil || target.AverageUtilization != nil {
			t.Errorf("metric %s is to reach %+v, want an average value", metric.External.Metric.Name, target)
		}
	}
	if diff := cmp.Diff(names, got); diff != "" {
		t.Errorf("metrics of the HPA (-want +got):\n%s", diff)
	}
}
