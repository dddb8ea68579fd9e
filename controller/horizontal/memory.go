package horizontal

import (
	"slices"
	"time"
)

// Memory is what the controller keeps of an HPA from sync to sync. It is lost
// when the controller starts anew; the zero value is that of an HPA it sees for
// the first time.
type Memory struct {
	// Recommendations are what the metrics asked for in earlier syncs, before any
	// limit: what the stabilization windows look back on. They are in no order.
	Recommendations []Recommendation
	// Ups and Downs are the changes that policies count. They are in no order.
	Ups, Downs []Event
}

// Recommendation is what the metrics asked for at a time.
type Recommendation struct {
	Replicas int32
	At       time.Time
}

// Event is a change of the replica count.
type Event struct {
	// Change is how many came or went.
	Change int32
	At     time.Time
	// Outdated marks an event whose place the next one may take.
	Outdated bool
}

func (m Memory) clone() Memory {
	return Memory{slices.Clone(m.Recommendations), slices.Clone(m.Ups), slices.Clone(m.Downs)}
}

// begin has the count that an HPA was found with stand for what was asked before.
func (m *Memory) begin(replicas int32, now time.Time) {
	if len(m.Recommendations) == 0 {
		m.Recommendations = []Recommendation{{Replicas: replicas, At: now}}
	}
}

// recommend keeps what the metrics ask for, in the place of the one at index old
// that no window looks back on; -1 when there is none.
func (m *Memory) recommend(replicas int32, now time.Time, old int) {
	this := Recommendation{Replicas: replicas, At: now}
	if old >= 0 {
		m.Recommendations[old] = this
		return
	}
	m.Recommendations = append(m.Recommendations, this)
}

// Scaled returns the memory after a change of the count that was not decided
// here, but that the controller is known to have made.
func (m Memory) Scaled(spec *Spec, from, to int32, at time.Time) Memory {
	m = m.clone()
	m.scaled(spec, from, to, at)
	return m
}

// scaled keeps a change for the policies to count. Without a behavior nothing
// counts it.
func (m *Memory) scaled(spec *Spec, from, to int32, now time.Time) {
	switch {
	case spec.Up == nil:
	case to > from:
		m.Ups = happened(m.Ups, spec.Up, to-from, now)
	default:
		m.Downs = happened(m.Downs, spec.Down, from-to, now)
	}
}

// happened keeps an event, in the place of one that was outdated in a sync with a
// change in this direction.
func happened(events []Event, rules *Rules, change int32, now time.Time) []Event {
	longest := time.Duration(0)
	for _, p := range rules.Policies {
		longest = max(longest, p.Period)
	}
	cutoff, old := now.Add(-longest), -1
	for i := range events {
		if events[i].At.Before(cutoff) {
			events[i].Outdated = true
		}
		if events[i].Outdated {
			old = i
		}
	}
	this := Event{Change: change, At: now}
	if old >= 0 {
		events[old] = this
		return events
	}
	return append(events, this)
}
