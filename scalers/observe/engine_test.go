package observe_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
)

// world is an engine with triggers, which are read once in a test unless their
// interval is made short.
type world struct {
	t        testing.TB
	engine   *poll.Engine
	interval time.Duration
	sinks    []*sink
}

func newWorld(t testing.TB) *world {
	t.Helper()
	leader := poll.NewLeader("me")
	leader.Elect()
	w := &world{t: t, interval: time.Hour, engine: poll.New(poll.Options{Ownership: leader})}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.engine.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return w
}

// add has the scaler read as the trigger of an object of its own.
func (w *world) add(s *scalers.Scaler) {
	sink := &sink{}
	w.sinks = append(w.sinks, sink)
	w.engine.Set(poll.Key{Name: fmt.Sprint(len(w.sinks))}, []poll.Member{{Scaler: s, Interval: w.interval, Sink: sink}})
}

// readings waits for one of every trigger.
func (w *world) readings() []scalers.Reading {
	w.t.Helper()
	var all []scalers.Reading
	for _, s := range w.sinks {
		all = append(all, s.wait(w.t))
	}
	return all
}

// sink keeps the last reading.
type sink struct {
	mu sync.Mutex
	r  scalers.Reading
}

// Put keeps the reading.
func (s *sink) Put(r scalers.Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r = r
}

func (s *sink) reading() scalers.Reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r
}

func (s *sink) wait(t testing.TB) scalers.Reading {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if r := s.reading(); r.Known() {
			return r
		}
		if time.Now().After(end) {
			t.Fatal("there is no reading")
		}
	}
}
