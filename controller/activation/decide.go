// Package activation decides 0 ↔ N: whether a workload leaves its idle
// replicas, for how many, and when it returns to them. Between, the HPA scales.
//
// [Decide] is a pure function. Its timelines are in testdata.
package activation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/freshet-io/freshet/metricsadapter/fallback"
)

// Spec is what the user asked for.
type Spec struct {
	// Min and Max bound the replicas while active; Idle, when set, is the
	// count while inactive.
	Min, Max int32
	Idle     *int32
	// Cooldown is how long the workload stays up after it was last active;
	// InitialCooldown how long after its creation, while it never was.
	Cooldown, InitialCooldown time.Duration
	// Behavior is the HPA's, whose scale-up rules hold for activation too.
	Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior
	// Fallback, when set, is what stands in for triggers that fail: one that asks
	// for more than the idle replicas is as good as an active trigger.
	Fallback *fallback.Spec
	// Forced activates whatever the triggers say.
	Forced bool
	// Paused leaves the replicas as they are; PausedScaleIn never lowers and
	// PausedScaleOut never raises them.
	Paused, PausedScaleIn, PausedScaleOut bool
}

// Trigger is what one trigger says.
type Trigger struct {
	// Metric names it.
	Metric string
	// Known is false until the trigger was read for the first time.
	Known bool
	// Err says why there is no value; Failures counts them in a row.
	Err      error
	Failures int32
	// Active tells whether it asks for replicas.
	Active bool
	// Value is what was read, and Target what one replica should handle, or
	// with Total what all replicas together should.
	Value, Target float64
	Total         bool
}

// State is what the workload is like.
type State struct {
	// Replicas is the count that the workload is asked to have.
	Replicas int32
	// LastActive is when a trigger was last seen active; zero is never.
	LastActive time.Time
	// Created is when the object came to be.
	Created time.Time
}

// Outcome is the kind of a decision.
type Outcome string

// The outcomes of a decision.
const (
	// Paused: an annotation forbids any change.
	Paused Outcome = "Paused"
	// Waiting: not every trigger was read yet, and those that were ask for nothing.
	Waiting Outcome = "Waiting"
	// Activated: the workload leaves its idle replicas.
	Activated Outcome = "Activated"
	// Active: the workload is up and a trigger is active; the HPA scales.
	Active Outcome = "Active"
	// Failing: no trigger is active and some cannot be read, so nothing changes.
	Failing Outcome = "Failing"
	// Cooling: inactive, but not for long enough.
	Cooling Outcome = "Cooling"
	// Deactivated: the workload goes to its idle replicas.
	Deactivated Outcome = "Deactivated"
	// Raised: inactive and below the minimum, which is restored.
	Raised Outcome = "Raised"
	// Idle: inactive, and at the replicas that are wanted then.
	Idle Outcome = "Idle"
)

// Decision is what to do, and why.
type Decision struct {
	// Outcome is the row of the decision table.
	Outcome Outcome
	// Replicas is the count to set; nil leaves it alone.
	Replicas *int32
	// Why is one sentence.
	Why string
	// By are the metrics that are active, or whose fallback asks for replicas.
	By []string
	// Failed are the metrics that cannot be read, and StoodIn those among them
	// that the fallback holds for.
	Failed, StoodIn []string
	// Recheck is when time alone may change the decision; zero is never.
	Recheck time.Time
}

// Decide tells what to do at the moment now.
func Decide(spec Spec, triggers []Trigger, state State, now time.Time) Decision {
	d := survey(spec, triggers, state.Replicas)
	firm := d.firmlyFailed()
	switch {
	case spec.Paused:
		d.Outcome, d.Why = Paused, "scaling is paused by an annotation"
		return d
	case len(d.By) > 0 || spec.Forced:
		return active(d, spec, triggers, state)
	case len(firm) > 0:
		d.Outcome = Failing
		d.Why = fmt.Sprintf("%s cannot be read, so the %d replicas stay", strings.Join(firm, ", "), state.Replicas)
		return d
	case unread(triggers):
		d.Outcome, d.Why = Waiting, "the triggers are being read for the first time"
		return d
	default:
		return inactive(d, spec, state, now)
	}
}

// Asking are the metrics that keep a workload with so many replicas up: those that
// are active, or whose fallback asks for replicas.
func Asking(spec Spec, triggers []Trigger, replicas int32) []string {
	return survey(spec, triggers, replicas).By
}

// survey sorts the triggers into active, failed and stood-in ones.
func survey(spec Spec, triggers []Trigger, replicas int32) Decision {
	var d Decision
	for i := range triggers {
		t := &triggers[i]
		if t.Err == nil {
			if t.Known && t.Active {
				d.By = append(d.By, t.Metric)
			}
			continue
		}
		d.Failed = append(d.Failed, t.Metric)
		if spec.Fallback.Holds(t.Failures) {
			d.StoodIn = append(d.StoodIn, t.Metric)
			if spec.Fallback.Count(replicas) > spec.resting() {
				d.By = append(d.By, t.Metric)
			}
		}
	}
	return d
}

// resting is how many replicas need no trigger to be there.
func (s *Spec) resting() int32 {
	if s.Idle != nil {
		return *s.Idle
	}
	return 0
}

// firmlyFailed are the metrics that cannot be read and that nothing stands in for.
func (d *Decision) firmlyFailed() []string {
	var firm []string
	for _, metric := range d.Failed {
		if !slices.Contains(d.StoodIn, metric) {
			firm = append(firm, metric)
		}
	}
	return firm
}

func unread(triggers []Trigger) bool {
	for _, t := range triggers {
		if !t.Known && t.Err == nil {
			return true
		}
	}
	return false
}

// cause names what keeps the workload up.
func (d *Decision) cause() string {
	if len(d.By) == 0 {
		return "force-activation"
	}
	names := make([]string, len(d.By))
	for i, metric := range d.By {
		if names[i] = metric; slices.Contains(d.StoodIn, metric) {
			names[i] = "fallback of " + metric
		}
	}
	return strings.Join(names, ", ")
}

func active(d Decision, spec Spec, triggers []Trigger, state State) Decision {
	cause := d.cause()
	if state.Replicas != 0 && (spec.Idle == nil || state.Replicas >= spec.Min) {
		d.Outcome = Active
		d.Why = fmt.Sprintf("%s active: the HPA scales between %d and %d", cause, max(1, spec.Min), spec.Max)
		return d
	}
	if spec.PausedScaleOut {
		d.Outcome, d.Why = Paused, "scaling out is paused by an annotation"
		return d
	}
	want, why := demand(spec, triggers, state.Replicas)
	d.Outcome, d.Replicas = Activated, &want
	d.Why = fmt.Sprintf("%s active: %s", cause, why)
	return d
}

func inactive(d Decision, spec Spec, state State, now time.Time) Decision {
	rest := spec.Min
	if spec.Idle != nil {
		rest = *spec.Idle
	}
	goesDown := state.Replicas > rest && (spec.Idle != nil || spec.Min == 0)
	belowMin := state.Replicas < spec.Min && spec.Idle == nil
	over := cooldownEnd(spec, state)
	switch {
	case goesDown && spec.PausedScaleIn:
		d.Outcome, d.Why = Paused, "scaling in is paused by an annotation"
	case goesDown && now.Before(over):
		d.Outcome, d.Recheck = Cooling, over
		d.Why = "no trigger is active, and the cooldown is not over"
	case goesDown:
		d.Outcome, d.Replicas = Deactivated, &rest
		d.Why = "no trigger is active, and the cooldown is over"
	case belowMin && spec.PausedScaleOut:
		d.Outcome, d.Why = Paused, "scaling out is paused by an annotation"
	case belowMin:
		d.Outcome, d.Replicas = Raised, &rest
		d.Why = fmt.Sprintf("no trigger is active, and %d replicas are below the minimum", state.Replicas)
	default:
		d.Outcome, d.Why = Idle, "no trigger is active"
	}
	return d
}

// cooldownEnd is when a workload that is inactive may go down.
func cooldownEnd(spec Spec, state State) time.Time {
	if state.LastActive.IsZero() {
		return state.Created.Add(spec.InitialCooldown)
	}
	return state.LastActive.Add(spec.Cooldown)
}
