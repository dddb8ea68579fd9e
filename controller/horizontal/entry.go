package horizontal

// enter finds out whether the metrics are asked at all. A count outside the
// bounds is put right without them, and without windows and policies.
func (r *round) enter() {
	switch {
	case r.Current == 0 && !r.leavesZero():
		r.Outcome = Disabled
		r.says(scalingActive, false, "ScalingDisabled")
	case r.Current == 0:
		r.Outcome = Computed
	case r.Current > r.spec.Max:
		r.Outcome, r.Desired = AboveMax, r.spec.Max
	case r.Current < r.spec.Min:
		r.Outcome, r.Desired = BelowMin, r.spec.Min
	default:
		r.Outcome = Computed
	}
}

// leavesZero tells whether the HPA takes the target up again: it was this HPA
// that went to zero, and a metric can be read without pods, or its minimum has
// been raised since.
func (r *round) leavesZero() bool {
	return r.in.ScaledToZero && (r.spec.Min != 0 || r.spec.ScalesToZero())
}
