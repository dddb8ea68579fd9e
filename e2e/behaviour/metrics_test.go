package behaviour

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// counter is a server that says 10, and how often it was asked.
func (s *scene) counter() (trigger kedav1alpha1.ScaleTriggers, asked *atomic.Int32) {
	asked = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = fmt.Fprint(w, `{"n": 10}`)
	}))
	s.Cleanup(server.Close)
	return kedav1alpha1.ScaleTriggers{
		Type: "metrics-api", Metadata: map[string]string{"url": server.URL, "valueLocation": "n", "targetValue": "5"},
	}, asked
}

// With useCachedMetrics the HPA is answered with what was read last for the whole polling
// interval; without it, a reading that is older than five seconds is made anew.
func TestCachedMetrics(t *testing.T) {
	t.Parallel()
	s := &scene{Scene: world.NewScene(t)}
	cached, asked := s.counter()
	cached.UseCachedMetrics = true
	fresh, askedAgain := s.counter()
	for name, trigger := range map[string]kedav1alpha1.ScaleTriggers{"cached": cached, "fresh": fresh} {
		s.Deployment(name, 1)
		so := s.ScaledObject(trigger)
		so.Name, so.Spec.ScaleTargetRef.Name = name, name
		so.Spec.PollingInterval = ptr.To[int32](3600)
		s.Create(so)
	}
	s.ExpectReplicas("cached", 2) // by the HPA, which therefore got an answer
	s.ExpectReplicas("fresh", 2)
	s.Eventually("readings for the HPA", func() error {
		if n := askedAgain.Load(); n < 4 {
			return fmt.Errorf("the server was asked %d times", n)
		}
		return nil
	})
	if n := asked.Load(); n != 1 {
		t.Errorf("with cached metrics the server was asked %d times", n)
	}
}

// cpu and memory stand beside other triggers, which alone decide about zero; memory here
// is that of one container. Alone they keep the workload up.
func TestResources(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	cpu := kedav1alpha1.ScaleTriggers{Type: "cpu", MetricType: autoscalingv2.UtilizationMetricType, Metadata: map[string]string{"value": "60"}}
	memory := kedav1alpha1.ScaleTriggers{
		Type: "memory", MetricType: autoscalingv2.AverageValueMetricType, Metadata: map[string]string{"value": "64Mi", "containerName": "worker"},
	}
	s.worker(0, nil, cpu, s.list("orders"), memory)
	s.Deployment("alone", 0)
	alone := s.ScaledObject(cpu)
	alone.Name, alone.Spec.ScaleTargetRef.Name, alone.Spec.MinReplicaCount = "alone", "alone", ptr.To[int32](1)
	s.Create(alone)
	s.ExpectCondition("worker", kedav1alpha1.ConditionActive, metav1.ConditionFalse, "ScalerNotActive")
	if n := s.Replicas("worker"); n != 0 {
		t.Errorf("%d replicas while the list is empty", n)
	}
	s.fill("orders", 20)
	s.ExpectReplicas("worker", 4)
	var kinds []string
	for _, m := range s.HPA("keda-hpa-worker").Spec.Metrics {
		kinds = append(kinds, string(m.Type))
		switch {
		case m.Resource != nil && (m.Resource.Name != "cpu" || *m.Resource.Target.AverageUtilization != 60):
			t.Errorf("the resource is %+v", m.Resource)
		case m.ContainerResource != nil && (m.ContainerResource.Name != "memory" || m.ContainerResource.Container != "worker" ||
			m.ContainerResource.Target.AverageValue.String() != "64Mi"):
			t.Errorf("the container's resource is %+v", m.ContainerResource)
		}
	}
	slices.Sort(kinds)
	if want := []string{"ContainerResource", "External", "Resource"}; !slices.Equal(kinds, want) {
		t.Errorf("the HPA has metrics of the kinds %v, want %v", kinds, want)
	}
	if got := s.Object("worker").Status; !slices.Equal(got.ResourceMetricNames, []string{"cpu", "memory"}) || !slices.Equal(got.ExternalMetricNames, []string{"s1-redis-orders"}) {
		t.Errorf("the status names %v and %v", got.ResourceMetricNames, got.ExternalMetricNames)
	}
	s.ExpectReplicas("alone", 1)
	s.ExpectCondition("alone", kedav1alpha1.ConditionActive, metav1.ConditionTrue, "ScalerActive")
}
