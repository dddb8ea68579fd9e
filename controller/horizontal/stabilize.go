package horizontal

import "time"

// stabilize looks back on what was asked for lately: going up the count is the
// least of the window for up, going down the most of the window for down.
func (r *round) stabilize() {
	r.Stabilization = Stabilization{From: r.Proposed, To: r.Proposed}
	var old int
	if r.spec.Up == nil {
		old = r.stabilizeDown()
	} else {
		old = r.stabilizeBoth()
	}
	r.memory.recommend(r.Proposed, r.At, old)
	s := &r.Stabilization
	switch s.Held {
	case Up:
		r.says(ableToScale, true, "ScaleUpStabilized")
	case Down:
		r.says(ableToScale, true, "ScaleDownStabilized")
	default:
		r.says(ableToScale, true, "ReadyForNewScale")
	}
}

// stabilizeDown is the rule without a behavior: the most that was asked for in
// the controller's window counts. It returns the index of a recommendation that
// has left it, or -1.
func (r *round) stabilizeDown() int {
	s := &r.Stabilization
	window := r.spec.Settings.DownscaleStabilization
	cutoff, old := r.At.Add(-window), -1
	for i, rec := range r.memory.Recommendations {
		if rec.At.Before(cutoff) {
			old = i
			continue
		}
		if rec.Replicas > s.To || s.Held == Down && rec.Replicas == s.To && rec.At.After(s.By.At) {
			s.To, s.Held, s.By, s.Window = rec.Replicas, Down, rec, window
		}
	}
	if s.Held == Down {
		s.Until = s.By.At.Add(window + time.Nanosecond) // at its very end it still holds
	}
	return old
}

// stabilizeBoth is the rule with a behavior. It returns the index of a
// recommendation that has left both windows, or -1.
func (r *round) stabilizeBoth() int {
	upCutoff, downCutoff := r.At.Add(-r.spec.Up.Window), r.At.Add(-r.spec.Down.Window)
	least, most := Recommendation{Replicas: r.Proposed}, Recommendation{Replicas: r.Proposed}
	old := -1
	for i, rec := range r.memory.Recommendations {
		if rec.At.After(upCutoff) && (rec.Replicas < least.Replicas || rec.Replicas == least.Replicas && rec.At.After(least.At)) {
			least = rec
		}
		if rec.At.After(downCutoff) && (rec.Replicas > most.Replicas || rec.Replicas == most.Replicas && rec.At.After(most.At)) {
			most = rec
		}
		if rec.At.Before(upCutoff) && rec.At.Before(downCutoff) {
			old = i
		}
	}
	s := &r.Stabilization
	s.To = min(max(r.Current, least.Replicas), most.Replicas)
	switch {
	case s.To == s.From:
	case s.From >= r.Current:
		s.Held, s.By, s.Window = Up, least, r.spec.Up.Window
	default:
		s.Held, s.By, s.Window = Down, most, r.spec.Down.Window
	}
	if s.Held != "" {
		s.Until = s.By.At.Add(s.Window)
	}
	return old
}
