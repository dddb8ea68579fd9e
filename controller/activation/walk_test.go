package activation

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/horizontal"
	"github.com/freshet-io/freshet/metricsadapter/fallback"
)

// situation is everything that a decision is made of.
type situation struct {
	spec     Spec
	triggers []Trigger
	state    State
}

// String is the situation in a failed test.
func (s situation) String() string {
	idle := "none"
	if s.spec.Idle != nil {
		idle = fmt.Sprint(*s.spec.Idle)
	}
	text := fmt.Sprintf("min %d max %d idle %s, %d replicas, forced %t, paused %t in %t out %t, fallback %+v, last active %s;",
		s.spec.Min, s.spec.Max, idle, s.state.Replicas, s.spec.Forced, s.spec.Paused, s.spec.PausedScaleIn, s.spec.PausedScaleOut,
		s.spec.Fallback, s.state.LastActive)
	for _, t := range s.triggers {
		text += fmt.Sprintf(" [known %t active %t value %g failures %d err %v]", t.Known, t.Active, t.Value, t.Failures, t.Err)
	}
	return text
}

var walkNow = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// threshold is that of every fallback.
const threshold = 2

// fallbacks are of every behavior, with none, some and many replicas.
var fallbacks = []*fallback.Spec{
	nil,
	{Threshold: threshold, Behavior: kedav1alpha1.FallbackBehaviorStatic},
	{Threshold: threshold, Behavior: kedav1alpha1.FallbackBehaviorStatic, Replicas: 3},
	{Threshold: threshold, Behavior: kedav1alpha1.FallbackBehaviorCurrentReplicas, Replicas: 3},
	{Threshold: threshold, Behavior: kedav1alpha1.FallbackBehaviorCurrentReplicasIfHigher, Replicas: 3},
	{Threshold: threshold, Behavior: kedav1alpha1.FallbackBehaviorCurrentReplicasIfLower, Replicas: 1},
	{Threshold: threshold, Behavior: kedav1alpha1.FallbackBehaviorScalingModifiers, Replicas: 3},
}

// walk calls check in every situation that the fields of Decide can make, with
// two triggers and small numbers: about 600,000 of them.
func walk(check func(situation)) {
	down := errors.New("no answer")
	readings := []Trigger{
		{},
		{Known: true},
		{Known: true, Active: true, Value: 3},
		{Known: true, Active: true, Value: 500},
		{Known: true, Err: down, Failures: threshold},
		{Known: true, Err: down, Failures: threshold + 1},
	}
	zero, one := int32(0), int32(1)
	bools := []bool{false, true}
	var s situation
	s.spec.Max, s.spec.Cooldown, s.spec.InitialCooldown = 4, time.Minute, time.Minute
	for _, first := range readings {
		for _, second := range readings {
			first.Metric, first.Target, second.Metric, second.Target = "s0", 1, "s1", 1
			s.triggers = []Trigger{first, second}
			for _, s.spec.Fallback = range fallbacks {
				for _, s.spec.Paused = range bools {
					for _, s.spec.PausedScaleIn = range bools {
						for _, s.spec.PausedScaleOut = range bools {
							for _, s.spec.Forced = range bools {
								for _, s.spec.Idle = range []*int32{nil, &zero, &one} {
									for _, s.spec.Min = range []int32{0, 1, 2} {
										for s.state.Replicas = range int32(6) {
											walkCooldowns(s, check)
										}
									}
								}
							}
						}
					}
				}
			}
		}
	}
}

// walkCooldowns adds each state that the cooldown may be in.
func walkCooldowns(s situation, check func(situation)) {
	if s.spec.Idle != nil && *s.spec.Idle >= s.spec.Min {
		return // refused by validation
	}
	s.state.Created = walkNow.Add(-time.Hour)
	for _, s.state.LastActive = range []time.Time{walkNow.Add(-time.Second), walkNow.Add(-time.Minute)} {
		check(s)
	}
	s.state.LastActive = time.Time{}
	for _, s.state.Created = range []time.Time{walkNow.Add(-time.Second), walkNow.Add(-time.Hour)} {
		check(s)
	}
}

// TestDecideEverywhere holds decisions to what is true of all of them.
func TestDecideEverywhere(t *testing.T) {
	rules := []struct {
		reason string
		holds  func(s situation, d Decision) bool
	}{
		{"an outcome is always given, with a reason", func(_ situation, d Decision) bool {
			return d.Outcome != "" && d.Why != ""
		}},
		{"paused, nothing is set", func(s situation, d Decision) bool {
			return !s.spec.Paused || (d.Replicas == nil && d.Outcome == Paused)
		}},
		{"with scaling in paused, replicas are never lowered", func(s situation, d Decision) bool {
			return !s.spec.PausedScaleIn || !lowers(s, d)
		}},
		{"with scaling out paused, replicas are never raised", func(s situation, d Decision) bool {
			return !s.spec.PausedScaleOut || !raises(s, d)
		}},
		{"replicas are not lowered while a trigger fails, unless its fallback asks for no more than the idle ones", func(s situation, d Decision) bool {
			return !lowers(s, d) || len(d.Failed) == 0 || fallbackAsksForRest(s)
		}},
		{"replicas are not lowered while a trigger is unread", func(s situation, d Decision) bool {
			return !lowers(s, d) || !unread(s.triggers)
		}},
		{"replicas are not lowered while a trigger is active, or activation is forced", func(s situation, d Decision) bool {
			return !lowers(s, d) || (len(d.By) == 0 && !s.spec.Forced)
		}},
		{"replicas are not lowered before the cooldown is over", func(s situation, d Decision) bool {
			return !lowers(s, d) || !walkNow.Before(cooldownEnd(s.spec, s.state))
		}},
		{"replicas are lowered only to idle, or without it to a minimum of 0", func(s situation, d Decision) bool {
			switch {
			case !lowers(s, d):
				return true
			case s.spec.Idle != nil:
				return *d.Replicas == *s.spec.Idle
			default:
				return *d.Replicas == 0 && s.spec.Min == 0
			}
		}},
		{"replicas are never raised beyond the maximum, nor to less than the minimum or to none", func(s situation, d Decision) bool {
			return !raises(s, d) || (*d.Replicas <= s.spec.Max && *d.Replicas >= max(1, s.spec.Min))
		}},
		{"a count that is set is another than the present one", func(s situation, d Decision) bool {
			return d.Replicas == nil || *d.Replicas != s.state.Replicas
		}},
		{"the outcome tells what happens to the replicas", func(s situation, d Decision) bool {
			return lowers(s, d) == (d.Outcome == Deactivated) && raises(s, d) == (d.Outcome == Activated || d.Outcome == Raised)
		}},
		{"an active trigger is never left at zero, unless scaling out is paused", func(s situation, d Decision) bool {
			held := s.spec.Paused || s.spec.PausedScaleOut
			return held || len(d.By) == 0 || s.state.Replicas > 0 || d.Outcome == Activated
		}},
		{"a fallback that asks for replicas never leaves the workload at zero, unless scaling out is paused", func(s situation, d Decision) bool {
			held := s.spec.Paused || s.spec.PausedScaleOut
			return held || s.state.Replicas > 0 || !anyStandsIn(s) || s.spec.Fallback.Count(0) <= s.spec.resting() || d.Outcome == Activated
		}},
		{"leaving zero goes at least as far as the fallback asks, or as the HPA's rules and the maximum let it", func(s situation, d Decision) bool {
			if d.Outcome != Activated || !anyStandsIn(s) {
				return true
			}
			most := min(s.spec.Max, horizontal.UpFrom(max(1, s.spec.Min), s.spec.Behavior))
			return *d.Replicas >= min(s.spec.Fallback.Count(s.state.Replicas), most)
		}},
		{"what holds inactive replicas up is a pause, a cooldown, a failure or a trigger that is not yet read", func(s situation, d Decision) bool {
			up := s.state.Replicas > s.spec.resting() && (s.spec.Idle != nil || s.spec.Min == 0)
			if !up || len(d.By) > 0 || s.spec.Forced {
				return true
			}
			switch d.Outcome {
			case Paused:
				return s.spec.Paused || s.spec.PausedScaleIn
			case Cooling:
				return walkNow.Before(cooldownEnd(s.spec, s.state))
			case Failing:
				return len(d.Failed) > len(d.StoodIn)
			case Waiting:
				return unread(s.triggers)
			default:
				return d.Outcome == Deactivated
			}
		}},
		{"time alone matters only during a cooldown, and then lies ahead", func(_ situation, d Decision) bool {
			return d.Recheck.After(walkNow) == (d.Outcome == Cooling) && d.Recheck.IsZero() == (d.Outcome != Cooling)
		}},
		{"every trigger that fails is named", func(s situation, d Decision) bool {
			failing := 0
			for _, t := range s.triggers {
				if t.Err != nil {
					failing++
				}
			}
			return len(d.Failed) == failing
		}},
	}
	broken := make([]int, len(rules))
	situations := 0
	walk(func(s situation) {
		situations++
		d := Decide(s.spec, s.triggers, s.state, walkNow)
		for i, rule := range rules {
			if rule.holds(s, d) {
				continue
			}
			if broken[i]++; broken[i] == 1 {
				t.Errorf("%s: broken first with %v:\n%s", rule.reason, s, describe(d))
			}
		}
	})
	for i, n := range broken {
		if n > 0 {
			t.Errorf("%s: broken in %d of %d situations", rules[i].reason, n, situations)
		}
	}
	if situations < 100_000 {
		t.Errorf("only %d situations were walked through", situations)
	}
}

// TestDecideSettles makes sure that a decision which was carried out is not
// followed by another at the same time, and that the same question has one answer.
func TestDecideSettles(t *testing.T) {
	flapping := 0
	walk(func(s situation) {
		first := Decide(s.spec, s.triggers, s.state, walkNow)
		if again := Decide(s.spec, s.triggers, s.state, walkNow); !same(first, again) {
			t.Fatalf("asked twice, the answers differ with %v:\n%s", s, cmp.Diff(first, again))
		}
		if first.Replicas == nil {
			return
		}
		after := s
		after.state.Replicas = *first.Replicas
		if next := Decide(after.spec, after.triggers, after.state, walkNow); next.Replicas != nil {
			if flapping++; flapping == 1 {
				t.Errorf("flaps with %v:\nfirst: %s\nnext:  %s", s, describe(first), describe(next))
			}
		}
	})
	if flapping > 0 {
		t.Errorf("flaps in %d situations", flapping)
	}
}

// TestDecideIsNeverStuck makes sure that there is a way out of every situation:
// time ends a cooldown, and what people or sources mend ends the rest.
func TestDecideIsNeverStuck(t *testing.T) {
	stuck := 0
	walk(func(s situation) {
		d := Decide(s.spec, s.triggers, s.state, walkNow)
		after, at, free := s, walkNow, true
		switch d.Outcome {
		case Cooling:
			at = d.Recheck
			free = Decide(after.spec, after.triggers, after.state, at).Outcome == Deactivated
		case Failing, Waiting:
			after.triggers = []Trigger{{Metric: "s0", Known: true, Target: 1}, {Metric: "s1", Known: true, Target: 1}}
			o := Decide(after.spec, after.triggers, after.state, at).Outcome
			free = o != Failing && o != Waiting
		case Paused:
			after.spec.Paused, after.spec.PausedScaleIn, after.spec.PausedScaleOut = false, false, false
			free = Decide(after.spec, after.triggers, after.state, at).Outcome != Paused
		case Activated, Active, Deactivated, Raised, Idle:
			after.triggers = []Trigger{{Metric: "s0", Known: true, Active: true, Value: 3, Target: 1}}
			o := Decide(after.spec, after.triggers, after.state, at).Outcome
			free = s.spec.PausedScaleOut || o == Activated || o == Active
		}
		if !free {
			if stuck++; stuck == 1 {
				t.Errorf("stuck with %v:\n%s", s, describe(d))
			}
		}
	})
	if stuck > 0 {
		t.Errorf("stuck in %d situations", stuck)
	}
}

// TestMoreFailuresNeverScaleIn makes sure that a trigger which goes on failing does
// not lower what was asked for before, but for a fallback that asks for no more than
// the idle replicas.
func TestMoreFailuresNeverScaleIn(t *testing.T) {
	broken := 0
	walk(func(s situation) {
		if fallbackAsksForRest(s) {
			return
		}
		now := Decide(s.spec, s.triggers, s.state, walkNow)
		worse := s
		worse.triggers = slices.Clone(s.triggers)
		for i := range worse.triggers {
			if worse.triggers[i].Err != nil {
				worse.triggers[i].Failures += threshold + 1
			}
		}
		if fallbackAsksForRest(worse) {
			return
		}
		later := Decide(worse.spec, worse.triggers, worse.state, walkNow)
		if wanted(later, s) < wanted(now, s) {
			if broken++; broken == 1 {
				t.Errorf("with %v:\nnow:   %s\nlater: %s", s, describe(now), describe(later))
			}
		}
	})
	if broken > 0 {
		t.Errorf("more failures scale in in %d situations", broken)
	}
}

// wanted is the count after a decision.
func wanted(d Decision, s situation) int32 {
	if d.Replicas == nil {
		return s.state.Replicas
	}
	return *d.Replicas
}

// TestDecideTakesNothing makes sure that a decision does not share memory with
// what it was made of, so that a caller may keep it.
func TestDecideTakesNothing(t *testing.T) {
	idle := int32(1)
	spec := Spec{Min: 2, Max: 4, Idle: &idle}
	d := Decide(spec, []Trigger{{Metric: "s0", Known: true}}, State{Replicas: 3}, walkNow)
	if d.Replicas == nil || *d.Replicas != 1 {
		t.Fatalf("the workload does not go to idle: %s", describe(d))
	}
	*d.Replicas = 9
	if idle != 1 {
		t.Errorf("changing the decision changed the spec: idle is %d", idle)
	}
}

func lowers(s situation, d Decision) bool { return d.Replicas != nil && *d.Replicas < s.state.Replicas }
func raises(s situation, d Decision) bool { return d.Replicas != nil && *d.Replicas > s.state.Replicas }

// fallbackAsksForRest tells whether the user asked for no more than the idle
// replicas in what happens: every trigger that fails did so often enough.
func fallbackAsksForRest(s situation) bool {
	if s.spec.Fallback == nil || s.spec.Fallback.Count(s.state.Replicas) > s.spec.resting() {
		return false
	}
	for _, t := range s.triggers {
		if t.Err != nil && t.Failures <= threshold {
			return false
		}
	}
	return true
}

// anyStandsIn tells whether the fallback holds for a trigger.
func anyStandsIn(s situation) bool {
	for _, t := range s.triggers {
		if s.spec.Fallback != nil && t.Err != nil && t.Failures > threshold {
			return true
		}
	}
	return false
}

func describe(d Decision) string {
	replicas := "stay"
	if d.Replicas != nil {
		replicas = fmt.Sprint("become ", *d.Replicas)
	}
	return fmt.Sprintf("%s, replicas %s: %s (by %v, failed %v, recheck %s)", d.Outcome, replicas, d.Why, d.By, d.Failed, d.Recheck)
}

// same compares decisions, faster than cmp does.
func same(a, b Decision) bool { return describe(a) == describe(b) }
