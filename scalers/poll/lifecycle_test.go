package poll_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
)

func TestRemovingEndsReadingsAndConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		o := w.one("o", batching, 10*time.Second, "orders")
		pass(time.Minute)
		w.engine.Remove(name("o"))
		synctest.Wait()
		if opened, closed := w.backend.connections(); opened != 1 || closed != 1 {
			t.Errorf("%d connections were opened and %d closed, want one", opened, closed)
		}
		n := len(o.all())
		w.backend.takeCalls()
		pass(time.Hour)
		if calls := w.backend.takeCalls(); len(calls) > 0 || len(o.all()) > n {
			t.Errorf("after it was removed: calls %v, %d readings more", calls, len(o.all())-n)
		}
		if size := w.engine.Size(); size != (poll.Size{}) {
			t.Errorf("the engine holds %+v", size)
		}
	})
}

func TestRemovingWhileAReadIsInFlight(t *testing.T) {
	for _, kind := range []string{batching, single} {
		for _, what := range []string{"opening", "reading"} {
			t.Run(kind+"/"+what, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w := newWorld(t, poll.Options{Timeout: time.Minute}).run()
					if what == "opening" {
						w.backend.setOpen(func(ctx context.Context) error { return pause(ctx, 10*time.Second) })
					} else {
						w.backend.setRead(wait(10 * time.Second))
					}
					o := w.set("o", kind, 10*time.Second, "a", "b", "c")
					pass(5 * time.Second)
					w.engine.Remove(name("o"))
					synctest.Wait()
					if _, closed := w.backend.connections(); closed != 0 {
						t.Error("the connection was closed under a read")
					}
					w.backend.setOpen(nil)
					w.backend.setRead(nil)
					again := w.one("o", kind, 10*time.Second, "a") // the same source while the old one ends
					pass(time.Second)
					if r := again.last(); !r.Known() || r.Err != nil {
						t.Errorf("what came after has %+v", r)
					}
					pass(time.Minute)
					for key, old := range o {
						if len(old.all()) > 0 {
							t.Errorf("%s was given %v after it was removed", key, old.all())
						}
					}
					if opened, closed := w.backend.connections(); opened-closed != 1 {
						t.Errorf("%d connections were opened and %d closed, want one to be open", opened, closed)
					}
				})
			})
		}
	}
}

func TestSetKeepsWhatDidNotChange(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		sinks := []*sink{{}, {}, {}}
		member := func(i int, key string) poll.Member {
			return poll.Member{Scaler: w.trigger(batching, key), Interval: rarely, Sink: sinks[i]}
		}
		before := w.engine.Set(name("o"), []poll.Member{member(0, "a"), member(1, "b")})
		pass(time.Minute)
		w.backend.takeCalls()
		after := w.engine.Set(name("o"), []poll.Member{member(2, "c"), member(1, "b"), member(0, "a")})
		pass(time.Minute)
		if after[1] != before[1] || after[2] != before[0] {
			t.Error("members that did not change have other subscriptions")
		}
		if got := sortedKeys(w.backend.takeKeys()); got != "c" {
			t.Errorf("%s was read, want only what is new", got)
		}
		for i, s := range sinks {
			if n := len(s.all()); n != 1 {
				t.Errorf("member %d was given %d readings, want 1", i, n)
			}
		}
		if size := w.engine.Size(); size != (poll.Size{Sources: 1, Queries: 3, Subscriptions: 3}) {
			t.Errorf("the engine holds %+v", size)
		}
	})
}

// A changed configuration has a sink that knows nothing of the old one, and is
// never given what the old one read, be it late.
func TestReplacedConfigurationNeverShowsTheOldReading(t *testing.T) {
	for _, kind := range []string{batching, single} {
		t.Run(kind, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, poll.Options{}).run()
				w.backend.setValue("old", 111)
				w.backend.setValue("new", 222)
				w.backend.setRead(wait(time.Second))
				w.one("o", kind, 10*time.Second, "old")
				pass(500 * time.Millisecond) // the old one is being read
				fresh := w.one("o", kind, 10*time.Second, "new")
				pass(time.Minute)
				if len(fresh.all()) == 0 {
					t.Fatal("the new configuration was not read")
				}
				for _, r := range fresh.all() {
					if r.Value.Metric != 222 {
						t.Fatalf("the new configuration was given %+v", r)
					}
				}
			})
		})
	}
}

func TestQueryThatMovesWhileItIsReadFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{Timeout: time.Minute}).run()
		w.backend.setRead(wait(5 * time.Second))
		w.one("slow", batching, rarely, "a")
		pass(time.Second)                         // its first read is in flight
		w.one("fast", batching, time.Minute, "a") // moves it to another group
		pass(10 * time.Second)
		w.backend.setRead(nil)
		w.one("other", batching, time.Minute, "b")
		pass(2 * time.Minute)
		w.backend.takeCalls()
		pass(time.Hour)
		if n := w.backend.takeKeys(); n["a"] != 60 || n["b"] != 60 {
			t.Errorf("in an hour there were the reads %v, want 60 of each", n)
		}
	})
}

func TestActivity(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		put := &sink{}
		subs := w.engine.Set(name("o"), []poll.Member{
			{Scaler: w.trigger(batching, "a", "activation=5"), Interval: rarely, Sink: put},
		})
		pass(time.Second)
		for value, want := range map[float64]bool{0: false, 5: false, 5.1: true, -3: false} {
			w.backend.setValue("a", value)
			if err := subs[0].Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if r := put.last(); r.Active != want {
				t.Errorf("with %v above 5 wanted, active is %v", value, r.Active)
			}
		}
		w.backend.setRead(func(_ context.Context, _ []string, out []scalers.Result) error {
			out[0].Value = scalers.Value{Metric: 0, Activity: 9}
			return nil
		})
		if err := subs[0].Refresh(t.Context()); err != nil || !put.last().Active {
			t.Errorf("activity is decided on another number than Activity: %+v, %v", put.last(), err)
		}
	})
}

func TestRunEndsWithReadsInFlight(t *testing.T) {
	for _, what := range []string{"opening", "reading"} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, poll.Options{Timeout: time.Hour}).run()
				if what == "opening" {
					w.backend.setOpen(never)
				} else {
					w.backend.setRead(wait(time.Hour))
				}
				all := w.set("o", single, 10*time.Second, manyKeys(10)...)
				joined := make(chan error, len(all))
				pass(time.Second)
				for _, o := range all { // some are in flight, some wait for their turn
					go func() { joined <- o.Refresh(t.Context()) }()
				}
				synctest.Wait()
				w.stop() // returns: reads are told to end
				for range all {
					if err := <-joined; err == nil && what == "opening" {
						t.Error("a demand read that was cut off is no error")
					}
				}
				for key, o := range all {
					if len(o.all()) > 0 {
						t.Errorf("%s was given %+v at the end", key, o.last())
					}
				}
				w.engine.Remove(name("o")) // must not close again: the cleanup looks
				w.one("late", batching, time.Second, "a")
				pass(time.Minute)
				w.engine.Rebalance()
			})
		})
	}
}

func TestRunClosesWhatManySourcesOpened(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		for i := range 100 {
			w.engine.Set(name(fmt.Sprintf("o%d", i)), []poll.Member{
				{Scaler: w.trigger(batching, "a", fmt.Sprintf("account=%d", i)), Interval: time.Minute, Sink: &sink{}},
			})
		}
		pass(2 * time.Minute)
		if opened, closed := w.backend.connections(); opened != 100 || closed != 0 {
			t.Errorf("%d connections were opened and %d closed", opened, closed)
		}
		w.stop()
		if opened, closed := w.backend.connections(); opened != 100 || closed != 100 {
			t.Errorf("when Run returned, %d connections were opened and %d closed", opened, closed)
		}
	})
}

func TestRunWaitsForConnectionsOfRemovedSources(t *testing.T) {
	for what, read := range map[string]func(context.Context, []string, []scalers.Result) error{
		"idle": nil, "being read": wait(time.Hour),
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, poll.Options{Timeout: time.Hour}).run()
				for i := range 100 {
					w.engine.Set(name(fmt.Sprintf("o%d", i)), []poll.Member{
						{Scaler: w.trigger(batching, "a", fmt.Sprintf("account=%d", i)), Interval: time.Minute, Sink: &sink{}},
					})
				}
				pass(time.Second)
				w.backend.setRead(read)
				pass(2 * time.Minute)
				for i := range 100 {
					w.engine.Remove(name(fmt.Sprintf("o%d", i)))
				}
				w.stop()
				if opened, closed := w.backend.connections(); opened != closed {
					t.Errorf("when Run returned, %d connections were opened and %d closed", opened, closed)
				}
			})
		})
	}
}

func TestPanicOnClosingIsContained(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		w.backend.onClose = func() { panic("boom") }
		o := w.one("o", batching, time.Minute, "a")
		pass(2 * time.Minute)
		w.backend.setRead(refuse(errBroken)) // the connection is dropped
		pass(2 * time.Minute)
		w.backend.setRead(nil)
		pass(time.Minute)
		if r := o.last(); r.Err != nil {
			t.Errorf("the reading is %+v", r)
		}
		w.engine.Remove(name("o"))
		synctest.Wait()
	})
}

func TestIntervalThatIsNone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		w.one("zero", batching, 0, "a")
		w.one("negative", single, -time.Minute, "b")
		pass(time.Minute)
		w.backend.takeCalls()
		pass(time.Minute)
		if n := w.backend.takeKeys(); n["a"] != 60 || n["b"] != 60 {
			t.Errorf("in a minute there were the reads %v, want one each second", n)
		}
	})
}

// What waits behind something that was removed must have its turn.
func TestRemovingWhatWaitsForItsTurn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{PerSource: 1}).run()
		w.backend.setRead(wait(time.Second))
		all := map[string]*watched{}
		for _, key := range manyKeys(10) {
			all[key] = w.one(key, single, rarely, key)
		}
		pass(500 * time.Millisecond) // one is in flight, nine wait
		left := map[string]*watched{}
		for i, key := range manyKeys(10) {
			if i%2 == 0 {
				w.engine.Remove(name(key))
			} else {
				left[key] = all[key]
			}
		}
		pass(time.Minute)
		for key, o := range left {
			if r := o.last(); !r.Known() || r.Err != nil {
				t.Errorf("%s has %+v", key, r)
			}
		}
	})
}
