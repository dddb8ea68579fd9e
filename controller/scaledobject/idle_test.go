package scaledobject

import (
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/activation"
)

// withIdle rests at one replica and has a minimum of 3.
func withIdle(so *kedav1alpha1.ScaledObject) {
	so.Spec.MinReplicaCount, so.Spec.IdleReplicaCount, so.Spec.CooldownPeriod = new(int32(3)), new(int32(1)), new(int32(0))
}

// bounds are those of the HPA of orders.
func (w *world) bounds() [2]int32 {
	w.Helper()
	hpa := w.hpa("keda-hpa-orders")
	if hpa == nil {
		w.Fatal("there is no HPA")
	}
	return [2]int32{*hpa.Spec.MinReplicas, hpa.Spec.MaxReplicas}
}

// TestIdleReplicasHold: at rest the HPA holds the idle replicas, which it would else
// raise to the minimum; it has its bounds again before the workload leaves them.
func TestIdleReplicasHold(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 1), newObject("orders", withIdle))
	w.settle("orders")
	w.read("orders", 0, 0)
	w.settle("orders")
	if got := w.bounds(); got != [2]int32{1, 1} {
		t.Errorf("at rest the HPA has the bounds %v", got)
	}
	w.fails("orders", 0, errTray)
	w.settle("orders")
	if got := w.bounds(); got != [2]int32{1, 1} {
		t.Errorf("while the trigger fails the HPA has the bounds %v, want those it had", got)
	}
	w.scales.before = func() error {
		if got := w.bounds(); got != [2]int32{3, 100} {
			t.Errorf("when the workload leaves idle the HPA has the bounds %v", got)
		}
		return nil
	}
	w.read("orders", 0, 20)
	w.settle("orders")
	w.expectScaled(4)
	w.scales.before = nil
	w.fails("orders", 0, errTray)
	w.settle("orders")
	if got := w.bounds(); got != [2]int32{3, 100} {
		t.Errorf("while an active trigger fails the HPA has the bounds %v, want those it had", got)
	}
	w.read("orders", 0, 0)
	w.settle("orders")
	w.expectScaled(1)
	if got := w.bounds(); got != [2]int32{1, 1} {
		t.Errorf("at rest again the HPA has the bounds %v", got)
	}
}

func TestRests(t *testing.T) {
	idle, zero, none := newObject("orders", withIdle), newObject("orders", withIdle), newObject("orders")
	zero.Spec.IdleReplicaCount = new(int32(0))
	hpa := func(most int32) *autoscalingv2.HorizontalPodAutoscaler {
		return &autoscalingv2.HorizontalPodAutoscaler{Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MaxReplicas: most}}
	}
	for _, tc := range []struct {
		reason   string
		so       *kedav1alpha1.ScaledObject
		outcome  activation.Outcome
		replicas int32
		current  *autoscalingv2.HorizontalPodAutoscaler
		want     bool
	}{
		{"idle", idle, activation.Idle, 1, hpa(100), true},
		{"going idle", idle, activation.Deactivated, 5, hpa(100), true},
		{"leaving idle", idle, activation.Activated, 1, hpa(1), false},
		{"up", idle, activation.Active, 5, hpa(100), false},
		{"cooling down", idle, activation.Cooling, 5, hpa(100), false},
		{"failing at rest", idle, activation.Failing, 1, hpa(1), true},
		{"failing while up", idle, activation.Failing, 5, hpa(100), false},
		{"held at rest by a pause", idle, activation.Paused, 1, hpa(1), true},
		{"new and unread, at rest", idle, activation.Waiting, 1, nil, true},
		{"new and unread, up", idle, activation.Waiting, 5, nil, false},
		{"idle at zero", zero, activation.Idle, 0, hpa(100), false},
		{"without an idle count", none, activation.Idle, 0, hpa(100), false},
	} {
		if got := rests(tc.so, tc.outcome, tc.replicas, tc.current); got != tc.want {
			t.Errorf("%s: rests is %t", tc.reason, got)
		}
	}
}
