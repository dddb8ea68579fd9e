package observe_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
	"github.com/freshet-io/freshet/scalers/scalertest"
)

// world is an engine with triggers, which are read once in a test unless their
// interval is made short.
type world struct {
	t        testing.TB
	engine   *poll.Engine
	interval time.Duration
	sinks    []*scalertest.Sink
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return &world{t: t, interval: time.Hour, engine: scalertest.Engine(t, poll.Options{})}
}

// add has the scaler read as the trigger of an object of its own.
func (w *world) add(s *scalers.Scaler) {
	sink := &scalertest.Sink{}
	w.sinks = append(w.sinks, sink)
	w.engine.Set(poll.Key{Name: fmt.Sprint(len(w.sinks))}, []poll.Member{{Scaler: s, Interval: w.interval, Sink: sink}})
}

// readings waits for one of every trigger.
func (w *world) readings() []scalers.Reading {
	w.t.Helper()
	var all []scalers.Reading
	for _, s := range w.sinks {
		all = append(all, s.Until(w.t, "a reading", scalers.Reading.Known))
	}
	return all
}
