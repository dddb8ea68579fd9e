package poll_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
)

// The kinds of these tests are told of events, and of times.
const (
	watching = "test-watching"
	timed    = "test-timed"
)

func init() {
	example := map[string]string{"backend": "b", "key": "orders"}
	scalers.Register(scalers.Kind[*conn, *watchTrigger]{
		Types: []string{watching}, Category: "test", Since: "0", Label: "test", Example: example,
		Watch: func(ctx context.Context, c *conn, t *watchTrigger, event func(bool)) error {
			return c.b.stream.watch(ctx, t.Key, event)
		},
	})
	scalers.Register(scalers.Kind[*conn, *timedTrigger]{
		Types: []string{timed}, Category: "test", Since: "0", Label: "test", Example: example,
		Next: func(_ *timedTrigger, now time.Time) time.Time { return now.Truncate(time.Minute).Add(time.Minute) },
	})
}

type watchTrigger struct{ Params }

type timedTrigger struct{ Params }

// stream is the events of a backend.
type stream struct {
	mu      sync.Mutex
	started int
	live    map[string]func(bool)
	end     chan error
}

func (s *stream) watch(ctx context.Context, key string, event func(bool)) error {
	s.mu.Lock()
	if s.live == nil {
		s.live = map[string]func(bool){}
	}
	s.started++
	s.live[key] = event
	end := make(chan error, 1)
	s.end = end
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.live, key)
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-end:
		return err
	}
}

// tell sends an event and reports whether anybody listens.
func (s *stream) tell(key string, active bool) bool {
	s.mu.Lock()
	event := s.live[key]
	s.mu.Unlock()
	if event != nil {
		event(active)
	}
	return event != nil
}

// cut ends the watch that began last.
func (s *stream) cut(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end <- err
}

func (s *stream) starts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started
}

func TestEventIsReadAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		w.backend.setValue("orders", 0)
		s := w.one("a", watching, rarely, "orders")
		pass(time.Second)
		w.backend.takeCalls()
		w.backend.setValue("orders", 7)
		if !w.backend.stream.tell("orders", false) {
			t.Fatal("nobody listens")
		}
		pass(time.Millisecond)
		if r := s.last(); r.Value.Metric != 7 || !r.Active {
			t.Errorf("right after the event the reading is %+v", r)
		}
		for range 1000 {
			w.backend.stream.tell("orders", false)
		}
		pass(time.Second)
		if n := len(w.backend.takeCalls()); n != 2 {
			t.Errorf("an event and a thousand soon after are %d reads, want 2", n)
		}
	})
}

// What an event says of activity holds until the next poll.
func TestEventSaysActive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		w.backend.setValue("orders", 0)
		s := w.one("a", watching, time.Minute, "orders")
		pass(time.Second)
		w.backend.stream.tell("orders", true)
		pass(time.Millisecond)
		if r := s.last(); r.Value.Metric != 0 || !r.Active {
			t.Errorf("the event says active, and the reading is %+v", r)
		}
		pass(time.Minute)
		if r := s.last(); r.Active {
			t.Errorf("a poll later the reading is %+v", r)
		}
	})
}

// An event while a read is in flight is read after it.
func TestEventDuringARead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		s := w.one("a", watching, rarely, "orders")
		pass(time.Second)
		w.backend.setRead(wait(time.Second))
		w.backend.stream.tell("orders", false)
		pass(500 * time.Millisecond)
		w.backend.setValue("orders", 9) // the read in flight has the old value
		w.backend.stream.tell("orders", false)
		pass(3 * time.Second)
		if r := s.last(); r.Value.Metric != 9 {
			t.Errorf("the event was lost: the reading is %+v", r)
		}
	})
}

func TestWatchBeginsAnew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		w.one("a", watching, rarely, "orders")
		pass(time.Second)
		for n := 1; n <= 4; n++ {
			if got := w.backend.stream.starts(); got != n {
				t.Fatalf("%d watches began, want %d", got, n)
			}
			w.backend.stream.cut(errors.New("reset"))
			pass(50 * time.Second) // the longest pause
		}
		if !w.backend.stream.tell("orders", true) {
			t.Error("after four ends nobody listens")
		}
	})
}

func TestWatchFollowsOwnership(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{})
		w.one("a", watching, rarely, "orders") // before Run
		w.run()
		pass(time.Second)
		if !w.backend.stream.tell("orders", false) {
			t.Fatal("nobody listens")
		}
		for _, away := range []bool{true, false} {
			w.owners.give("a", away)
			w.engine.Rebalance()
			pass(time.Second)
			if listens := w.backend.stream.tell("orders", false); listens == away {
				t.Errorf("owned by another: %v, listens: %v", away, listens)
			}
		}
		w.engine.Remove(name("a"))
		pass(time.Second)
		if w.backend.stream.tell("orders", false) {
			t.Error("a trigger that is gone is still watched")
		}
	})
}

func TestTimeIsRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		w.one("a", timed, rarely, "orders")
		pass(time.Second)
		w.backend.takeCalls()
		pass(10 * time.Minute)
		calls := w.backend.takeCalls()
		if len(calls) != 10 {
			t.Fatalf("in ten minutes there are %d reads, want one each", len(calls))
		}
		for _, c := range calls {
			if !c.at.Equal(c.at.Truncate(time.Minute)) {
				t.Errorf("a read is at %s", c.at)
			}
		}
	})
}

// Triggers that differ in the activation alone are one read, each judged by its
// own.
func TestActivationIsNotRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		w.backend.setValue("orders", 5)
		low, high := &sink{}, &sink{}
		w.engine.Set(name("a"), []poll.Member{
			{Scaler: w.trigger(single, "orders", "activation=1"), Interval: time.Hour, Sink: low},
			{Scaler: w.trigger(single, "orders", "activation=9"), Interval: time.Hour, Sink: high},
		})
		pass(time.Second)
		if n := len(w.backend.takeCalls()); n != 1 {
			t.Errorf("there are %d reads, want 1", n)
		}
		if !low.last().Active || high.last().Active || high.last().Value.Metric != 5 {
			t.Errorf("the readings are %+v and %+v", low.last(), high.last())
		}
		later := &sink{}
		w.engine.Set(name("b"), []poll.Member{{Scaler: w.trigger(single, "orders", "activation=4"), Interval: time.Hour, Sink: later}})
		if !later.last().Active {
			t.Errorf("who comes later is given %+v", later.last())
		}
	})
}
