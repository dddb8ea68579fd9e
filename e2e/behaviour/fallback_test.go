package behaviour

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/e2e/suite"
)

// nowhere is an address where nothing listens.
const nowhere = "127.0.0.1:1"

// gone is a trigger of a list of a Redis that is not there.
func gone(name string) kedav1alpha1.ScaleTriggers {
	return kedav1alpha1.ScaleTriggers{
		Type: "redis", Name: name,
		Metadata: map[string]string{"address": nowhere, "listName": name, "listLength": "5"},
	}
}

// unbuilt is a trigger that cannot even be built.
func unbuilt(name string) kedav1alpha1.ScaleTriggers {
	t := gone(name)
	t.AuthenticationRef = &kedav1alpha1.AuthenticationRef{Name: "missing"}
	return t
}

// expectReady waits until so many pods of the Deployment are ready.
func (s *scene) expectReady(name string, n int32) {
	s.Helper()
	s.Eventually(fmt.Sprintf("%d ready pods of %s", n, name), func() error {
		var d appsv1.Deployment
		s.Must(world.Client.Get(s.Ctx, client.ObjectKey{Namespace: s.Namespace, Name: name}, &d))
		if d.Status.ReadyReplicas != n {
			return fmt.Errorf("there are %d", d.Status.ReadyReplicas)
		}
		return nil
	})
}

// hold is time for two syncs of the HPA and several reads, in which nothing is to happen.
const hold = 5 * time.Second

// Each behavior of the fallback, with both types of metrics, takes the workload straight
// to the count that it names, and keeps it there.
func TestFallbackBehaviors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		behavior             kedav1alpha1.FallbackBehavior
		trigger              func(string) kedav1alpha1.ScaleTriggers
		start, replicas, end int32
	}{
		{kedav1alpha1.FallbackBehaviorStatic, gone, 2, 6, 6},
		{kedav1alpha1.FallbackBehaviorStatic, gone, 6, 3, 3},
		{kedav1alpha1.FallbackBehaviorStatic, unbuilt, 6, 3, 3},
		{kedav1alpha1.FallbackBehaviorCurrentReplicas, gone, 4, 6, 4},
		{kedav1alpha1.FallbackBehaviorCurrentReplicas, unbuilt, 4, 2, 4},
		{kedav1alpha1.FallbackBehaviorCurrentReplicasIfHigher, gone, 4, 2, 4},
		{kedav1alpha1.FallbackBehaviorCurrentReplicasIfHigher, gone, 2, 5, 5},
		{kedav1alpha1.FallbackBehaviorCurrentReplicasIfHigher, unbuilt, 2, 5, 5},
		{kedav1alpha1.FallbackBehaviorCurrentReplicasIfLower, gone, 6, 3, 3},
		{kedav1alpha1.FallbackBehaviorCurrentReplicasIfLower, gone, 2, 5, 2},
		{kedav1alpha1.FallbackBehaviorCurrentReplicasIfLower, unbuilt, 6, 3, 3},
	} {
		for _, kind := range []autoscalingv2.MetricTargetType{autoscalingv2.AverageValueMetricType, autoscalingv2.ValueMetricType} {
			trigger := tc.trigger("orders")
			trigger.MetricType = kind
			state := "gone"
			if trigger.AuthenticationRef != nil {
				state = "unbuilt"
			}
			t.Run(fmt.Sprintf("%s/%s/%s/from %d, %d", tc.behavior, kind, state, tc.start, tc.replicas), func(t *testing.T) {
				t.Parallel()
				s := &scene{Scene: world.NewScene(t)}
				s.Deployment("worker", tc.start)
				s.expectReady("worker", tc.start)
				h := s.Record("worker")
				so := s.ScaledObject(trigger)
				so.Spec.Fallback = &kedav1alpha1.Fallback{FailureThreshold: 1, Replicas: tc.replicas, Behavior: tc.behavior}
				s.Create(so)
				s.ExpectCondition("worker", kedav1alpha1.ConditionFallback, metav1.ConditionTrue, "FallbackExists", "s0-redis")
				s.ExpectCondition("worker", kedav1alpha1.ConditionHPAActive, metav1.ConditionTrue, "HPAActive")
				s.ExpectReplicas("worker", tc.end)
				time.Sleep(hold)
				want := []int32{tc.start, tc.end}
				if tc.start == tc.end {
					want = want[:1]
				}
				s.ExpectHistory(h, want...)
			})
		}
	}
}

// With the behavior scalingModifiers the formula finds a substitute for the trigger that
// cannot be read; where it finds none, and with any other behavior, the count stands in
// for the whole formula.
func TestFallbackOfFormula(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.fill("parcels", 10)
	add := func(name, formula string, behavior kedav1alpha1.FallbackBehavior, kind autoscalingv2.MetricTargetType, triggers ...kedav1alpha1.ScaleTriggers) {
		s.Deployment(name, 1)
		s.expectReady(name, 1)
		so := s.ScaledObject(triggers...)
		so.Name, so.Spec.ScaleTargetRef.Name = name, name
		so.Spec.Fallback = &kedav1alpha1.Fallback{FailureThreshold: 1, Replicas: 4, Behavior: behavior}
		so.Spec.Advanced.ScalingModifiers = &kedav1alpha1.ScalingModifiers{Formula: formula, Target: "5", MetricType: kind}
		s.Create(so)
	}
	add("substitute", "orders ?? parcels", kedav1alpha1.FallbackBehaviorScalingModifiers, autoscalingv2.AverageValueMetricType, gone("orders"), s.list("parcels"))
	add("none", "orders ?? returns", kedav1alpha1.FallbackBehaviorScalingModifiers, autoscalingv2.AverageValueMetricType, gone("orders"), gone("returns"))
	add("averages", "orders + parcels", kedav1alpha1.FallbackBehaviorStatic, autoscalingv2.AverageValueMetricType, gone("orders"), s.list("parcels"))
	add("total", "orders + parcels", kedav1alpha1.FallbackBehaviorStatic, autoscalingv2.ValueMetricType, unbuilt("orders"), s.list("parcels"))
	s.ExpectReplicas("substitute", 2)
	for _, name := range []string{"none", "averages", "total"} {
		s.ExpectReplicas(name, 4)
	}
	time.Sleep(hold)
	for name, want := range map[string]int32{"substitute": 2, "none": 4, "averages": 4, "total": 4} {
		if got := s.Replicas(name); got != want {
			t.Errorf("%s has %d replicas later, want %d", name, got, want)
		}
	}
}

// A fallback never keeps the workload below what a trigger asks for that can be read.
func TestFallbackBesideOthers(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.fill("parcels", 25)
	s.worker(3, func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Fallback = &kedav1alpha1.Fallback{FailureThreshold: 0, Replicas: 2}
	}, gone("orders"), unbuilt("returns"), s.list("parcels"))
	s.ExpectReplicas("worker", 5)
	s.ExpectCondition("worker", kedav1alpha1.ConditionFallback, metav1.ConditionTrue, "FallbackExists", "s0-redis-orders", "s1-redis")
	s.fill("parcels", 0)
	s.ExpectReplicas("worker", 2)
}

// A source that is gone: past the threshold the fallback wakes the workload, and the
// HPA goes to its replicas. When the source is back the readings decide again.
func TestFallback(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.worker(0, func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Fallback = &kedav1alpha1.Fallback{FailureThreshold: 1, Replicas: 7}
	}, gone("orders"))
	s.ExpectReplicas("worker", 7) // 5 at once, the rest by the HPA
	s.ExpectCondition("worker", kedav1alpha1.ConditionFallback, metav1.ConditionTrue, "FallbackExists", "s0-redis-orders")
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionUnknown, "PartialTriggerError")
	s.ExpectEvent("worker", "ScaledObjectFallbackActivated", "s0-redis-orders")
	s.fill("orders", 10)
	suite.Change(s.Scene, "worker", &kedav1alpha1.ScaledObject{}, func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Triggers[0].Metadata["address"] = s.redis.Addr()
	})
	s.ExpectReplicas("worker", 2)
	s.ExpectCondition("worker", kedav1alpha1.ConditionFallback, metav1.ConditionFalse, "NoFallbackFound")
}

// A trigger that cannot be built has the fallback too, from zero and of type Value, for
// which the pods that are ready are counted.
func TestFallbackOfBrokenTrigger(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	broken := unbuilt("orders")
	broken.MetricType = autoscalingv2.ValueMetricType
	s.worker(0, func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Fallback = &kedav1alpha1.Fallback{FailureThreshold: 2, Replicas: 7}
	}, broken)
	s.ExpectReplicas("worker", 7)
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionUnknown, "PartialTriggerError", "missing")
}
