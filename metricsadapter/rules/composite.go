package rules

import (
	"context"
	"sync"
	"time"

	"github.com/freshet-io/freshet/metricsadapter/fallback"
	"github.com/freshet-io/freshet/metricsadapter/formula"
	"github.com/freshet-io/freshet/scalers"
)

// Composite is the one metric that a formula makes of all.
type Composite struct {
	// Formula is compiled.
	Formula *formula.Formula
	// Target is what the HPA compares the result with.
	Target fallback.Target
	// Activation is the result above which the workload is active.
	Activation float64
}

// Input is what is known of one trigger.
type Input struct {
	// Name is its variable, and Metric its own external metric.
	Name, Metric string
	// Known is false until it was read for the first time.
	Known bool
	// Value is valid only when it is Known and Err is nil.
	Value float64
	Err   error
	// Failures counts the failures in a row.
	Failures int32
}

// Result is what a formula makes of its inputs. It is one of four: a Value; not
// Known, while inputs are unread; StandIn, when the fallback's replicas count in
// place of a value; or else an error.
type Result struct {
	Known   bool
	Value   float64
	StandIn bool
	// Err says why there is no value, also with StandIn.
	Err error
	// Failures are those of the input in Err, if that is one.
	Failures int32
}

// Evaluate applies the formula and, where inputs fail, the fallback:
//
//   - An input that fails, but for no longer than is put up with, is an error.
//   - One that the fallback holds for is nil to the formula with the behavior
//     scalingModifiers. With any other, the fallback's replicas stand in for the
//     whole formula, of which no part can be told from the others.
//   - A formula that gives nil is stood in for if the fallback holds, else an error.
func (c *Composite) Evaluate(inputs []Input, f *fallback.Spec) Result {
	var held, firm *Input
	known := true
	variables := make([]formula.Variable, 0, len(inputs))
	for i := range inputs {
		in := &inputs[i]
		v := formula.Variable{Name: in.Name, Value: in.Value}
		switch {
		case in.Err != nil && f.Holds(in.Failures):
			v = formula.Variable{Name: in.Name, Missing: true}
			if held == nil {
				held = in
			}
		case in.Err != nil:
			if firm == nil {
				firm = in
			}
		case !in.Known:
			known = false
		}
		variables = append(variables, v)
	}
	switch {
	case held != nil && !f.ByFormula():
		return held.standsIn()
	case firm != nil:
		return Result{Known: true, Err: firm.Err, Failures: firm.Failures}
	case !known:
		return Result{}
	}
	n, ok, err := c.Formula.Number(variables)
	switch {
	case err != nil:
		return Result{Known: true, Err: err}
	case !ok && held != nil:
		return held.standsIn()
	case !ok:
		return Result{Known: true, Err: scalers.ConfigurationError("the formula gives nil: it must give a number while all triggers can be read")}
	}
	return Result{Known: true, Value: n}
}

// standsIn is the result while the fallback holds for in.
func (in *Input) standsIn() Result {
	return Result{Known: true, StandIn: true, Err: in.Err, Failures: in.Failures}
}

// Active tells whether the result is activity.
func (c *Composite) Active(r Result) bool { return r.Known && r.Err == nil && r.Value > c.Activation }

// Memory is what is known of a formula's results since the process began. It is
// safe for concurrent use.
type Memory struct {
	mu         sync.Mutex
	last       outcome
	lastActive time.Time
}

// outcome is a kind of results that the controller tells from others.
type outcome uint8

const (
	unknown outcome = iota
	inactive
	active
	standing
	failing
)

// LastActive is when the formula was last seen active, or the zero time.
func (m *Memory) LastActive() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lastActive
}

// Turned tells whether the formula's outcome is of another kind than when it was
// called last: unread, active, inactive, stood in for, or an error.
func (r *Rules) Turned(now time.Time) bool {
	next := unknown
	switch result := r.Composite.Evaluate(r.Last(now), r.Fallback); {
	case result.StandIn:
		next = standing
	case result.Err != nil:
		next = failing
	case r.Composite.Active(result):
		next = active
	case result.Known:
		next = inactive
	}
	m := r.Memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if next == active {
		m.lastActive = now
	}
	turned := m.last != next
	m.last = next
	return turned
}

// CompositeMetric is the value of the formula, of readings no older than each
// trigger's freshness. All triggers are asked at the same time.
func (r *Rules) CompositeMetric(ctx context.Context, now time.Time) (float64, error) {
	if r.CompositeErr != nil {
		return 0, r.CompositeErr
	}
	inputs := make([]Input, len(r.Triggers))
	var group sync.WaitGroup
	for i := range r.Triggers {
		t := &r.Triggers[i]
		if t.Slot == nil {
			inputs[i] = t.input(scalers.Reading{}, t.Broken.Err, now)
			continue
		}
		group.Go(func() {
			reading, err := t.Slot.Fresh(ctx, now)
			inputs[i] = t.input(reading, err, now)
		})
	}
	group.Wait()
	switch result := r.Composite.Evaluate(inputs, r.Fallback); {
	case result.StandIn:
		return r.number(ctx, r.Composite.Target)
	case result.Err != nil:
		return 0, result.Err
	case !result.Known:
		return 0, scalers.UnavailableError("the triggers are being read for the first time")
	default:
		return result.Value, nil
	}
}
