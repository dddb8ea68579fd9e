package triggers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/e2e/suite"
)

// moments are how long what an event or the clock causes may take. Polls are 30
// seconds apart where a test wants to know that it was not one of them.
const moments = 10 * time.Second

// A window opens and closes at its times, whatever the polling interval. It is
// the first test because it takes longest, beside the others.
func TestCron(t *testing.T) {
	t.Parallel()
	s := world.NewScene(t)
	zone, err := time.LoadLocation("Asia/Kathmandu") // whose clocks are a quarter past UTC's
	s.Must(err)
	start := time.Now().Add(12 * time.Second).Truncate(time.Minute).Add(time.Minute)
	end := start.Add(time.Minute)
	s.Deployment("worker", 0)
	so := s.ScaledObject(kedav1alpha1.ScaleTriggers{Type: "cron", Metadata: map[string]string{
		"timezone": zone.String(), "start": start.In(zone).Format("4 15 * * *"), "end": end.In(zone).Format("4 15 * * *"), "desiredReplicas": "3",
	}})
	so.Spec.PollingInterval = ptr.To[int32](30)
	s.Create(so)
	s.ExpectCondition("worker", kedav1alpha1.ConditionActive, metav1.ConditionFalse, "ScalerNotActive")
	h := s.Record("worker")

	expectAt := func(at time.Time, n int32) {
		t.Helper()
		s.Within(time.Until(at)+moments, fmt.Sprintf("%d replicas", n), func() error {
			switch got := s.Replicas("worker"); {
			case got != n:
				return fmt.Errorf("there are %d", got)
			case time.Now().Before(at):
				t.Fatalf("%d replicas %s too early", n, time.Until(at))
			}
			return nil
		})
		t.Logf("%d replicas %s after their time", n, time.Since(at).Round(10*time.Millisecond))
	}
	expectAt(start, 3)
	s.ExpectEvent("worker", "KEDAScaleTargetActivated", "from 0 to 3")
	expectAt(end, 0) // and at most the cooldown, which begins with the last read of before
	// On the way back the HPA may take it to its minimum of 1 first.
	if got := h.All(); got[1] != 3 || slices.Max(got) != 3 {
		t.Errorf("the replicas went through %v", got)
	}
}

// An object with only cpu and memory is active, and its HPA, which the API server
// takes, measures them.
func TestUsage(t *testing.T) {
	t.Parallel()
	s := world.NewScene(t)
	s.Deployment("worker", 0)
	so := s.ScaledObject(
		kedav1alpha1.ScaleTriggers{Type: "cpu", MetricType: autoscalingv2.UtilizationMetricType, Metadata: map[string]string{"value": "60"}},
		kedav1alpha1.ScaleTriggers{
			Type: "memory", MetricType: autoscalingv2.AverageValueMetricType, Metadata: map[string]string{"value": "512Mi", "containerName": "worker"},
		})
	so.Spec.MinReplicaCount = new(int32(1)) // without it they are refused: they wake nothing
	s.Create(so)
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")
	s.ExpectCondition("worker", kedav1alpha1.ConditionActive, metav1.ConditionTrue, "ScalerActive")
	s.ExpectReplicas("worker", 1)
	metrics := s.HPA("keda-hpa-worker").Spec.Metrics
	if len(metrics) != 2 || metrics[0].Resource == nil || metrics[1].ContainerResource == nil {
		t.Fatalf("the HPA's metrics are %+v", metrics)
	}
	if cpu := metrics[0].Resource; cpu.Name != corev1.ResourceCPU || cpu.Target.AverageUtilization == nil || *cpu.Target.AverageUtilization != 60 {
		t.Errorf("the HPA's first metric is %+v", cpu)
	}
	if memory := metrics[1].ContainerResource; memory.Name != corev1.ResourceMemory || memory.Container != "worker" ||
		memory.Target.AverageValue == nil || memory.Target.AverageValue.String() != "512Mi" {
		t.Errorf("the HPA's second metric is %+v", memory)
	}
	if names := s.Object("worker").Status.ResourceMetricNames; !slices.Equal(names, []string{"cpu", "memory"}) {
		t.Errorf("resourceMetricNames are %q", names)
	}
	// The stock HPA asks the cluster's metrics server, which there is none of.
	s.ExpectCondition("worker", kedav1alpha1.ConditionHPAActive, metav1.ConditionFalse, "FailedGetResourceMetric")
}

// A cpu trigger that is wrong is told of, and its HPA is one that the API server
// takes.
func TestUsageThatIsWrong(t *testing.T) {
	t.Parallel()
	s := world.NewScene(t)
	s.Deployment("worker", 2)
	h := s.Record("worker")
	s.Create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "backlog"}, Data: map[string]string{"n": "0"}})
	s.Create(s.ScaledObject(
		kedav1alpha1.ScaleTriggers{Type: "cpu", MetricType: "Percent", Metadata: map[string]string{"value": "60"}}, onConfigMap()))
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionFalse, "TriggerError", `metricType is "Percent"`, "Utilization")
	if metrics := s.HPA("keda-hpa-worker").Spec.Metrics; len(metrics) != 2 {
		t.Errorf("the HPA's metrics are %+v", metrics)
	}
	time.Sleep(6 * time.Second) // the cooldown and syncs of the HPA
	s.ExpectHistory(h, 2)
}

// The workload follows the pods of another one, from none to none.
func TestKubernetesWorkload(t *testing.T) {
	t.Parallel()
	s := world.NewScene(t)
	s.Deployment("worker", 0)
	s.Deployment("orders", 0)
	s.Create(s.ScaledObject(kedav1alpha1.ScaleTriggers{Type: "kubernetes-workload", Metadata: map[string]string{
		"podSelector": "app in (orders, returns)", "value": "2",
	}}))
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")
	h := s.Record("worker")
	orders := func(n int32) {
		suite.Change(s, "orders", &appsv1.Deployment{}, func(d *appsv1.Deployment) { d.Spec.Replicas = &n })
	}
	orders(4)
	s.ExpectReplicas("worker", 2)
	orders(10)
	s.ExpectReplicas("worker", 5)
	orders(0)
	s.ExpectReplicas("worker", 0)
	if slices.Max(h.All()) > 5 {
		t.Errorf("the replicas went through %v", h.All())
	}
	if name := s.Object("worker").Status.ExternalMetricNames; !slices.Equal(name, []string{"s0-workload-" + s.Namespace}) {
		t.Errorf("the metric is %q", name)
	}
}

// onConfigMap is a trigger on a number in the ConfigMap "backlog": 5 a replica.
func onConfigMap() kedav1alpha1.ScaleTriggers {
	return kedav1alpha1.ScaleTriggers{Type: "kubernetes-resource", Metadata: map[string]string{
		"resourceKind": "ConfigMap", "resourceName": "backlog", "key": "n", "targetValue": "5",
	}}
}

// A change of a ConfigMap is acted on at once, a key that goes is an error that
// moves nothing, and what is put right works at once.
func TestKubernetesResource(t *testing.T) {
	t.Parallel()
	s := world.NewScene(t)
	s.Deployment("worker", 0)
	s.Create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "backlog"}, Data: map[string]string{"n": "0"}})
	so := s.ScaledObject(onConfigMap())
	so.Spec.PollingInterval = ptr.To[int32](30)
	s.Create(so)
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")
	time.Sleep(2 * time.Second) // reads of the beginning are over
	write := func(data map[string]string) time.Time {
		suite.Change(s, "backlog", &corev1.ConfigMap{}, func(c *corev1.ConfigMap) { c.Data = data })
		return time.Now()
	}
	expect := func(since time.Time, n int32) {
		t.Helper()
		s.Within(moments, fmt.Sprintf("%d replicas", n), func() error {
			if got := s.Replicas("worker"); got != n {
				return fmt.Errorf("there are %d", got)
			}
			return nil
		})
		t.Logf("%d replicas after %s", n, time.Since(since).Round(10*time.Millisecond))
	}
	expect(write(map[string]string{"n": "14\n"}), 3)
	h := s.Record("worker")
	gone := write(map[string]string{"m": "14"})
	s.Within(moments, "word of the key", func() error {
		if c := s.Object("worker").Status.Conditions.Get(kedav1alpha1.ConditionReady); !strings.Contains(c.Message, `has no key "n"`) {
			return fmt.Errorf("Ready is %+v", c)
		}
		return nil
	})
	t.Logf("the object says so after %s", time.Since(gone).Round(10*time.Millisecond))
	time.Sleep(6 * time.Second) // the cooldown and syncs of the HPA
	s.ExpectHistory(h, 3)
	expect(write(map[string]string{"n": "20"}), 4)
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")
	write(map[string]string{"n": "0"})
	s.ExpectReplicas("worker", 0)
}

// A number in a Secret is read, and what is no number is seen nowhere.
func TestKubernetesResourceOfASecret(t *testing.T) {
	t.Parallel()
	s := world.NewScene(t)
	s.Deployment("worker", 0)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "backlog"}, StringData: map[string]string{"doc": `{"orders": {"waiting": "S3NT1N3L"}}`}}
	s.Create(secret)
	s.Create(s.ScaledObject(kedav1alpha1.ScaleTriggers{Type: "kubernetes-resource", Metadata: map[string]string{
		"resourceKind": "Secret", "resourceName": "backlog", "key": "doc", "format": "json", "valueLocation": "orders.waiting", "targetValue": "5",
	}}))
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionFalse, "TriggerError", `at "orders.waiting" is text`)
	s.ExpectEvent("worker", "KEDAScalerFailed", "orders.waiting")
	out, err := world.Cluster.Kubectl(s.Ctx, "-n", s.Namespace, "get", "so,events,hpa", "-o", "yaml")
	s.Must(err)
	log, err := world.Freshet.Log()
	s.Must(err)
	if strings.Contains(string(out)+log, "S3NT1N3L") {
		t.Error("what the Secret holds can be read in the status, an event or the log")
	}
	suite.Change(s, "backlog", &corev1.Secret{}, func(secret *corev1.Secret) {
		secret.StringData = map[string]string{"doc": `{"orders": {"waiting": "10"}}`}
	})
	s.ExpectReplicas("worker", 2)
}
