package horizontal

import (
	"fmt"
	"time"

	ours "github.com/freshet-io/freshet/controller/horizontal"
)

// promises holds a decision to what it says of other times and other tolerances:
// the controller cannot be asked for that, but the same decision then can. It
// returns what is not so.
func (l *life) promises(spec *ours.Spec, d *ours.Decision) []string {
	var broken []string
	expect := func(kept bool, what string, args ...any) {
		if !kept {
			broken = append(broken, fmt.Sprintf(what, args...))
		}
	}
	at := func(when time.Time) *ours.Decision {
		then, _ := ours.Decide(spec, &l.input, l.memory, when)
		return &then
	}
	// Pods that have become old enough to count ask for something else.
	other := func(then *ours.Decision) bool { return then.Proposed != d.Proposed }
	// A sync without a memory begins one, at the time of the sync.
	if s := &d.Stabilization; s.Held != "" && !s.By.At.Equal(d.At) {
		if still := s.Until.Add(-time.Nanosecond); still.After(d.At) {
			then := at(still)
			expect(other(then) || then.Stabilization.To == s.To && then.Stabilization.By == s.By, "held until %s, and just before it is %+v", s.Until, then.Stabilization)
		}
		then := at(s.Until)
		expect(other(then) || then.Stabilization.By != s.By, "held until %s, and then still is: %+v", s.Until, then.Stabilization)
	}
	for i, p := range d.Limit.Policies {
		if p.Frees.IsZero() {
			continue
		}
		if still := p.Frees.Add(-time.Nanosecond); still.After(d.At) {
			then := at(still)
			expect(other(then) || same(then, i, p, d.Limit.Direction), "policy %d frees at %s, and does before", i, p.Frees)
		}
		then := at(p.Frees)
		expect(other(then) || !same(then, i, p, d.Limit.Direction), "policy %d frees at %s, and then does not", i, p.Frees)
	}
	strict := *spec
	strict.ToleranceUp, strict.ToleranceDown = 0, 0
	then, _ := ours.Decide(&strict, &l.input, l.memory, d.At)
	for i := range d.Metrics {
		mine, theirs := &d.Metrics[i], &then.Metrics[i]
		expect(mine.Err != nil || theirs.Err != nil || mine.Untolerated == theirs.Desired,
			"metric %d would be %d without a tolerance, and is %d", i, mine.Untolerated, theirs.Desired)
		if mine.Verdict == ours.Lost || mine.Verdict == ours.Overruled {
			expect(mine.Short >= 0, "metric %d lost by %d", i, mine.Short)
		}
	}
	return broken
}

// same tells whether a policy counts the same changes of its direction in another
// decision. One that went another way, since a window let go, has none to compare.
func same(then *ours.Decision, i int, p ours.PolicyStep, direction ours.Direction) bool {
	if then.Limit.Direction != direction {
		return then.At.Before(p.Frees)
	}
	other := then.Limit.Policies[i]
	if direction == ours.Up {
		return other.Added == p.Added
	}
	return other.Removed == p.Removed
}
