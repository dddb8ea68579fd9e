package horizontal

import (
	"math"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// allow is the count that the policies of a direction allow, with each policy's
// part in it.
func (r *round) allow(direction Direction) int32 {
	rules := r.spec.Up
	if direction == Down {
		rules = r.spec.Down
	}
	l := &r.Limit
	if rules.Select == autoscalingv2.DisabledPolicySelect {
		l.Disabled = true
		return r.Current
	}
	// The largest change is the largest count going up, the smallest going down.
	largest := (direction == Up) != (rules.Select == autoscalingv2.MinChangePolicySelect)
	allowed := int32(math.MaxInt32)
	if largest {
		allowed = math.MinInt32
	}
	l.Policies = make([]PolicyStep, len(rules.Policies))
	for i, p := range rules.Policies {
		step := r.policy(p, direction)
		l.Policies[i] = step
		if l.Decisive < 0 || largest && step.Allows > allowed || !largest && step.Allows < allowed {
			allowed, l.Decisive, l.Frees = step.Allows, i, step.Frees
		}
	}
	return allowed
}

// policy is what one policy allows, counted from before the changes of its period.
func (r *round) policy(p Policy, direction Direction) PolicyStep {
	cutoff := r.At.Add(-p.Period)
	step := PolicyStep{Policy: p}
	added, addedFrees := counted(r.memory.Ups, cutoff, p.Period)
	removed, removedFrees := counted(r.memory.Downs, cutoff, p.Period)
	step.Added, step.Removed = added, removed
	step.Start = r.Current - added + removed
	if step.Frees = addedFrees; direction == Down {
		step.Frees = removedFrees
	}
	share := float64(p.Value) / 100
	switch {
	case p.Type == autoscalingv2.PodsScalingPolicy && direction == Up:
		step.Allows = step.Start + p.Value
	case p.Type == autoscalingv2.PodsScalingPolicy:
		step.Allows = step.Start - p.Value
	case direction == Up:
		step.Allows = int32(math.Ceil(float64(step.Start) * (1 + share)))
	default:
		step.Allows = int32(float64(step.Start) * (1 - share))
	}
	return step
}

// counted is the sum of changes after cutoff, and when the first of them leaves
// the period.
func counted(events []Event, cutoff time.Time, period time.Duration) (sum int32, frees time.Time) {
	for _, e := range events {
		if !e.At.After(cutoff) {
			continue
		}
		sum += e.Change
		if end := e.At.Add(period); frees.IsZero() || end.Before(frees) {
			frees = end
		}
	}
	return sum, frees
}
