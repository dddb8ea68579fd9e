package scaledobject

import (
	"errors"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"pgregory.net/rapid"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// TestFallbackOfTypeValue: however many of a thousand objects are asked for, nothing is
// read live: what runs and what is ready stands in the cache. With the count that the
// fallback names the target itself holds it.
func TestFallbackOfTypeValue(t *testing.T) {
	const objects = 1000
	w := newWorld(t, newDeployment("orders", 6), newObject("orders", withFallback(0, 3, ""), func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Triggers[0].MetricType = autoscalingv2.ValueMetricType
	}))
	w.settle("orders")
	w.fails("orders", 0, errTray)
	w.settle("orders")
	d := newDeployment("orders", 6)
	w.change(d, func() {})
	d.Status.ReadyReplicas = 4 // no pod is there that could be counted instead
	if err := w.client.Status().Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	w.scales.failGet = errors.New("read live")
	w.forgetPast()
	for range objects {
		if got := w.answer("orders", "s0-tray-orders"); got != "3750m" {
			t.Fatalf("with 4 of 6 ready the HPA is given %s, want 5 × 3 ÷ 4", got)
		}
	}
	w.expectWrites()
	w.change(d, func() { d.Spec.Replicas = new(int32(3)) })
	if got := w.answer("orders", "s0-tray-orders"); got != "5" {
		t.Errorf("with 3 replicas the HPA is given %s, want the target", got)
	}
}

// TestHealthTellsWhetherTheFallbackHolds: whatever is read, and whenever the status is
// written and a new process goes on from it, that process and the old one agree.
func TestHealthTellsWhetherTheFallbackHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		threshold := rapid.Int32Range(0, 5).Draw(t, "threshold")
		var written kedav1alpha1.HealthStatus
		failures := int32(0)
		for range rapid.IntRange(1, 40).Draw(t, "readings") {
			if failures++; rapid.IntRange(0, 4).Draw(t, "reading") == 0 {
				failures = 0
			}
			next := healthOf(written, failures, threshold)
			if written.NumberOfFailures != nil && next != written && (next.Status == written.Status) && (*next.NumberOfFailures > threshold) == (*written.NumberOfFailures > threshold) {
				t.Errorf("written anew without need: %v, then %v", *written.NumberOfFailures, *next.NumberOfFailures)
			}
			written = next
			if *written.NumberOfFailures > failures || (*written.NumberOfFailures > threshold) != (failures > threshold) {
				t.Errorf("%d failures are written as %d, with a threshold of %d", failures, *written.NumberOfFailures, threshold)
			}
			if rapid.IntRange(0, 3).Draw(t, "restart") == 0 {
				failures = *written.NumberOfFailures
			}
		}
	})
}
