package store

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/poll"
)

// Trigger is what is known of a trigger besides its readings.
type Trigger struct {
	// Metric is the external metric's name, such as s0-redis-orders.
	Metric string
	// Named tells that the source names the metrics, all of which begin with the
	// prefix of the trigger's place. Metric then only stands for them.
	Named bool
	// Index is its place in spec.triggers.
	Index int
	// Label names it in self-metrics: its name, or its kind's label.
	Label string
	// Type is the trigger type, such as redis.
	Type string
	// Fingerprint identifies its resolved configuration.
	Fingerprint param.Fingerprint
	// Freshness is how old a reading may be when the HPA asks; 0 asks for a
	// reading made on the HPA's behalf.
	Freshness time.Duration
}

// Refresher reads a trigger now. See [poll.Subscription.Refresh].
type Refresher interface {
	Refresh(ctx context.Context) error
}

// Slot is the place of one trigger's last reading. It is safe for concurrent
// use; its Trigger does not change.
type Slot struct {
	Trigger
	key     poll.Key
	changed func(poll.Key)

	mu         sync.Mutex
	reading    scalers.Reading
	series     []scalers.Series
	lastActive time.Time
	errors     uint64
	empties    Empties
	failures   int32
	alarm      int32
	follower   func()
	refresher  Refresher
}

// Key names the object that the trigger is of.
func (s *Slot) Key() poll.Key { return s.key }

// Put is called by the engine with each new reading.
func (s *Slot) Put(r scalers.Reading) {
	s.mu.Lock()
	old := s.reading
	s.reading = r
	if r.Active {
		s.lastActive = r.At
	}
	s.failures++
	s.empties.count(r)
	if r.Err != nil {
		s.errors++
	} else {
		s.failures = 0
	}
	renamed := r.Err == nil && !sameMetrics(s.series, r.Value.Series)
	if r.Err == nil {
		s.series = r.Value.Series
	}
	alarmed := s.alarm > 0 && s.failures == s.alarm
	follower := s.follower
	s.mu.Unlock()
	if alarmed || !old.Known() || old.Active != r.Active || !sameError(old.Err, r.Err) || renamed {
		s.changed(s.key)
	}
	if follower != nil {
		follower()
	}
}

// sameMetrics tells whether the HPA is given the same metrics and targets.
func sameMetrics(a, b []scalers.Series) bool {
	return slices.EqualFunc(a, b, func(a, b scalers.Series) bool { return a.Name == b.Name && a.Target == b.Target })
}

// sameError tells whether two errors are one to the controller: both absent, or
// of one class. Their texts may differ from read to read.
func sameError(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return scalers.ClassOf(a) == scalers.ClassOf(b)
}

// Bind tells the slot how to read its trigger now.
func (s *Slot) Bind(r Refresher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresher = r
}

// Reading returns the last reading.
func (s *Slot) Reading() scalers.Reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reading
}

// Series returns what the source last said its metrics were, of a trigger that
// is Named. The caller must not change it.
func (s *Slot) Series() []scalers.Series {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.series
}

// ValueOf returns the number of a metric of the trigger in a reading of it.
func (s *Slot) ValueOf(r scalers.Reading, metric string) (float64, error) {
	if !s.Named {
		return r.Value.Metric, nil
	}
	for _, m := range r.Value.Series {
		if strings.EqualFold(scalers.MetricPrefix(s.Index)+m.Name, metric) {
			return m.Value, nil
		}
	}
	return 0, scalers.UnavailableError("the source does not give a metric of this name any more")
}

// LastActive returns when the trigger was last seen active, or the zero time.
func (s *Slot) LastActive() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastActive
}

// Errors counts the readings that failed.
func (s *Slot) Errors() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.errors
}

// Empties counts the readings of which the source answered with nothing.
func (s *Slot) Empties() Empties {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.empties
}

// Failures counts the readings that failed since the last that did not.
func (s *Slot) Failures() int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failures
}

// Fresh returns a value no older than the trigger's freshness, reading it anew
// when the last one is older or failed. The error says why there is none.
func (s *Slot) Fresh(ctx context.Context, now time.Time) (scalers.Reading, error) {
	s.mu.Lock()
	old, refresher := s.reading, s.refresher
	s.mu.Unlock()
	if s.young(old, now) {
		return old, nil
	}
	if refresher == nil {
		return old, scalers.UnavailableError("the trigger is not being read yet")
	}
	if err := refresher.Refresh(ctx); err != nil {
		return old, err
	}
	r := s.Reading()
	if r.At.Equal(old.At) && r.At.Before(now) { // the object changed meanwhile, and its readings go elsewhere
		return r, scalers.UnavailableError("the trigger is not being read any more")
	}
	return r, r.Err
}

// young tells whether r is a value that may still be given to the HPA.
func (s *Slot) young(r scalers.Reading, now time.Time) bool {
	return r.Known() && r.Err == nil && s.Freshness > 0 && now.Sub(r.At) <= s.Freshness
}

// Resume has a slot that nothing was put into begin with so many failures in a row:
// those that were counted before this process began.
func (s *Slot) Resume(failures int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.reading.Known() && s.failures == 0 {
		s.failures = failures
	}
}

// Alarm has a change told also when the failures in a row come to be n; 0 is never.
func (s *Slot) Alarm(n int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alarm = n
}

// Follow has f called after every reading; nil ends that. f must not block.
func (s *Slot) Follow(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.follower = f
}
