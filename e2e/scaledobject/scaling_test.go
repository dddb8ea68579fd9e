package scaledobject

import (
	"fmt"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// From zero the workload goes straight to what the backlog asks for, the HPA
// goes on from there, and after the cooldown it is back at zero.
func TestZeroToDemandToZero(t *testing.T) {
	t.Parallel()
	s := newScene(t).withRedis(servers.RedisOptions{})
	s.Deployment("worker", 0)
	h := s.Record("worker")
	s.Create(s.scaledObject(nil))
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")

	s.push(20)
	s.ExpectReplicas("worker", 4)
	s.ExpectHistory(h, 0, 4)
	s.ExpectEvent("worker", "KEDAScaleTargetActivated", "from 0 to 4")
	s.ExpectCondition("worker", kedav1alpha1.ConditionActive, metav1.ConditionTrue, "ScalerActive")

	s.push(20) // 40 items: the HPA's to do
	s.ExpectReplicas("worker", 8)
	s.ExpectHistory(h, 0, 4, 8)

	s.drain()
	drained := time.Now()
	s.ExpectReplicas("worker", 0)
	if took := time.Since(drained); took < 3*time.Second {
		t.Errorf("it went to zero after %s, before the cooldown of 4 s less one read", took)
	}
	s.ExpectEvent("worker", "KEDAScaleTargetDeactivated", "to 0")
	s.ExpectCondition("worker", kedav1alpha1.ConditionActive, metav1.ConditionFalse, "ScalerNotActive")
}

// The scale-up rules of the HPA hold for activation too.
func TestActivationKeepsScaleUpRules(t *testing.T) {
	t.Parallel()
	s := newScene(t).withRedis(servers.RedisOptions{})
	s.push(50)
	s.Deployment("worker", 0)
	h := s.Record("worker")
	s.Create(s.scaledObject(func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Advanced.HorizontalPodAutoscalerConfig.Behavior.ScaleUp = &autoscalingv2.HPAScalingRules{
			Policies: []autoscalingv2.HPAScalingPolicy{{Type: autoscalingv2.PodsScalingPolicy, Value: 1, PeriodSeconds: 600}},
		}
	}))
	s.ExpectReplicas("worker", 2)
	s.ExpectEvent("worker", "KEDAScaleTargetActivated", "the scale-up rules allow 2")
	s.ExpectHistory(h, 0, 2)
}

// The stock HPA reads our value and makes the average of it.
func TestHPAReadsAverages(t *testing.T) {
	t.Parallel()
	s := newScene(t).withRedis(servers.RedisOptions{})
	s.push(7)
	s.Deployment("worker", 2)
	s.Create(s.scaledObject(func(so *kedav1alpha1.ScaledObject) {
		so.Spec.MinReplicaCount = ptr.To[int32](2)
		so.Labels = map[string]string{"team": "orders"}
	}))
	s.Eventually("an average of 3500m", func() error {
		hpa := s.HPA("keda-hpa-worker")
		for _, m := range hpa.Status.CurrentMetrics {
			if m.External != nil && m.External.Current.AverageValue != nil {
				if got := m.External.Current.AverageValue.String(); got == "3500m" {
					return nil
				}
				return fmt.Errorf("it is %s", m.External.Current.AverageValue)
			}
		}
		return fmt.Errorf("conditions: %+v", hpa.Status.Conditions)
	})
	hpa := s.HPA("keda-hpa-worker")
	target := hpa.Spec.Metrics[0].External
	if target.Target.AverageValue.String() != "5" || target.Metric.Name != "s0-redis-orders" ||
		target.Metric.Selector.MatchLabels["scaledobject.keda.sh/name"] != "worker" {
		t.Errorf("the HPA's metric is %+v", target)
	}
	if *hpa.Spec.MinReplicas != 2 || hpa.Spec.MaxReplicas != 10 || hpa.Labels["team"] != "orders" {
		t.Errorf("the HPA is %+v", hpa)
	}
	s.ExpectCondition("worker", kedav1alpha1.ConditionHPAActive, metav1.ConditionTrue, "HPAActive")
}

// An HPA that somebody edits or deletes comes back as it should be.
func TestHPAIsKept(t *testing.T) {
	t.Parallel()
	s := newScene(t).withRedis(servers.RedisOptions{})
	s.Deployment("worker", 1)
	s.Create(s.scaledObject(func(so *kedav1alpha1.ScaledObject) { so.Spec.MinReplicaCount = ptr.To[int32](1) }))
	hpa := s.HPA("keda-hpa-worker")
	edited := hpa.DeepCopy()
	edited.Spec.MaxReplicas = 77
	s.Must(world.Client.Patch(s.Ctx, edited, client.MergeFrom(hpa)))
	s.Eventually("the maximum of 10", func() error {
		if got := s.HPA("keda-hpa-worker").Spec.MaxReplicas; got != 10 {
			return fmt.Errorf("it is %d", got)
		}
		return nil
	})
	uid := s.HPA("keda-hpa-worker").UID
	s.Must(world.Client.Delete(s.Ctx, s.HPA("keda-hpa-worker")))
	s.Eventually("a new HPA", func() error {
		if s.HPA("keda-hpa-worker").UID == uid {
			return fmt.Errorf("it is the old one")
		}
		return nil
	})
}

// What the object does not ask for any more goes from the HPA, which was created and is
// applied since; what somebody else put beside it stays.
func TestHPALosesWhatIsNotAskedFor(t *testing.T) {
	t.Parallel()
	s := newScene(t).withRedis(servers.RedisOptions{})
	s.Deployment("worker", 1)
	s.Create(s.scaledObject(func(so *kedav1alpha1.ScaledObject) {
		so.Spec.MinReplicaCount = ptr.To[int32](1)
		so.Labels = map[string]string{"team": "orders", "stage": "test"}
	}))
	hpa := s.HPA("keda-hpa-worker")
	labelled := hpa.DeepCopy()
	labelled.Labels["theirs"] = "yes"
	s.Must(world.Client.Patch(s.Ctx, labelled, client.MergeFrom(hpa), client.FieldOwner("others")))
	for _, gone := range []string{"team", "stage"} {
		so := s.Object("worker")
		without := so.DeepCopy()
		delete(without.Labels, gone)
		s.Must(world.Client.Patch(s.Ctx, without, client.MergeFrom(so)))
		s.Eventually("an HPA without the label "+gone, func() error {
			if labels := s.HPA("keda-hpa-worker").Labels; labels[gone] != "" || labels["theirs"] != "yes" {
				return fmt.Errorf("its labels are %v", labels)
			}
			return nil
		})
	}
	var ours []metav1.ManagedFieldsOperationType
	for _, entry := range s.HPA("keda-hpa-worker").ManagedFields {
		if entry.Manager == "freshet" {
			ours = append(ours, entry.Operation)
		}
	}
	if len(ours) != 1 || ours[0] != metav1.ManagedFieldsOperationApply {
		t.Errorf("its fields are Freshet's by %v, want Apply alone", ours)
	}
}

// Idle replicas are what an inactive workload has, and demand lifts it from them.
func TestIdleReplicas(t *testing.T) {
	t.Parallel()
	s := newScene(t).withRedis(servers.RedisOptions{})
	s.Deployment("worker", 3)
	s.Create(s.scaledObject(func(so *kedav1alpha1.ScaledObject) {
		so.Spec.MinReplicaCount, so.Spec.IdleReplicaCount = ptr.To[int32](2), ptr.To[int32](0)
	}))
	s.ExpectReplicas("worker", 0)
	s.push(1)
	s.ExpectReplicas("worker", 2)
	s.drain()
	s.ExpectReplicas("worker", 0)
}

// One hundred objects on one Redis are one connection.
func TestManyObjectsShareOneConnection(t *testing.T) {
	t.Parallel()
	s := newScene(t).withRedis(servers.RedisOptions{})
	const objects = 100
	for i := range objects {
		name := fmt.Sprintf("worker-%d", i)
		s.Deployment(name, 0)
		s.Create(s.scaledObject(func(so *kedav1alpha1.ScaledObject) {
			so.Name, so.Spec.ScaleTargetRef.Name = name, name
			so.Spec.Triggers[0].Metadata["listName"] = name
		}))
	}
	for i := range objects {
		s.ExpectCondition(fmt.Sprintf("worker-%d", i), kedav1alpha1.ConditionReady, metav1.ConditionTrue, "")
	}
	c := s.client()
	list, err := c.ClientList(s.Ctx).Result()
	s.Must(err)
	connections := 0
	for line := range splitLines(list) {
		if line != "" {
			connections++
		}
	}
	if connections > 2 { // one of them is the test's own
		t.Errorf("%d objects hold %d connections:\n%s", objects, connections-1, list)
	}
}
