package poll_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
)

// telling triggers are told of changes by what their backend says of that, and
// read every second while they are idle and are not.
const telling = "test-telling"

func init() {
	scalers.Register(scalers.Kind[*conn, *tellTrigger]{
		Types: []string{telling}, Category: "test", Since: "0", Label: "test",
		Example: map[string]string{"backend": "b", "key": "orders"}, Idle: time.Second,
		ReadAll: func(ctx context.Context, c *conn, triggers []*tellTrigger, out []scalers.Result) error {
			keys := make([]string, len(triggers))
			for i, t := range triggers {
				keys[i] = t.Key
			}
			return c.read(ctx, keys, out)
		},
	})
}

type tellTrigger struct{ Params }

func (t *tellTrigger) ChangeKey() string { return t.Key }

// tellingWorld has a trigger for each of n keys, all 0 and read every minute, of a
// source that tells so much of changes.
func tellingWorld(t *testing.T, n int, tells scalers.Told) (*world, map[string]*watched) {
	w := newWorld(t, poll.Options{}).run()
	w.backend.tells = tells
	keys := manyKeys(n)
	for _, key := range keys {
		w.backend.setValue(key, 0)
	}
	all := w.set("a", telling, time.Minute, keys...)
	pass(time.Second)
	w.backend.takeCalls()
	return w, all
}

// change sets a value, and tells of it.
func (b *backend) change(key string, v float64) {
	b.setValue(key, v)
	b.tell(key)
}

func (b *backend) tell(keys ...string) {
	b.mu.Lock()
	told := b.told
	b.mu.Unlock()
	told(keys...)
}

func TestIdleTriggersThatAreToldOfAreNotRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, all := tellingWorld(t, 400, scalers.ToldAll)
		pass(10 * time.Minute)
		calls := w.backend.takeCalls()
		reads := 0
		for _, c := range calls {
			reads += len(c.keys)
		}
		if len(calls) != 10 || reads != 10*400/40 {
			t.Errorf("in ten minutes there are %d calls and %d reads, want one call a minute that reads one in forty", len(calls), reads)
		}
		for key, s := range all {
			if age := time.Since(s.last().At); age > time.Minute {
				t.Fatalf("the reading of %s is %s old, though the source is there and tells", key, age)
			}
		}
		pass(40 * time.Minute)
		if n := len(w.backend.takeKeys()); n != 400 {
			t.Errorf("in forty minutes %d triggers were read, want each of them", n)
		}
	})
}

// With few that rest the source is still asked something at each interval.
func TestSourceOfFewTriggersThatRestIsHeardOf(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, all := tellingWorld(t, 2, scalers.ToldAll)
		pass(10 * time.Minute)
		if calls := w.backend.takeCalls(); len(calls) != 10 {
			t.Errorf("in ten minutes there are %d calls", len(calls))
		}
		w.backend.setRead(refuse(errors.New("reset")))
		pass(70 * time.Second)
		for key, s := range all {
			if s.last().Err == nil {
				t.Errorf("the source is gone, and %s is %+v", key, s.last())
			}
		}
	})
}

func TestChangeThatIsToldIsReadAtOnce(t *testing.T) {
	for name, tells := range map[string]scalers.Told{"all are told": scalers.ToldAll, "most are told": scalers.ToldMost} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w, all := tellingWorld(t, 50, tells)
				w.backend.change("k007", 5)
				pass(time.Millisecond)
				if r := all["k007"].last(); r.Value.Metric != 5 || !r.Active {
					t.Errorf("right after the change the reading is %+v", r)
				}
				if n := w.backend.takeKeys(); sortedKeys(n) != "k007" || n["k007"] != 1 {
					t.Errorf("the change had read %v", n)
				}
				pass(time.Minute)
				w.backend.takeKeys()
				w.backend.change("k007", 6) // it is active: the schedule reads it
				pass(50 * time.Millisecond)
				if n := w.backend.takeKeys(); len(n) > 0 {
					t.Errorf("a change to what is active had read %v", n)
				}
				pass(10 * time.Minute)
				if n := w.backend.takeKeys()["k007"]; n < 9 {
					t.Errorf("in ten minutes what is active is read %d times", n)
				}
			})
		})
	}
}

// Most that change are read by the schedule too.
func TestTriggersThatAreMostlyToldOfArePolled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, _ := tellingWorld(t, 10, scalers.ToldMost)
		pass(10 * time.Minute)
		if n := w.backend.takeKeys()["k007"]; n != 10 {
			t.Errorf("in ten minutes it is read %d times, want 10", n)
		}
	})
}

// A change while a read is in flight may be newer than what that returns.
func TestChangeDuringARead(t *testing.T) {
	for name, was := range map[string]float64{"of what was idle": 0, "of what was active": 3} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w, all := tellingWorld(t, 1, scalers.ToldAll)
				s := all["k000"]
				if was > 0 {
					w.backend.change("k000", was)
					pass(time.Second)
				}
				w.backend.setValue("k000", 0)
				w.backend.setRead(wait(time.Second))
				go func() { _ = s.Refresh(context.Background()) }()
				pass(500 * time.Millisecond) // the read in flight returns 0
				w.backend.setRead(nil)
				w.backend.change("k000", 9)
				pass(time.Second)
				if r := s.last(); r.Value.Metric != 9 {
					t.Errorf("the change was lost: the reading is %+v", r)
				}
			})
		})
	}
}

func TestChangesInAFlood(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, _ := tellingWorld(t, 1000, scalers.ToldAll)
		keys := manyKeys(1000)
		for i := range 1000 { // one each millisecond
			w.backend.change(keys[i], 1)
			pass(time.Millisecond)
		}
		pass(time.Second)
		calls := w.backend.takeCalls()
		reads := 0
		for _, c := range calls {
			reads += len(c.keys)
		}
		if len(calls) > 12 || reads != 1000 {
			t.Errorf("a thousand changes in a second are %d calls and %d reads", len(calls), reads)
		}
	})
}

// When the source is not listened to any more, what rested is read.
func TestWhatRestedIsReadWhenTheConnectionEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, all := tellingWorld(t, 100, scalers.ToldAll)
		w.backend.setValue("k042", 8)
		w.backend.tell()
		pass(time.Millisecond)
		if n := w.backend.takeKeys(); len(n) != 100 || all["k042"].last().Value.Metric != 8 {
			t.Errorf("%d were read, and the reading is %+v", len(n), all["k042"].last())
		}
		w.backend.tell() // they rest on the new one
		w.backend.tell()
		pass(time.Second)
		if calls := w.backend.takeCalls(); len(calls) > 2 {
			t.Errorf("two ends had %d calls", len(calls))
		}
	})
}

// What is told while the source cannot be read is read when it can.
func TestChangeThroughAFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, all := tellingWorld(t, 100, scalers.ToldAll)
		w.backend.setRead(refuse(scalers.UnavailableError("busy")))
		w.backend.change("k042", 8)
		pass(20 * time.Second)
		for key, s := range all {
			if s.last().Err == nil {
				t.Fatalf("the source cannot be read, and %s is %+v", key, s.last())
			}
		}
		w.backend.setRead(nil)
		pass(10 * time.Second)
		if r := all["k042"].last(); r.Value.Metric != 8 {
			t.Errorf("the reading is %+v", r)
		}
		w.backend.takeKeys()
		pass(time.Minute)
		if n := w.backend.takeKeys(); len(n) > 5 {
			t.Errorf("%d are read though they are told of again", len(n))
		}
	})
}

func TestDemandReadOfWhatRests(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, all := tellingWorld(t, 100, scalers.ToldAll)
		w.backend.setRead(wait(10 * time.Millisecond))
		var group sync.WaitGroup
		for _, key := range []string{"k001", "k002", "k002", "k003"} {
			group.Go(func() {
				began := time.Now()
				if err := all[key].Refresh(t.Context()); err != nil {
					t.Error(err)
				}
				if at := all[key].last().At; at.Before(began) {
					t.Errorf("after a demand the reading of %s is of %s before it", key, began.Sub(at))
				}
			})
		}
		group.Wait()
		if n := w.backend.takeKeys(); sortedKeys(n) != "k001 k002 k003" {
			t.Errorf("the demand read %v", n)
		}
		w.backend.change("k002", 4)
		pass(time.Second)
		if r := all["k002"].last(); r.Value.Metric != 4 {
			t.Errorf("after a demand read changes are not told: %+v", r)
		}
	})
}

// A source that does not tell of what it said it would is not relied on.
func TestSourceThatDoesNotTell(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log strings.Builder
		w := newWorld(t, poll.Options{Log: slog.New(slog.NewTextHandler(&log, nil))}).run()
		w.backend.tells = scalers.ToldAll
		for _, key := range manyKeys(80) {
			w.backend.setValue(key, 0)
		}
		all := w.set("a", telling, time.Minute, manyKeys(80)...)
		pass(time.Second)
		for _, key := range manyKeys(80)[:40] {
			w.backend.setValue(key, 1)
		}
		pass(2*time.Minute + time.Second)
		for key, s := range all {
			if r := s.last(); r.Active != (key < "k040") {
				t.Errorf("%s is %+v", key, r)
			}
		}
		if n := strings.Count(log.String(), "does not tell of changes"); n != 1 {
			t.Errorf("it is logged %d times: %s", n, &log)
		}
	})
}

// What nobody tells of is read more often while it is idle, and not more often than
// a share of its interval.
func TestIdleTriggersAreReadMoreOften(t *testing.T) {
	for name, tc := range map[string]struct {
		interval time.Duration
		reads    int // in ten minutes
	}{
		"usual": {30 * time.Second, 600}, "long": {5 * time.Minute, 60}, "short": {time.Second, 600}, "very short": {500 * time.Millisecond, 1200},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, poll.Options{}).run()
				w.backend.setValue("idle", 0)
				w.set("a", telling, tc.interval, "idle", "busy")
				pass(time.Second)
				w.backend.takeCalls()
				pass(10 * time.Minute)
				n := w.backend.takeKeys()
				busy := int(10 * time.Minute / tc.interval)
				if n["idle"] < tc.reads || n["idle"] > tc.reads+busy || n["busy"] != busy {
					t.Errorf("the idle one is read %d times, want %d; the other %d times, want %d", n["idle"], tc.reads, n["busy"], busy)
				}
				w.backend.setValue("idle", 2)
				pass(tc.interval)
				w.backend.takeCalls()
				pass(10 * time.Minute)
				if n := w.backend.takeKeys(); n["idle"] != busy {
					t.Errorf("when it is active it is read %d times, want %d", n["idle"], busy)
				}
			})
		})
	}
}

// A trigger is idle when it is so to everybody who reads it.
func TestIdleToEverybody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, _ := tellingWorld(t, 0, scalers.ToldAll)
		w.backend.setValue("orders", 5)
		low, high := &sink{}, &sink{}
		member := func(activation string, s *sink) []poll.Member {
			return []poll.Member{{Scaler: w.trigger(telling, "orders", "activation="+activation), Interval: time.Minute, Sink: s}}
		}
		w.engine.Set(name("high"), member("9", high))
		w.engine.Set(name("low"), member("1", low))
		pass(time.Second)
		w.backend.takeKeys()
		pass(10 * time.Minute)
		if n := w.backend.takeKeys()["orders"]; n != 10 {
			t.Errorf("it is active to one, and read %d times in ten minutes", n)
		}
		w.engine.Remove(name("low"))
		pass(10 * time.Minute)
		w.backend.takeKeys()
		w.backend.change("orders", 12)
		pass(time.Millisecond)
		if r := high.last(); !r.Active || r.Value.Metric != 12 {
			t.Errorf("the reading is %+v", r)
		}
		if n := w.backend.takeKeys()["orders"]; n != 1 {
			t.Errorf("it is read %d times", n)
		}
	})
}

// What another replica owns is not read for a change.
func TestChangesFollowOwnership(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, all := tellingWorld(t, 1, scalers.ToldAll)
		w.owners.give("a", true)
		w.engine.Rebalance()
		w.backend.change("k000", 3)
		pass(time.Second)
		if n := w.backend.takeKeys(); len(n) > 0 {
			t.Errorf("read %v", n)
		}
		w.owners.give("a", false)
		w.engine.Rebalance()
		pass(time.Minute)
		if r := all["k000"].last(); r.Value.Metric != 3 {
			t.Errorf("owned again, the reading is %+v", r)
		}
	})
}
