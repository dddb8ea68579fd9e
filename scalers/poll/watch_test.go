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
	ends    map[string]chan error
	refused map[string]error
	// over is called for when a watch ends by itself.
	over func() (after time.Duration, err error)
}

func (s *stream) watch(ctx context.Context, key string, event func(bool)) error {
	s.mu.Lock()
	if s.live == nil {
		s.live, s.ends = map[string]func(bool){}, map[string]chan error{}
	}
	s.started++
	if err := s.refused[key]; err != nil {
		s.mu.Unlock()
		return err
	}
	s.live[key] = event
	end := make(chan error, 1)
	s.ends[key] = end
	over := s.over
	s.mu.Unlock()
	if over != nil {
		after, err := over()
		time.AfterFunc(after, func() { end <- err })
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.live, key)
		delete(s.ends, key)
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

// cutAll ends all watches.
func (s *stream) cutAll(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, end := range s.ends {
		end <- err
	}
}

// refuse has watches of the key end at once.
func (s *stream) refuse(key string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = map[string]error{key: err}
}

// endAfter has every watch end by itself.
func (s *stream) endAfter(d time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = func() (time.Duration, error) { return d, err }
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
		for range 2 {
			w.backend.stream.tell("orders", false)
		}
		pass(time.Second)
		if n := len(w.backend.takeCalls()); n != 2 {
			t.Errorf("an event and two soon after are %d reads, want 2", n)
		}
	})
}

// A source that never stops to tell waits for the reads that it asks for.
func TestEventsInAFlood(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		w.one("a", watching, rarely, "orders")
		pass(time.Second)
		w.backend.takeCalls()
		told := 0
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); told++ {
			w.backend.stream.tell("orders", told%2 == 0)
		}
		if reads := len(w.backend.takeCalls()); reads < 50 || reads > 101 || told > 202 {
			t.Errorf("in ten seconds %d events were taken and %d reads made, want about ten reads a second", told, reads)
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
		for range 5 { // within the time that it holds
			if err := s.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.backend.stream.tell("orders", false)
			pass(500 * time.Millisecond)
			if r := s.last(); !r.Active {
				t.Errorf("a read soon after hides that the event said active: %+v", r)
			}
		}
		pass(2 * time.Minute)
		if r := s.last(); r.Active {
			t.Errorf("a poll later the reading is %+v", r)
		}
	})
}

// What an event says is not lost when the source cannot be read for a while.
func TestEventSaysActiveThroughAFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		w.backend.setValue("orders", 0)
		s := w.one("a", watching, rarely, "orders")
		pass(time.Second)
		w.backend.setRead(refuse(scalers.UnavailableError("busy")))
		w.backend.stream.tell("orders", true)
		pass(20 * time.Second)
		if r := s.last(); r.Err == nil || r.Active {
			t.Fatalf("while it cannot be read the reading is %+v", r)
		}
		w.backend.setRead(nil)
		pass(10 * time.Second)
		if r := s.last(); r.Err != nil || !r.Active {
			t.Errorf("when it can be read again the reading is %+v", r)
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
			w.backend.stream.cutAll(errors.New("reset"))
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

// A watch that fails asks for a read, which tells whether the source is gone.
// While it is, nothing is watched, and then all is at once, on one connection.
func TestWatchesWaitForTheSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{MostBackoff: 4 * time.Second}).run()
		all := w.set("a", watching, rarely, manyKeys(50)...)
		pass(time.Second)
		if n := w.backend.stream.starts(); n != 50 {
			t.Fatalf("%d watches began", n)
		}
		w.backend.setOpen(func(context.Context) error { return errors.New("refused") })
		w.backend.setRead(refuse(errors.New("reset")))
		w.backend.takeAttempts()
		w.backend.stream.cutAll(errors.New("reset"))
		pass(100 * time.Millisecond)
		failed := 0
		for _, s := range all {
			if s.last().Err != nil {
				failed++
			}
		}
		if failed == 0 {
			t.Error("the end of the watches did not have anything read")
		}
		pass(10 * time.Minute)
		if n := w.backend.takeAttempts(); n > 10*60/3 {
			t.Errorf("in ten minutes without a source it is connected to %d times, want once a back-off", n)
		}
		w.backend.setOpen(nil)
		w.backend.setRead(nil)
		pass(6 * time.Second)
		if n := w.backend.takeAttempts(); n > 4 {
			t.Errorf("%d connections were made to a source that is back", n)
		}
		for key := range all {
			if !w.backend.stream.tell(key, false) {
				t.Errorf("nobody listens for %s", key)
			}
		}
	})
}

// A connection may be dead without a sign. When the source was down and is back,
// every watch begins anew, and what happened meanwhile is read.
func TestWatchesBeginAnewWithTheSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		s := w.one("a", watching, rarely, "orders")
		pass(time.Second)
		opened, _ := w.backend.connections()
		w.backend.setRead(refuse(errors.New("reset")))
		if err := s.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.backend.setRead(nil)
		pass(10 * time.Second)
		if n := w.backend.stream.starts(); n != 2 {
			t.Errorf("%d watches began, want 2", n)
		}
		if now, _ := w.backend.connections(); now != opened+2 {
			t.Errorf("%d connections were made, want another one for reads and for watches", now-opened)
		}
		if !w.backend.stream.tell("orders", false) {
			t.Error("nobody listens")
		}
	})
}

// One watch that fails does not take the connection from the others.
func TestWatchFailsAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		w.set("a", watching, rarely, manyKeys(20)...)
		pass(time.Second)
		opened, _ := w.backend.connections()
		w.backend.stream.refuse("k007", scalers.ConfigurationError("not for you"))
		w.backend.stream.cutAll(nil) // well
		pass(10 * time.Minute)
		if now, _ := w.backend.connections(); now != opened {
			t.Errorf("%d more connections were made", now-opened)
		}
		for _, key := range manyKeys(20) {
			if got, want := w.backend.stream.tell(key, false), key != "k007"; got != want {
				t.Errorf("%s is listened for: %v", key, got)
			}
		}
	})
}

func TestPausesBetweenWatches(t *testing.T) {
	failed := scalers.ConfigurationError("not implemented")
	for name, tc := range map[string]struct {
		reason      string
		lasts       time.Duration
		err         error
		least, most int // watches that begin in 10 minutes
	}{
		"ends well at once":  {"at most every two seconds", 0, nil, 240, 380},
		"ends well late":     {"after half a second", 30 * time.Second, nil, 19, 21},
		"fails at once":      {"pauses grow to half a minute", 0, failed, 20, 32},
		"fails after a time": {"it worked: pauses do not grow", 20 * time.Second, failed, 28, 31},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, poll.Options{}).run()
				w.backend.stream.endAfter(tc.lasts, tc.err)
				w.one("a", watching, rarely, "orders")
				pass(10 * time.Minute)
				if n := w.backend.stream.starts(); n < tc.least || n > tc.most {
					t.Errorf("%s: %d watches began in ten minutes, want %d to %d", tc.reason, n, tc.least, tc.most)
				}
			})
		})
	}
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
