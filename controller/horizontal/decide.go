package horizontal

import "time"

// Decide is one sync of the controller at the moment now. It returns what the
// controller does and what it remembers afterwards; the memory given is left as
// it is.
func Decide(spec *Spec, in *Input, memory Memory, now time.Time) (Decision, Memory) {
	r := round{
		spec: spec, in: in, memory: memory.clone(),
		Decision: Decision{At: now, Current: in.Replicas, Desired: in.Replicas, Winner: -1},
	}
	r.run()
	return r.Decision, r.memory
}

// round is one sync under way.
type round struct {
	Decision
	spec   *Spec
	in     *Input
	memory Memory
}

func (r *round) run() {
	if r.in.ScaleErr != nil {
		r.Outcome, r.Err = NoTarget, r.in.ScaleErr
		r.says(ableToScale, false, "FailedGetScale")
		return
	}
	r.says(ableToScale, true, "SucceededGetScale")
	r.memory.begin(r.in.Replicas, r.At)
	r.enter()
	switch r.Outcome {
	case Disabled:
		return
	case Computed:
		if r.measure(); r.Outcome == Failed {
			return
		}
		r.stabilize()
		r.limit()
	}
	r.write()
}

// write is the end of a round that has a count to have.
func (r *round) write() {
	if r.Desired == r.Current {
		return
	}
	if r.in.WriteErr != nil {
		r.Err = r.in.WriteErr
		r.says(ableToScale, false, "FailedUpdateScale")
		return
	}
	r.Rescaled = true
	r.says(ableToScale, true, "SucceededRescale")
	r.memory.scaled(r.spec, r.Current, r.Desired, r.At)
	if r.Current > 0 && r.Desired == 0 && r.spec.Min == 0 && r.spec.ScalesToZero() {
		r.says(scaledToZero, true, "ScaledToZero")
	} else {
		r.says(scaledToZero, false, "NotScaledToZero")
	}
}
