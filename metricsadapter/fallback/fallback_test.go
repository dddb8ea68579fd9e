package fallback_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/metricsadapter/fallback"
)

var behaviors = []kedav1alpha1.FallbackBehavior{
	kedav1alpha1.FallbackBehaviorStatic, kedav1alpha1.FallbackBehaviorCurrentReplicas, kedav1alpha1.FallbackBehaviorCurrentReplicasIfHigher,
	kedav1alpha1.FallbackBehaviorCurrentReplicasIfLower, kedav1alpha1.FallbackBehaviorScalingModifiers,
}

func TestOf(t *testing.T) {
	so := &kedav1alpha1.ScaledObject{}
	if got := fallback.Of(so); got != nil || got.Holds(100) || got.ByFormula() {
		t.Errorf("an object without a fallback has %+v", got)
	}
	so.Spec.Fallback = &kedav1alpha1.Fallback{FailureThreshold: 3, Replicas: 6}
	if got, want := *fallback.Of(so), (fallback.Spec{Threshold: 3, Replicas: 6, Behavior: kedav1alpha1.FallbackBehaviorStatic}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestHolds(t *testing.T) {
	for _, tc := range []struct {
		threshold, failures int32
		want                bool
	}{{0, 0, false}, {0, 1, true}, {3, 3, false}, {3, 4, true}, {math.MaxInt32, math.MaxInt32, false}} {
		if got := (&fallback.Spec{Threshold: tc.threshold}).Holds(tc.failures); got != tc.want {
			t.Errorf("with a threshold of %d and %d failures: %t", tc.threshold, tc.failures, got)
		}
	}
}

func TestCount(t *testing.T) {
	for _, tc := range []struct {
		behavior      kedav1alpha1.FallbackBehavior
		current, want int32
		needsCurrent  bool
	}{
		{kedav1alpha1.FallbackBehaviorStatic, 10, 6, false},
		{kedav1alpha1.FallbackBehaviorStatic, 0, 6, false},
		{kedav1alpha1.FallbackBehaviorCurrentReplicas, 10, 10, true},
		{kedav1alpha1.FallbackBehaviorCurrentReplicas, 0, 0, true},
		{kedav1alpha1.FallbackBehaviorCurrentReplicasIfHigher, 10, 10, true},
		{kedav1alpha1.FallbackBehaviorCurrentReplicasIfHigher, 2, 6, true},
		{kedav1alpha1.FallbackBehaviorCurrentReplicasIfLower, 10, 6, true},
		{kedav1alpha1.FallbackBehaviorCurrentReplicasIfLower, 2, 2, true},
		{kedav1alpha1.FallbackBehaviorScalingModifiers, 10, 6, false},
	} {
		s := &fallback.Spec{Replicas: 6, Behavior: tc.behavior}
		if got := s.Count(tc.current); got != tc.want {
			t.Errorf("%s of 6 with %d running asks for %d, want %d", tc.behavior, tc.current, got, tc.want)
		}
		if got := s.NeedsCurrent(); got != tc.needsCurrent {
			t.Errorf("%s needs the current count: %t", tc.behavior, got)
		}
	}
}

// hpaWants is what the HPA makes of a metric, as Kubernetes documents it: thousandths
// are compared, and within a tenth of the target it leaves the workload alone.
func hpaWants(t fallback.Target, number float64, current, ready int32) int32 {
	usage, target := math.Round(number*1000), math.Round(t.Value*1000)
	ratio := usage / target
	if !t.Total {
		ratio /= float64(current)
	}
	if math.Abs(1-ratio) <= 0.1 {
		return current
	}
	if !t.Total {
		return int32(math.Ceil(usage / target))
	}
	return int32(math.Ceil(ratio * float64(ready)))
}

// TestNumberBringsTheHPAToCount holds the value to what the HPA makes of it.
func TestNumberBringsTheHPAToCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.Int32Range(0, 1000).Draw(t, "count")
		current := rapid.Int32Range(1, 1000).Draw(t, "current")
		target := drawTarget(t)
		number, err := target.Number(count, current, current)
		if err != nil {
			t.Fatal(err)
		}
		got := hpaWants(target, number, current, current)
		near := math.Abs(1-float64(count)/float64(current)) <= 0.101 // within its tolerance it stays
		if got != count && (!near || got != current) {
			t.Errorf("the HPA goes from %d to %d with %g, want %d", current, got, number, count)
		}
	})
}

func drawTarget(t *rapid.T) fallback.Target {
	return fallback.Target{Value: rapid.Float64Range(1.5, 1e6).Draw(t, "target"), Total: rapid.Bool().Draw(t, "total")}
}

// TestNumberHoldsTheCount: pods that come and go between what is counted here and what
// the HPA counts do not take a workload away from the count that it has.
func TestNumberHoldsTheCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.Int32Range(1, 1000).Draw(t, "count")
		seen, counted := rapid.Int32Range(0, 2000).Draw(t, "seen"), rapid.Int32Range(0, 2000).Draw(t, "counted")
		target := drawTarget(t)
		number, err := target.Number(count, count, seen)
		if err != nil {
			t.Fatal(err)
		}
		if got := hpaWants(target, number, count, counted); got != count {
			t.Errorf("the HPA, which counts %d pods, goes from %d to %d with %g", counted, count, got, number)
		}
	})
}

// TestNumberNeverGoesBelow: on the way down to the count, pods that are still going away
// from an earlier one are not what the workload is measured by.
func TestNumberNeverGoesBelow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		current := rapid.Int32Range(2, 1000).Draw(t, "current")
		count := rapid.Int32Range(1, current-1).Draw(t, "count")
		seen := rapid.Int32Range(1, 2000).Draw(t, "seen")
		counted := rapid.Int32Range(min(seen, current), 2000).Draw(t, "counted") // some of those that were seen are gone
		target := fallback.Target{Value: rapid.Float64Range(1.5, 1e6).Draw(t, "target"), Total: true}
		number, err := target.Number(count, current, seen)
		if err != nil {
			t.Fatal(err)
		}
		if got := hpaWants(target, number, current, counted); got < count {
			t.Errorf("%d pods seen and %d counted: the HPA goes from %d to %d with %g, below %d", seen, counted, current, got, number, count)
		}
		if usage := number / target.Value; usage > 1.001 {
			t.Errorf("the value is %g of the target, which takes the workload up", usage)
		}
	})
}

// TestNumberWithoutReadyPods: there is nothing that the HPA could multiply, but with as
// many replicas as there should be that does not matter.
func TestNumberWithoutReadyPods(t *testing.T) {
	total := fallback.Target{Value: 5, Total: true}
	if n, err := total.Number(6, 3, 0); err == nil {
		t.Errorf("got %g", n)
	}
	if n, err := total.Number(6, 6, 0); err != nil || n != 5 {
		t.Errorf("at the count: got %g, %v; want 5", n, err)
	}
	if n, err := total.Number(6, 2, 12); err != nil || n != 5 {
		t.Errorf("on the way up with pods that are going away: got %g, %v; want no less than 5", n, err)
	}
	if n, err := (fallback.Target{Value: 5}).Number(6, 3, 0); err != nil || n != 30 {
		t.Errorf("averages need no pod: got %g, %v", n, err)
	}
}

// TestProperties are what is true of every fallback.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &fallback.Spec{
			Threshold: rapid.Int32Range(0, 10).Draw(t, "threshold"), Replicas: rapid.Int32Range(0, 100).Draw(t, "replicas"),
			Behavior: rapid.SampledFrom(behaviors).Draw(t, "behavior"),
		}
		failures := rapid.Int32Range(0, 20).Draw(t, "failures")
		more := failures + rapid.Int32Range(0, 20).Draw(t, "more")
		if s.Holds(failures) && !s.Holds(more) {
			t.Errorf("holds with %d failures and not with %d", failures, more)
		}
		if s.Holds(0) {
			t.Error("holds for a trigger that can be read")
		}
		current := rapid.Int32Range(0, 100).Draw(t, "current")
		count := s.Count(current)
		if again := s.Count(count); again != count {
			t.Errorf("does not settle: %d asks for %d, and that for %d", current, count, again)
		}
		if higher := s.Count(current + 1); higher < count {
			t.Errorf("asks for %d with %d running, and for less, %d, with one more", count, current, higher)
		}
		if count < min(current, s.Replicas) || count > max(current, s.Replicas) {
			t.Errorf("asks for %d, which is neither between %d running nor the %d of the spec", count, current, s.Replicas)
		}
	})
}

func BenchmarkFallbackNumber(b *testing.B) {
	s := &fallback.Spec{Threshold: 3, Replicas: 6, Behavior: kedav1alpha1.FallbackBehaviorCurrentReplicasIfHigher}
	target := fallback.Target{Value: 5, Total: true}
	b.ReportAllocs()
	for b.Loop() {
		if n, err := target.Number(s.Count(4), 4, 4); err != nil || !s.Holds(4) || n == 0 {
			b.Fatal(n, err)
		}
	}
}
