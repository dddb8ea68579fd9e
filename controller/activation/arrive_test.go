package activation

import "testing"

// TestDecideArrives makes sure that nothing goes on for ever: from every situation, once
// all triggers can be read and no annotation holds the workload, it comes to rest within
// its cooldown when they ask for nothing, and up when one asks for replicas.
func TestDecideArrives(t *testing.T) {
	lost := 0
	report := func(s situation, d Decision, want string) {
		if lost++; lost == 1 {
			t.Errorf("does not arrive at %s with %v:\n%s", want, s, describe(d))
		}
	}
	walk(func(s situation) {
		free := s
		free.spec.Paused, free.spec.PausedScaleIn, free.spec.PausedScaleOut, free.spec.Forced = false, false, false, false
		free.triggers = []Trigger{{Metric: "s0", Known: true, Target: 1}}
		if d, n := settle(free); d.Outcome != Idle || !rested(free.spec, n, s.state.Replicas) {
			report(s, d, "rest")
		}
		free.triggers = []Trigger{{Metric: "s0", Known: true, Active: true, Value: 3, Target: 1}}
		if d, n := settle(free); d.Outcome != Active || n == 0 || (free.spec.Idle != nil && n < free.spec.Min) {
			report(s, d, "work")
		}
	})
	if lost > 0 {
		t.Errorf("%d situations do not arrive", lost)
	}
}

// settle carries decisions out, and waits as long as they say, until nothing is left to
// do. It returns the last and the replicas then.
func settle(s situation) (Decision, int32) {
	now, d := walkNow, Decision{}
	for range 4 {
		d = Decide(s.spec, s.triggers, s.state, now)
		switch {
		case d.Replicas != nil:
			s.state.Replicas = *d.Replicas
		case !d.Recheck.IsZero():
			now = d.Recheck
		default:
			return d, s.state.Replicas
		}
	}
	return d, s.state.Replicas
}

// rested tells whether so many replicas are what an inactive workload may rest with that
// had start before: above a minimum the HPA decides.
func rested(spec Spec, replicas, start int32) bool {
	switch {
	case spec.Idle != nil:
		return replicas == min(*spec.Idle, start)
	case spec.Min == 0:
		return replicas == 0
	default:
		return replicas == max(spec.Min, start)
	}
}
