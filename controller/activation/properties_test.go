package activation

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/freshet-io/freshet/metricsadapter/fallback"
)

// drawSituation draws a workload with a fallback, of any behavior, whose triggers can be
// read, were not yet, or fail. It goes beyond the small numbers of walk.
func drawSituation(t *rapid.T) situation {
	var s situation
	s.spec = Spec{
		Min: rapid.Int32Range(0, 20).Draw(t, "min"), Cooldown: time.Duration(rapid.IntRange(0, 600).Draw(t, "cooldown")) * time.Second,
		Fallback: &fallback.Spec{
			Threshold: rapid.Int32Range(0, 5).Draw(t, "threshold"), Replicas: rapid.Int32Range(0, 200).Draw(t, "fallback"),
			Behavior: rapid.SampledFrom(fallbacks[1:]).Draw(t, "behavior").Behavior,
		},
	}
	s.spec.Max = max(1, s.spec.Min) + rapid.Int32Range(0, 200).Draw(t, "max")
	if s.spec.Min > 0 && rapid.Bool().Draw(t, "has idle") {
		s.spec.Idle = new(rapid.Int32Range(0, s.spec.Min-1).Draw(t, "idle"))
	}
	s.state = State{
		Replicas: rapid.Int32Range(0, 250).Draw(t, "replicas"), Created: walkNow.Add(-time.Hour),
		LastActive: walkNow.Add(-time.Duration(rapid.IntRange(0, 1200).Draw(t, "inactive for")) * time.Second),
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "triggers") {
		one := Trigger{Metric: string(rune('a' + i)), Known: true, Target: rapid.Float64Range(0.5, 50).Draw(t, "target"), Total: rapid.Bool().Draw(t, "total")}
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			one.Known = false
		case 1:
			one.Err, one.Failures = errors.New("no answer"), rapid.Int32Range(1, 10).Draw(t, "failures")
		default:
			one.Value = rapid.Float64Range(0, 5000).Draw(t, "value")
			one.Active = one.Value > 10
		}
		s.triggers = append(s.triggers, one)
	}
	return s
}

// only are the triggers that the test keeps.
func (s situation) only(keep func(Trigger) bool) situation {
	kept := s
	kept.triggers = nil
	for _, t := range s.triggers {
		if keep(t) {
			kept.triggers = append(kept.triggers, t)
		}
	}
	return kept
}

func (s situation) decide() Decision { return Decide(s.spec, s.triggers, s.state, walkNow) }

// TestNeverBelowWhatHealthyTriggersAsk: triggers that fail, with a fallback of any
// behavior, never leave a workload with less than the others ask for. Where the others
// ask for nothing, they never take it lower than it would go without them: what failed is
// no reason to raise it to its minimum.
func TestNeverBelowWhatHealthyTriggersAsk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSituation(t)
		healthy := s.only(func(t Trigger) bool { return t.Err == nil })
		healthy.spec.Fallback = nil
		alone := healthy.decide()
		least := wanted(alone, healthy)
		if len(alone.By) == 0 {
			least = min(least, s.state.Replicas)
		}
		if all := s.decide(); wanted(all, s) < least {
			t.Errorf("with %v\nall:           %s\nthe healthy: %s", s, describe(all), describe(alone))
		}
	})
}

// TestMonotoneInFailures: the more often a trigger failed, the more replicas there are, or
// as many, but where a fallback asks for no more than the idle ones: it alone takes a
// workload down, and to nothing but these.
func TestMonotoneInFailures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSituation(t)
		worse := s.only(func(Trigger) bool { return true })
		for i := range worse.triggers {
			if worse.triggers[i].Err != nil {
				worse.triggers[i].Failures += rapid.Int32Range(0, 10).Draw(t, "more")
			}
		}
		now, later := wanted(s.decide(), s), wanted(worse.decide(), worse)
		if later >= now {
			return
		}
		if s.spec.Fallback.Count(s.state.Replicas) > s.spec.resting() || later != s.spec.resting() {
			t.Errorf("more failures take %d replicas to %d with %v:\nnow:   %s\nlater: %s", now, later, s, describe(s.decide()), describe(worse.decide()))
		}
	})
}

// TestFallbackOutlivesARestart: what a new process decides before its first readings,
// with the failures that were written, takes no workload down, and what it decides when
// the triggers fail again is what was decided before.
func TestFallbackOutlivesARestart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSituation(t)
		s.state.LastActive = walkNow // as lastActive finds it while a fallback asks for replicas
		before := s.decide()
		if before.Replicas != nil {
			s.state.Replicas = *before.Replicas
			before = s.decide()
		}
		fresh := s.only(func(Trigger) bool { return true })
		for i := range fresh.triggers {
			fresh.triggers[i] = Trigger{
				Metric: s.triggers[i].Metric, Target: s.triggers[i].Target, Total: s.triggers[i].Total, Failures: s.triggers[i].Failures,
			}
		}
		if first := fresh.decide(); first.Replicas != nil && *first.Replicas < s.state.Replicas {
			t.Errorf("a restart takes %v down: %s", s, describe(first))
		}
		for i := range fresh.triggers { // the first readings are as the last were
			again := s.triggers[i]
			if again.Err != nil {
				again.Failures++
			}
			fresh.triggers[i] = again
		}
		failing := func(tr Trigger) bool { return tr.Err != nil && !s.spec.Fallback.Holds(tr.Failures) }
		if len(s.only(failing).triggers) > 0 {
			return // one failure more may begin a fallback
		}
		if after := fresh.decide(); !same(before, after) {
			t.Errorf("with %v\nbefore: %s\nafter:  %s", s, describe(before), describe(after))
		}
	})
}
