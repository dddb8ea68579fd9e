package kube

import (
	"errors"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // zones are there whatever the image holds

	"github.com/robfig/cron/v3"

	"github.com/freshet-io/freshet/scalers/conn"
)

var (
	cronParser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	// zones are those that were loaded: they are large, few and never change.
	zones sync.Map
)

// loadZone returns the time zone of an IANA name.
func loadZone(name string) (*time.Location, error) {
	if known, ok := zones.Load(name); ok {
		return known.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says more
	}
	known, _ := zones.LoadOrStore(name, zone)
	return known.(*time.Location), nil
}

// schedule is a cron expression on the clocks of a time zone. What it names of
// an hour that the clocks skip comes when they skip it, and what it names of one
// that they repeat comes the first time, so that no day lacks its start or has it
// twice. One of every hour goes on through both.
type schedule struct {
	spec *cron.SpecSchedule // of clock times, written as UTC
	zone *time.Location
}

// parseSchedule reads the five fields. An expression that never comes is an error.
func parseSchedule(text string, zone *time.Location) (schedule, error) {
	if strings.Contains(text, "=") { // the parser would take a time zone
		return schedule{}, errors.New("a schedule names no time zone")
	}
	parsed, err := cronParser.Parse(text)
	if err != nil {
		return schedule{}, errors.New(conn.Quote(err.Error())) // it has the text as the user wrote it
	}
	s := schedule{spec: parsed.(*cron.SpecSchedule), zone: zone}
	s.spec.Location = time.UTC
	const year = 2020 // the parser looks five years ahead, and this one has a 29 February
	if s.next(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return schedule{}, errors.New("there is no such date")
	}
	return s, nil
}

// next is when the schedule comes first after t, or the zero time when that is
// more than five years away.
func (s schedule) next(t time.Time) time.Time {
	const star = 1 << 63 // by which the parser marks a field that has every value
	if s.spec.Hour&star != 0 {
		return s.nextOfEveryHour(t)
	}
	for clock := s.spec.Next(clockAt(t, s.zone)); !clock.IsZero(); clock = s.spec.Next(clock) {
		if at := instantOf(clock, s.zone); at.After(t) {
			return at
		}
	}
	return time.Time{}
}

// nextOfEveryHour is next by clocks that nobody sets, from each time that they
// are set to the next one.
func (s schedule) nextOfEveryHour(t time.Time) time.Time {
	clock := clockAt(t, s.zone)
	for {
		_, offset := t.In(s.zone).Zone()
		_, end := t.In(s.zone).ZoneBounds()
		clock = s.spec.Next(clock)
		if clock.IsZero() {
			return clock
		}
		at := clock.Add(-time.Duration(offset) * time.Second)
		if end.IsZero() || at.Before(end) {
			return at
		}
		t, clock = end, clockAt(end, s.zone).Add(-1)
	}
}

// last is when the schedule came last, at t or before, or the zero time when that
// is more than five years ago.
func (s schedule) last(t time.Time) time.Time {
	came := func(from time.Time) bool {
		at := s.next(from)
		return !at.IsZero() && !at.After(t)
	}
	low, high := t.AddDate(-5, 0, 0), t
	if !came(low) {
		return time.Time{}
	}
	for high.Sub(low) > time.Second {
		if middle := low.Add(high.Sub(low) / 2); came(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return s.next(low)
}

// clockAt is what a clock of the zone shows at t, as if it were UTC.
func clockAt(t time.Time, zone *time.Location) time.Time {
	_, offset := t.In(zone).Zone()
	return t.Add(time.Duration(offset) * time.Second).UTC()
}

// instantOf is when a clock of the zone shows what clock, of clockAt, is: for the
// first time or, if it never does, when it is set past it.
func instantOf(clock time.Time, zone *time.Location) time.Time {
	at := time.Date(clock.Year(), clock.Month(), clock.Day(), clock.Hour(), clock.Minute(), clock.Second(), clock.Nanosecond(), zone)
	start, end := at.ZoneBounds()
	switch shown := clockAt(at, zone); {
	case shown.After(clock):
		return start
	case shown.Before(clock):
		return end
	case start.IsZero():
		return at
	}
	_, offset := start.Add(-1).Zone()
	if earlier := clock.Add(-time.Duration(offset) * time.Second); earlier.Before(start) {
		return earlier
	}
	return at
}
