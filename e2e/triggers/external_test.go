package triggers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/e2e/suite"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// external starts a scaler that ends with the test.
func external(s *suite.Scene) *servers.External {
	s.Helper()
	server, err := servers.StartExternal(servers.ExternalOptions{})
	s.Must(err)
	s.Cleanup(func() { _ = server.Stop() })
	return server
}

func externalTrigger(typ string, server *servers.External) kedav1alpha1.ScaleTriggers {
	return kedav1alpha1.ScaleTriggers{Type: typ, Metadata: map[string]string{"scalerAddress": server.Addr(), "queue": "orders"}}
}

func of(name string, target, value float64) servers.ExternalMetric {
	return servers.ExternalMetric{Name: name, Target: target, Value: value}
}

// expectMetrics waits until the HPA has these metrics, as name:target.
func expectMetrics(s *suite.Scene, want ...string) {
	s.Helper()
	s.Eventually(fmt.Sprintf("metrics %q", want), func() error {
		if got := metricsOf(s); !slices.Equal(got, want) {
			return fmt.Errorf("the HPA has %q", got)
		}
		return nil
	})
}

func metricsOf(s *suite.Scene) []string {
	s.Helper()
	var got []string
	for _, m := range s.HPA("keda-hpa-worker").Spec.Metrics {
		got = append(got, m.External.Metric.Name+":"+m.External.Target.AverageValue.String())
	}
	return got
}

// A scaler that pushes takes the workload from zero to what its metrics ask for,
// without a poll, and may change its metrics while it runs.
func TestExternalPush(t *testing.T) {
	t.Parallel()
	s := world.NewScene(t)
	server := external(s)
	server.Set("worker", of("orders", 5, 0))
	s.Deployment("worker", 0)
	history := s.Record("worker")
	so := s.ScaledObject(externalTrigger("external-push", server))
	so.Spec.PollingInterval = ptr.To[int32](3600)
	s.Create(so)
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")
	expectMetrics(s, "s0-orders:5")
	s.Eventually("the streams", func() error {
		if server.Streams("StreamIsActive") != 1 || server.Streams("StreamMetricSpec") != 1 {
			return fmt.Errorf("there are none")
		}
		return nil
	})
	server.Set("worker", of("orders", 5, 12))
	server.Activate("worker", true)
	s.ExpectReplicas("worker", 3)
	s.ExpectHistory(history, 0, 3)

	server.Set("worker", of("orders", 5, 12), of("wait", 0.5, 2.5))
	expectMetrics(s, "s0-orders:5", "s0-wait:500m")
	s.ExpectReplicas("worker", 5)
	if names := s.Object("worker").Status.ExternalMetricNames; !slices.Equal(names, []string{"s0-orders", "s0-wait"}) {
		t.Errorf("the status names %q", names)
	}

	server.Set("worker", of("backlog", 10, 20))
	expectMetrics(s, "s0-backlog:10")
	s.ExpectReplicas("worker", 2)
}

// A scaler that is polled is told the trigger's metadata, and its word on
// activity takes the workload to zero and back.
func TestExternal(t *testing.T) {
	t.Parallel()
	s := world.NewScene(t)
	server := external(s)
	server.Set("worker", of("orders", 5, 9), of("age", 60, 30))
	s.Create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "scaler"}, StringData: map[string]string{"token": "t0k3n-t0k3n"}})
	s.Deployment("worker", 0, corev1.EnvVar{Name: "TOKEN", ValueFrom: &corev1.EnvVarSource{
		SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "scaler"}, Key: "token"},
	}})
	trigger := externalTrigger("external", server)
	trigger.Metadata["tokenFromEnv"] = "TOKEN"
	s.Create(s.ScaledObject(trigger))
	expectMetrics(s, "s0-age:60", "s0-orders:5")
	s.ExpectCondition("worker", kedav1alpha1.ConditionActive, metav1.ConditionFalse, "ScalerNotActive")
	if n := s.Replicas("worker"); n != 0 {
		t.Errorf("a scaler that is not active has %d replicas", n)
	}
	server.Activate("worker", true)
	s.ExpectReplicas("worker", 2)
	told := server.Seen("worker")
	if told.GetNamespace() != s.Namespace || told.GetScalerMetadata()["queue"] != "orders" || told.GetScalerMetadata()["tokenFromEnv"] != "t0k3n-t0k3n" {
		t.Errorf("the scaler was told %v", told)
	}
	if c := s.Object("worker").Status.Conditions.Get(kedav1alpha1.ConditionWarning); c.IsTrue() {
		t.Errorf("keys that are the scaler's are warned of: %+v", c)
	}
	server.Activate("worker", false)
	s.ExpectReplicas("worker", 0)
}

// While the scaler is gone nothing is scaled in and the HPA keeps its metrics,
// through a restart too. When it is back, the HPA follows.
func TestExternalGoneAndBack(t *testing.T) {
	s := world.NewScene(t)
	server := external(s)
	server.Set("worker", of("orders", 5, 20), of("wait", 1, 1))
	server.Activate("worker", true)
	s.Deployment("worker", 0)
	s.Create(s.ScaledObject(externalTrigger("external-push", server)))
	s.ExpectReplicas("worker", 4)
	expectMetrics(s, "s0-orders:5", "s0-wait:1")
	history := s.Record("worker")

	s.Must(server.Kill())
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionFalse, "TriggerError", server.Addr())
	s.Must(world.Freshet.Stop())
	s.Must(world.Freshet.Start(s.Ctx))
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if got := strings.Join(metricsOf(s), " "); got != "s0-orders:5 s0-wait:1" {
			t.Fatalf("without a scaler the HPA has %q", got)
		}
	}
	s.ExpectHistory(history, 4)

	server.Set("worker", of("orders", 5, 30))
	s.Must(server.Start())
	s.ExpectReplicas("worker", 6)
	expectMetrics(s, "s0-orders:5")
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")
	s.ExpectHistory(history, 4, 6)
	s.Eventually("the streams", func() error {
		if server.Streams("StreamIsActive") != 1 {
			return fmt.Errorf("there are none")
		}
		return nil
	})
}
