package scalertest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
)

// Engine returns an engine that runs, and owns everything, until the test ends.
func Engine(t testing.TB, o poll.Options) *poll.Engine {
	t.Helper()
	leader := poll.NewLeader("me")
	leader.Elect()
	o.Ownership = leader
	engine := poll.New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- engine.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return engine
}

// Sink keeps the last reading of a subscription.
type Sink struct {
	mu sync.Mutex
	r  scalers.Reading
}

// Put keeps the reading.
func (s *Sink) Put(r scalers.Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r = r
}

// Reading returns the last reading, or one that is not known.
func (s *Sink) Reading() scalers.Reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r
}

// Until waits for a reading that will do, for 20 seconds at most.
func (s *Sink) Until(t testing.TB, what string, will func(scalers.Reading) bool) scalers.Reading {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if r := s.Reading(); r.Known() && will(r) {
			return r
		}
	}
	t.Fatalf("waiting for %s: there is %+v", what, s.Reading())
	return scalers.Reading{}
}
