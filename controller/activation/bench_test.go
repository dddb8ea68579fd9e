package activation_test

import (
	"testing"
	"time"

	"github.com/freshet-io/freshet/controller/activation"
	"github.com/freshet-io/freshet/scalers"
)

// BenchmarkDecide decides for an object with three triggers.
func BenchmarkDecide(b *testing.B) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	trigger := func(metric string, value float64) activation.Trigger {
		return activation.Trigger{Metric: metric, Known: true, Active: value > 0, Value: value, Target: 5}
	}
	failed := activation.Trigger{Metric: "s2-c", Known: true, Err: scalers.UnavailableError("gone"), Failures: 2}
	spec := activation.Spec{Max: 100, Cooldown: 5 * time.Minute}
	for _, tc := range []struct {
		name     string
		triggers []activation.Trigger
		state    activation.State
		want     activation.Outcome
	}{
		{"idle", []activation.Trigger{trigger("s0-a", 0), trigger("s1-b", 0), trigger("s2-c", 0)}, activation.State{}, activation.Idle},
		{"active", []activation.Trigger{trigger("s0-a", 12), trigger("s1-b", 0), trigger("s2-c", 3)}, activation.State{Replicas: 3, LastActive: now}, activation.Active},
		{"activated", []activation.Trigger{trigger("s0-a", 12), trigger("s1-b", 0), trigger("s2-c", 3)}, activation.State{}, activation.Activated},
		{"failing", []activation.Trigger{trigger("s0-a", 0), trigger("s1-b", 0), failed}, activation.State{Replicas: 3, LastActive: now}, activation.Failing},
	} {
		b.Run(tc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := activation.Decide(spec, tc.triggers, tc.state, now); d.Outcome != tc.want {
					b.Fatal(d)
				}
			}
		})
	}
}
