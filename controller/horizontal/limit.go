package horizontal

// Without a behavior a target may at most double in a sync, but always reach four.
const (
	growthFactor = 2
	growthFloor  = 4
)

// limit holds the count to what the policies, the maximum and the minimum allow.
func (r *round) limit() {
	from := r.Stabilization.To
	r.Limit = Limit{From: from, To: from, Decisive: -1}
	switch {
	case from > r.Current:
		r.Limit.Direction = Up
	case from < r.Current:
		r.Limit.Direction = Down
	}
	if r.spec.Up == nil {
		r.limitPlainly()
	} else {
		r.limitByBehavior()
	}
	r.says(scalingLimited, r.Limit.To != from, r.Limit.reason())
	r.Desired = r.Limit.To
	// Somebody raised the minimum of a target that this HPA took to zero.
	if r.Current == 0 && r.spec.Min != 0 && r.Desired < r.spec.Min {
		r.Desired, r.Limit.Raised = r.spec.Min, true
	}
}

// limitPlainly is the rule without a behavior.
func (r *round) limitPlainly() {
	l := &r.Limit
	allowed := r.firstLimit()
	l.Allowed = &allowed
	switch {
	case l.From < r.spec.Min:
		l.To, l.Bound = r.spec.Min, ByMin
	case l.From > min(allowed, r.spec.Max):
		l.cap(allowed, r.spec.Max)
	}
}

// limitByBehavior is the rule with one.
func (r *round) limitByBehavior() {
	l := &r.Limit
	if l.Direction == "" {
		return
	}
	allowed := r.allow(l.Direction)
	if l.Direction == Up {
		allowed = max(allowed, r.Current)
		if l.From > min(allowed, r.spec.Max) {
			l.cap(allowed, r.spec.Max)
		}
	} else {
		allowed = min(allowed, r.Current)
		if l.From < max(allowed, r.spec.Min) {
			if l.To, l.Bound = r.spec.Min, ByMin; r.spec.Min < allowed {
				l.To, l.Bound = allowed, ByPolicy
			}
		}
	}
	l.Allowed = &allowed
}

// cap lowers the count to what is allowed or the maximum, whichever is less.
func (l *Limit) cap(allowed, most int32) {
	if l.To, l.Bound = most, ByMax; most > allowed {
		l.To, l.Bound = allowed, ByPolicy
	}
}

// reason is that of the condition ScalingLimited.
func (l *Limit) reason() string {
	switch {
	case l.Bound == ByMax:
		return "TooManyReplicas"
	case l.Bound == ByMin:
		return "TooFewReplicas"
	case l.Bound == ByPolicy && l.Direction == Down:
		return "ScaleDownLimit"
	case l.Bound == ByPolicy:
		return "ScaleUpLimit"
	default:
		return "DesiredWithinRange"
	}
}

// firstLimit is how far up a target may go in one sync without a behavior.
func (r *round) firstLimit() int32 {
	return int32(max(growthFactor*float64(r.Current), growthFloor))
}
