// Package strategy decides how many Jobs a ScaledJob starts.
//
// [Decide] is a pure function. What the triggers read becomes one amount of work
// in work.go; each scaling strategy has a file with its arithmetic. Timelines are
// in testdata.
package strategy

import (
	"fmt"
	"math"
	"strings"
	"time"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// Spec is what the user asked for.
type Spec struct {
	// Min is how many Jobs run without work, and Max how many may run at a time,
	// those of Min among them.
	Min, Max int32
	// Strategy is how the Jobs to start follow from those that are asked for.
	Strategy kedav1alpha1.ScalingStrategyType
	// Deduction and Share are what the custom strategy subtracts: a number, and
	// that share of the running Jobs.
	Deduction int32
	Share     float64
	// Combine makes one amount of work of several.
	Combine kedav1alpha1.MultipleScalersCalculation
	// Interval is how often the triggers are read.
	Interval time.Duration
}

// Trigger is what one trigger says.
type Trigger struct {
	// Metric names it.
	Metric string
	// Known is false until it was read for the first time.
	Known bool
	// Err says why there is no value.
	Err error
	// Active tells whether it asks for Jobs.
	Active bool
	// Queue is the amount of work that was read, Target what one Job does of it.
	Queue, Target float64
	// At is when the read began.
	At time.Time
}

// State is what runs. A reading is older than what is counted: work that was done
// since it began is still in it. So Jobs that ended since count as running, and Jobs
// that began since as pending: counting them out as well would answer work twice.
type State struct {
	// Running are the Jobs that were not finished when the oldest of the readings
	// began, or were made since, and Pending those among them that had not begun.
	Running, Pending int32
	// Unfinished are the Jobs that are not finished now.
	Unfinished int32
	// Answered is when the newest reading began that Jobs were made for already.
	Answered time.Time
	// Made is when Jobs were last decided on.
	Made time.Time
}

// Outcome is the kind of a decision.
type Outcome string

// The outcomes of a decision.
const (
	// Minimum: fewer Jobs run than always should.
	Minimum Outcome = "Minimum"
	// Start: there is work for more Jobs.
	Start Outcome = "Start"
	// Enough: there is work, and as many Jobs as it asks for or as may run.
	Enough Outcome = "Enough"
	// Answered: Jobs were made for this work already; newer readings will tell of more.
	Answered Outcome = "Answered"
	// Failing: how much work there is cannot be told.
	Failing Outcome = "Failing"
	// Waiting: not every trigger was read yet, and those that were ask for nothing.
	Waiting Outcome = "Waiting"
	// Idle: no trigger is active.
	Idle Outcome = "Idle"
)

// Decision is what to do, and why.
type Decision struct {
	// Outcome is its kind.
	Outcome Outcome
	// Jobs is how many to start.
	Jobs int32
	// Why is one sentence with the arithmetic.
	Why string
	// By are the metrics that are active, and Failed those that cannot be read.
	By, Failed []string
	// Newest is when the newest of the readings began.
	Newest time.Time
	// Recheck is when time alone may change the decision; zero is never.
	Recheck time.Time
}

// Final tells whether it is known how many Jobs the work asks for.
func (d *Decision) Final() bool {
	return d.Outcome == Start || d.Outcome == Enough || d.Outcome == Idle
}

// Decide tells what to do at the moment now.
func Decide(spec Spec, triggers []Trigger, state State, now time.Time) Decision {
	d, unread := survey(triggers)
	if lacking := spec.Min - state.Unfinished; lacking > 0 {
		next := state.Made.Add(spec.Interval) // Jobs that end at once must not be made without a pause
		if state.Made.IsZero() || !next.After(now) {
			d.Outcome, d.Jobs = Minimum, lacking
			d.Why = fmt.Sprintf("%s of the minimum of %d, so %d more", runs(state.Unfinished), spec.Min, lacking)
			return d
		}
		d.Recheck = next
	}
	switch {
	case len(d.By) == 0 && len(d.Failed) > 0:
		d.Outcome, d.Why = Failing, strings.Join(d.Failed, ", ")+" cannot be read"
	case len(d.By) == 0 && len(unread) > 0:
		d.Outcome, d.Why = Waiting, "the triggers are being read for the first time"
	case len(d.By) == 0:
		d.Outcome, d.Why = Idle, "no trigger is active"
	case spec.needsAll() && len(d.Failed)+len(unread) > 0:
		d.Outcome = Failing
		d.Why = fmt.Sprintf("the %s cannot be told without %s", spec.Combine, strings.Join(append(unread, d.Failed...), ", "))
	case !d.Newest.After(state.Answered):
		d.Outcome, d.Why = Answered, "the readings were answered"
	case now.Sub(state.Made) < spec.pace():
		d.Outcome, d.Why = Answered, fmt.Sprintf("the %s strategy decides once in a polling interval", spec.Strategy)
		d.Recheck = state.Made.Add(spec.pace())
	default:
		d.start(spec, triggers, state)
	}
	return d
}

// Oldest is when the oldest reading of those that are active began.
func Oldest(triggers []Trigger) time.Time {
	var oldest time.Time
	for i := range triggers {
		if t := &triggers[i]; t.counts() && (oldest.IsZero() || t.At.Before(oldest)) {
			oldest = t.At
		}
	}
	return oldest
}

// counts tells whether the trigger takes part in the amount of work.
func (t *Trigger) counts() bool { return t.Known && t.Err == nil && t.Active }

// survey sorts the triggers.
func survey(triggers []Trigger) (d Decision, unread []string) {
	for i := range triggers {
		t := &triggers[i]
		switch {
		case t.Err != nil:
			d.Failed = append(d.Failed, t.Metric)
		case !t.Known:
			unread = append(unread, t.Metric)
		case t.Active:
			d.By = append(d.By, t.Metric)
			if t.At.After(d.Newest) {
				d.Newest = t.At
			}
		}
	}
	return d, unread
}

// pace is how long Jobs are given to take their work before the strategy is asked
// again, of those that would ask for it twice. It is half of a polling interval, so
// that no poll is lost, and bounded for the sake of events.
func (s *Spec) pace() time.Duration {
	const most = 15 * time.Second
	if s.Strategy == kedav1alpha1.ScalingStrategyEager || s.Strategy == kedav1alpha1.ScalingStrategyCustom {
		return min(s.Interval/2, most)
	}
	return 0
}

// places is how many Jobs there may be beside those of the minimum.
func (s *Spec) places() int64 { return int64(max(0, s.Max-s.Min)) }

// sum is what a strategy calculates with. Jobs of the minimum are left out.
type sum struct {
	// asked is how many Jobs the work asks for, at most places.
	asked int64
	// running and pending are Jobs, as in [State].
	running, pending int64
	// places is how many may run.
	places int64
}

// start has the strategy tell how many Jobs to start. There are never more than
// there are items of work, nor than may run.
func (d *Decision) start(spec Spec, triggers []Trigger, state State) {
	w := combine(spec, triggers)
	s := sum{asked: w.asked(), places: spec.places(), pending: int64(state.Pending), running: int64(max(0, state.Running-spec.Min))}
	n, arithmetic := spec.limit(s)
	n = min(n, s.places-s.running)
	if spec.Strategy != kedav1alpha1.ScalingStrategyEager {
		n = min(n, w.items())
	}
	n = max(0, n)
	d.Outcome, d.Jobs = Enough, int32(min(n, math.MaxInt32))
	if n > 0 {
		d.Outcome = Start
	}
	d.Why = fmt.Sprintf("%s; %s: %s, so %d more", w.why, spec.name(), arithmetic, n)
}

// name is how sentences call the strategy.
func (s *Spec) name() string {
	if s.Strategy == "" {
		return string(kedav1alpha1.ScalingStrategyDefault)
	}
	return string(s.Strategy)
}

// limit is how many more Jobs the strategy wants, and how it comes to that.
func (s *Spec) limit(in sum) (n int64, arithmetic string) {
	switch s.Strategy {
	case kedav1alpha1.ScalingStrategyAccurate:
		return accurate(in)
	case kedav1alpha1.ScalingStrategyEager:
		return eager(in)
	case kedav1alpha1.ScalingStrategyCustom:
		return custom(in, int64(s.Deduction), s.Share)
	case kedav1alpha1.ScalingStrategyDefault:
	}
	return standard(in)
}

// runs says how many Jobs run.
func runs(n int32) string {
	if n == 1 {
		return "1 runs"
	}
	return fmt.Sprintf("%d run", n)
}
