package poll_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers/poll"
)

// The first scheduled read of an interval comes at the source's phase, which
// differs from run to run: these tests look at the differences.

func TestCadenceIsStartToStart(t *testing.T) {
	for _, kind := range []string{batching, single} {
		for _, took := range []time.Duration{0, 700 * time.Millisecond, 2 * time.Second} {
			t.Run(fmt.Sprintf("%s/%s", kind, took), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w := newWorld(t, poll.Options{}).run()
					w.backend.setRead(wait(took))
					o := w.one("o", kind, 10*time.Second, "orders")
					pass(time.Hour)
					calls := w.backend.takeCalls()
					if n := len(calls); n < 360 || n > 362 {
						t.Errorf("%d reads in an hour, want one each 10s", n)
					}
					for i := 3; i < len(calls); i++ { // a first read near the phase makes the next one late
						if gap := calls[i].at.Sub(calls[i-1].at); gap != 10*time.Second {
							t.Fatalf("read %d began %s after the one before, want 10s", i, gap)
						}
					}
					if r := o.last(); r.Took != took || r.Late != 0 {
						t.Errorf("the last reading took %s and was late by %s", r.Took, r.Late)
					}
				})
			})
		}
	}
}

func TestReadLongerThanTheIntervalDelaysOnlyItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{Timeout: 10 * time.Second}).run()
		w.backend.setRead(wait(1500 * time.Millisecond))
		w.one("o", batching, time.Second, "orders")
		pass(time.Minute)
		calls := w.backend.takeCalls()
		for i := 2; i < len(calls); i++ {
			if gap := calls[i].at.Sub(calls[i-1].at); gap < 1500*time.Millisecond || gap > 2*time.Second {
				t.Fatalf("read %d began %s after the one before", i, gap)
			}
		}
		if w.backend.takeMost() != 1 {
			t.Errorf("%d reads of one group were in flight", w.backend.takeMost())
		}
		if n := len(calls); n < 30 {
			t.Errorf("%d reads in a minute, want one each 1.5s to 2s", n)
		}
	})
}

func TestLateReadsSaySo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{PerSource: 1}).run()
		w.backend.setRead(wait(300 * time.Millisecond))
		all := w.set("o", single, 10*time.Second, "a", "b")
		pass(time.Minute)
		late := map[time.Duration]bool{all["a"].last().Late: true, all["b"].last().Late: true}
		if !late[0] || !late[300*time.Millisecond] {
			t.Errorf("two reads of 300ms, one at a time, were late by %v; want 0 and 300ms", late)
		}
	})
}

func TestPhasesAreSpread(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		const sources, interval = 1000, 10 * time.Second
		for i := range sources {
			w.engine.Set(name(fmt.Sprintf("o%d", i)), []poll.Member{
				{Scaler: w.trigger(batching, "a", fmt.Sprintf("account=%d", i)), Interval: interval, Sink: &sink{}},
			})
		}
		pass(interval + time.Second)
		w.backend.takeCalls()
		began := time.Now()
		pass(interval)
		second := make([]int, 10)
		for _, c := range w.backend.takeCalls() {
			second[int(c.at.Sub(began)/time.Second)%10]++
		}
		for i, n := range second {
			if n < sources/10/2 || n > sources/10*2 {
				t.Errorf("second %d of the interval has %d reads of %d sources: %v", i, n, sources, second)
			}
		}
	})
}

func TestSharedQueryIsReadAtTheShorterInterval(t *testing.T) {
	for _, kind := range []string{batching, single} {
		t.Run(kind, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, poll.Options{}).run()
				slow := w.one("slow", kind, 30*time.Second, "orders")
				w.one("fast", kind, 5*time.Second, "orders")
				pass(time.Minute)
				w.backend.takeCalls()
				pass(time.Hour)
				if n := len(w.backend.takeCalls()); n != 720 {
					t.Errorf("%d reads in an hour, want one each 5s", n)
				}
				if n := len(slow.all()); n < 720 {
					t.Errorf("the slow object was given %d readings, want all", n)
				}

				w.engine.Remove(name("fast"))
				pass(time.Minute)
				w.backend.takeCalls()
				pass(time.Hour)
				if n := len(w.backend.takeCalls()); n != 120 {
					t.Errorf("without the fast object: %d reads in an hour, want one each 30s", n)
				}
			})
		})
	}
}

func TestIntervalMayChange(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		put := &sink{}
		for _, interval := range []time.Duration{30 * time.Second, 5 * time.Second, time.Minute} {
			w.engine.Set(name("o"), []poll.Member{{Scaler: w.trigger(batching, "orders"), Interval: interval, Sink: put}})
			pass(interval)
			w.backend.takeCalls()
			pass(time.Hour)
			if n := len(w.backend.takeCalls()); n != int(time.Hour/interval) {
				t.Errorf("interval %s: %d reads in an hour", interval, n)
			}
		}
	})
}

// Members that come just before the group is due must not cost the others
// their read.
func TestNewMemberDoesNotDelayTheOthers(t *testing.T) {
	for _, before := range []time.Duration{time.Second, 30 * time.Millisecond, 10 * time.Millisecond, time.Millisecond, 0} {
		t.Run(before.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, poll.Options{Settle: 20 * time.Millisecond}).run()
				w.backend.setRead(wait(2 * time.Millisecond))
				old := w.set("old", batching, 10*time.Second, "a", "b", "c")
				pass(15 * time.Second)
				due := old["a"].last().At.Add(10 * time.Second)
				for time.Until(due) < 2*time.Second {
					due = due.Add(10 * time.Second)
				}
				pass(time.Until(due) - before)
				fresh := w.one("new", batching, 10*time.Second, "d")
				pass(before + 200*time.Millisecond)
				if at := old["b"].last().At; at.Before(due) || at.Sub(due) > 50*time.Millisecond {
					t.Errorf("the old members were read at %s, want %s", at, due)
				}
				if !fresh.last().Known() {
					t.Error("the new member was not read")
				}
				pass(10 * time.Second)
				if at := fresh.last().At; !at.Equal(due.Add(10 * time.Second)) {
					t.Errorf("the new member was read at %s, want with the others at %s", at, due.Add(10*time.Second))
				}
			})
		})
	}
}

func TestLastTickMovesWhileIdle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		w.one("o", batching, rarely, "orders")
		for range 10 {
			pass(30 * time.Second)
			if age := time.Since(w.engine.LastTick()); age > time.Second {
				t.Fatalf("the schedule was last looked at %s ago", age)
			}
		}
	})
}

func TestLastTickMovesWhileASourceHangs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{Timeout: time.Hour}).run()
		w.backend.setOpen(never)
		w.set("o", single, time.Second, manyKeys(100)...)
		pass(30 * time.Minute)
		if age := time.Since(w.engine.LastTick()); age > time.Second {
			t.Fatalf("the schedule was last looked at %s ago", age)
		}
	})
}
