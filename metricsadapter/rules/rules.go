// Package rules is what an object asks for beyond the readings of its triggers: a
// formula that makes one number of them, and a fallback that stands in for those
// that cannot be read. The metrics adapter and the controller both go by it, so that
// the HPA and the steps between 0 and N never disagree.
//
// composite.go holds the pure function; a [Book] has the rules of all objects.
package rules

import (
	"context"
	"strings"
	"time"

	"github.com/freshet-io/freshet/metricsadapter/fallback"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers"
)

// Rules are those of one object. They do not change once they are in a [Book].
type Rules struct {
	// Fallback is nil when there is none.
	Fallback *fallback.Spec
	// Composite is nil without a formula. CompositeErr says why there is a formula
	// that cannot be used.
	Composite    *Composite
	CompositeErr error
	// Memory is what outlives a change of the rules; needed with a Composite.
	Memory *Memory
	// Triggers are those that are read, or cannot even be built.
	Triggers []Trigger
	// Targets are what the HPA compares each external metric with, by the metric's
	// name in lower case. Needed with a Fallback only.
	Targets map[string]fallback.Target
	// Workload tells what is being scaled. Needed with a Fallback only.
	Workload Workload
}

// Workload tells what is being scaled.
type Workload interface {
	// Look finds the count that it is asked to have. ready counts those of its pods
	// that are ready, without looking at the workload again.
	Look(ctx context.Context) (replicas int32, ready func(context.Context) (int32, error), err error)
}

// Trigger is one trigger: it has a Slot, or is Broken.
type Trigger struct {
	// Name is its variable in the formula.
	Name string
	// Metric is its external metric.
	Metric string
	// Slot has its readings.
	Slot *store.Slot
	// Broken says why it cannot be built.
	Broken *Broken
}

// Broken is a trigger that cannot be built, so that nothing is read. Each polling
// interval that it stays so counts as a failed read.
type Broken struct {
	// Err says what to change.
	Err error
	// Since is when it was first seen to be broken, and Carried how many failures
	// there had been before.
	Since   time.Time
	Carried int32
	// Interval is the polling interval.
	Interval time.Duration
}

// Failures counts the failures in a row at a moment.
func (b *Broken) Failures(now time.Time) int32 {
	const most = 1 << 30
	passed := int64(max(0, now.Sub(b.Since)) / max(b.Interval, time.Millisecond))
	return int32(min(int64(b.Carried)+1+passed, most))
}

// Reaches is when the failures come to be n.
func (b *Broken) Reaches(n int32) time.Time {
	return b.Since.Add(time.Duration(max(0, n-1-b.Carried)) * b.Interval)
}

// Failures counts the reads in a row that failed.
func (t *Trigger) Failures(now time.Time) int32 {
	if t.Slot == nil {
		return t.Broken.Failures(now)
	}
	return t.Slot.Failures()
}

// Last are the last readings of all triggers.
func (r *Rules) Last(now time.Time) []Input {
	inputs := make([]Input, len(r.Triggers))
	for i := range r.Triggers {
		t := &r.Triggers[i]
		if t.Slot == nil {
			inputs[i] = t.input(scalers.Reading{}, t.Broken.Err, now)
			continue
		}
		reading := t.Slot.Reading()
		inputs[i] = t.input(reading, reading.Err, now)
	}
	return inputs
}

// input is what a reading says to the formula.
func (t *Trigger) input(r scalers.Reading, err error, now time.Time) Input {
	in := Input{Name: t.Name, Metric: t.Metric, Known: r.Known(), Value: r.Value.Metric, Err: err, Failures: t.Failures(now)}
	switch series := r.Value.Series; {
	case err != nil, len(series) == 0:
	case len(series) == 1:
		in.Value = series[0].Value
	default:
		in.Err = scalers.ConfigurationError("trigger %s gives %d metrics, which the formula cannot tell apart: "+
			"make a trigger for each", t.Name, len(series))
	}
	return in
}

// broken finds the trigger that has the metric and cannot be built.
func (r *Rules) broken(metric string) *Broken {
	for i := range r.Triggers {
		if t := &r.Triggers[i]; t.Broken != nil && strings.EqualFold(t.Metric, metric) {
			return t.Broken
		}
	}
	return nil
}

// StandIn is the value of a metric that cannot be read: cause says why, and
// failures how often in a row. The error is cause where the fallback does not hold.
func (r *Rules) StandIn(ctx context.Context, metric string, failures int32, cause error) (float64, error) {
	target, ok := r.Targets[strings.ToLower(metric)]
	if !ok || !r.Fallback.Holds(failures) {
		return 0, cause
	}
	return r.number(ctx, target)
}

// lookUp bounds how long it may take to find out what is being scaled.
const lookUp = 3 * time.Second

// number is the value that brings the HPA to the replicas of the fallback. The
// workload is looked at once at most, and its pods only on the way there.
func (r *Rules) number(ctx context.Context, target fallback.Target) (float64, error) {
	if !target.Total && !r.Fallback.NeedsCurrent() {
		return target.Number(r.Fallback.Count(0), 0, 0)
	}
	ctx, cancel := context.WithTimeout(ctx, lookUp)
	defer cancel()
	current, readyPods, err := r.Workload.Look(ctx)
	if err != nil {
		return 0, scalers.UnavailableError("finding the replicas of the fallback: %w", err)
	}
	count, ready := r.Fallback.Count(current), int32(0)
	if target.Total && count != current {
		if ready, err = readyPods(ctx); err != nil {
			return 0, scalers.UnavailableError("counting the pods that are ready, for the fallback: %w", err)
		}
	}
	return target.Number(count, current, ready)
}

// BrokenMetric is the value of the metric of a trigger that cannot be built. known
// is false when the object has no such trigger.
func (r *Rules) BrokenMetric(ctx context.Context, metric string, now time.Time) (number float64, known bool, err error) {
	b := r.broken(metric)
	if b == nil {
		return 0, false, nil
	}
	number, err = r.StandIn(ctx, metric, b.Failures(now), b.Err)
	return number, true, err
}
