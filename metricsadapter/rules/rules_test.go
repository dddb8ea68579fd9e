package rules_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/metricsadapter/fallback"
	"github.com/freshet-io/freshet/metricsadapter/rules"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
)

// workload has fixed counts, or cannot be looked at. It counts how often it is.
type workload struct {
	replicas, ready int32
	err, podsErr    error
	looks, counts   *int
}

func (w workload) Look(context.Context) (int32, func(context.Context) (int32, error), error) {
	if w.looks != nil {
		*w.looks++
	}
	return w.replicas, func(context.Context) (int32, error) {
		if w.counts != nil {
			*w.counts++
		}
		return w.ready, w.podsErr
	}, w.err
}

func TestStandIn(t *testing.T) {
	cause := errors.New("no answer")
	targets := map[string]fallback.Target{"s0-orders": {Value: 5}, "s1-total": {Value: 10, Total: true}}
	const averages, total = "s0-orders", "s1-total"
	for _, tc := range []struct {
		reason   string
		metric   string
		behavior kedav1alpha1.FallbackBehavior
		failures int32
		workload workload
		want     float64
		err      bool
		// looks and counts are how often the workload and its pods are looked at.
		looks, counts int
	}{
		{reason: "within the threshold", metric: averages, failures: 2, err: true},
		{reason: "past it", metric: averages, failures: 3, want: 30},
		{reason: "case does not matter", metric: "S0-Orders", failures: 3, want: 30},
		{reason: "a metric that the HPA does not have", metric: "s7-x", failures: 3, err: true},
		{reason: "of type Value", metric: total, failures: 3, workload: workload{replicas: 3, ready: 3}, want: 20, looks: 1, counts: 1},
		{reason: "of type Value, arrived", metric: total, failures: 3, workload: workload{replicas: 6, podsErr: cause}, want: 10, looks: 1},
		{reason: "of type Value, what runs", metric: total, behavior: kedav1alpha1.FallbackBehaviorCurrentReplicas, failures: 3,
			workload: workload{replicas: 3, ready: 1}, want: 10, looks: 1},
		{reason: "of type Value without ready pods", metric: total, failures: 3, workload: workload{replicas: 3}, err: true, looks: 1, counts: 1},
		{reason: "of type Value, and the pods are not known", metric: total, failures: 3, workload: workload{replicas: 3, ready: 3, podsErr: cause}, err: true, looks: 1, counts: 1},
		{reason: "what runs", metric: averages, behavior: kedav1alpha1.FallbackBehaviorCurrentReplicas, failures: 3, workload: workload{replicas: 4}, want: 20, looks: 1},
		{reason: "what runs is not known", metric: averages, behavior: kedav1alpha1.FallbackBehaviorCurrentReplicas, failures: 3, workload: workload{err: cause}, err: true, looks: 1},
		{reason: "what runs does not matter", metric: averages, failures: 3, workload: workload{err: cause}, want: 30},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			var looks, counts int
			tc.workload.looks, tc.workload.counts = &looks, &counts
			r := &rules.Rules{
				Fallback: &fallback.Spec{Threshold: 2, Replicas: 6, Behavior: tc.behavior}, Targets: targets, Workload: tc.workload,
			}
			got, err := r.StandIn(t.Context(), tc.metric, tc.failures, cause)
			if got != tc.want || (err != nil) != tc.err {
				t.Errorf("got %g, %v; want %g", got, err, tc.want)
			}
			if looks != tc.looks || counts != tc.counts {
				t.Errorf("the workload was looked at %d times and its pods %d, want %d and %d", looks, counts, tc.looks, tc.counts)
			}
		})
	}
	if _, err := (&rules.Rules{Targets: targets}).StandIn(t.Context(), "s0-orders", 99, cause); !errors.Is(err, cause) {
		t.Errorf("without a fallback the error is %v", err)
	}
}

// TestBroken: time counts the failures of a trigger that cannot be built.
func TestBroken(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b := &rules.Broken{Err: errDown, Since: start, Carried: 1, Interval: 30 * time.Second}
	for after, want := range map[time.Duration]int32{-time.Hour: 2, 0: 2, 29 * time.Second: 2, 30 * time.Second: 3, 5 * time.Minute: 12} {
		if got := b.Failures(start.Add(after)); got != want {
			t.Errorf("after %s it failed %d times, want %d", after, got, want)
		}
	}
	if got := b.Failures(start.Add(math.MaxInt64)); got <= 0 {
		t.Errorf("after centuries it failed %d times", got)
	}
	for n := int32(2); n < 10; n++ {
		at := b.Reaches(n)
		if b.Failures(at) != n || (n > 2 && b.Failures(at.Add(-1)) != n-1) {
			t.Errorf("%d failures are reached at %s, when there are %d", n, at, b.Failures(at))
		}
	}
	r := &rules.Rules{
		Fallback: &fallback.Spec{Threshold: 2, Replicas: 6}, Targets: map[string]fallback.Target{"s0-redis": {Value: 1}},
		Triggers: []rules.Trigger{{Name: "a", Metric: "s0-redis", Broken: b}},
	}
	if _, known, err := r.BrokenMetric(t.Context(), "s0-redis", start); !known || !errors.Is(err, errDown) {
		t.Errorf("at first: %t, %v", known, err)
	}
	if n, known, err := r.BrokenMetric(t.Context(), "s0-redis", start.Add(30*time.Second)); n != 6 || !known || err != nil {
		t.Errorf("past the threshold: %g, %t, %v", n, known, err)
	}
	if _, known, _ := r.BrokenMetric(t.Context(), "s1-redis", start); known {
		t.Error("a metric of no trigger is known")
	}
}

// TestCompositeMetric: readings, failures and triggers that cannot be built come
// together, and a turn of the outcome is told once.
func TestCompositeMetric(t *testing.T) {
	slots := store.New(func(poll.Key) {}).Set(poll.Key{Name: "orders"}, []store.Trigger{
		{Metric: "s0-a", Freshness: time.Hour}, {Metric: "s1-b", Index: 1, Freshness: time.Hour, Named: true},
	})
	c := of(t, "a + b", false)
	r := &rules.Rules{
		Composite: c, Memory: &rules.Memory{}, Fallback: &fallback.Spec{Threshold: 0, Replicas: 4}, Workload: workload{},
		Triggers: []rules.Trigger{{Name: "a", Metric: "s0-a", Slot: slots[0]}, {Name: "b", Metric: "s1-b", Slot: slots[1]}},
	}
	now := time.Now()
	if n, err := r.CompositeMetric(t.Context(), now); err == nil {
		t.Errorf("before anything was read: %g", n)
	}
	slots[0].Put(scalers.Reading{At: now, Value: scalers.Number(3)})
	slots[1].Put(scalers.Reading{At: now, Value: scalers.Value{Series: []scalers.Series{{Name: "x", Value: 4}}}})
	if n, err := r.CompositeMetric(t.Context(), now); n != 7 || err != nil {
		t.Errorf("got %g, %v; want 7", n, err)
	}
	if !r.Turned(now) || r.Turned(now) || !r.Memory.LastActive().Equal(now) {
		t.Errorf("active since %s: a turn is told once", r.Memory.LastActive())
	}
	slots[0].Put(scalers.Reading{At: now, Value: scalers.Number(-3)})
	if later := now.Add(time.Minute); !r.Turned(later) || !r.Memory.LastActive().Equal(now) {
		t.Errorf("inactive, last active at %s, want %s", r.Memory.LastActive(), now)
	}
	slots[1].Put(scalers.Reading{At: now, Value: scalers.Value{Series: []scalers.Series{{Name: "x", Value: 4}, {Name: "y", Value: 5}}}})
	if n, err := r.CompositeMetric(t.Context(), now); err == nil || scalers.ClassOf(err) != scalers.Configuration {
		t.Errorf("with two metrics of one name: %g, %v", n, err)
	}
	r.Triggers[1] = rules.Trigger{Name: "b", Metric: "s1-b", Broken: &rules.Broken{Err: errDown, Since: now, Interval: time.Second}}
	if n, err := r.CompositeMetric(t.Context(), now); n != 8 || err != nil {
		t.Errorf("with a trigger that cannot be built: %g, %v; want the fallback's 4 replicas of 2", n, err)
	}
	r.Composite, r.CompositeErr = nil, scalers.ConfigurationError("no formula")
	if _, err := r.CompositeMetric(t.Context(), now); !errors.Is(err, r.CompositeErr) {
		t.Errorf("a formula that cannot be used: %v", err)
	}
}
