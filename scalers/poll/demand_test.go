package poll_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-io/freshet/scalers/poll"
)

// refreshAll refreshes every subscription at once and waits for all.
func refreshAll(t *testing.T, all map[string]*watched) {
	t.Helper()
	var group sync.WaitGroup
	for _, o := range all {
		group.Go(func() {
			if err := o.Refresh(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func TestDemandReadIsJoinedAndRefreshesTheGroup(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		all := w.set("o", batching, rarely, manyKeys(50)...)
		pass(time.Minute)
		w.backend.takeCalls()
		w.backend.setRead(wait(100 * time.Millisecond))
		for key := range all {
			w.backend.setValue(key, 9)
		}
		began := time.Now()
		refreshAll(t, all)
		if calls := w.backend.takeCalls(); len(calls) != 1 || len(calls[0].keys) != 50 {
			t.Errorf("50 demand reads at once made the calls %v, want one for all", calls)
		}
		for key, o := range all {
			if r := o.last(); r.Value.Metric != 9 || !r.At.Equal(began) || r.Late != 0 {
				t.Errorf("%s has %+v, want 9 read at %s", key, r, began)
			}
		}
	})
}

func TestDemandReadOfOneRefreshesTheWholeGroup(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		all := w.set("o", batching, rarely, "a", "b", "c")
		pass(time.Minute)
		if err := all["a"].Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		for key, o := range all {
			if age := time.Since(o.last().At); age != 0 {
				t.Errorf("%s is %s old", key, age)
			}
		}
	})
}

func TestDemandReadBeforeTheFirstRead(t *testing.T) {
	for _, kind := range []string{batching, single} {
		t.Run(kind, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, poll.Options{Settle: time.Second}).run()
				synctest.Wait()
				o := w.one("o", kind, rarely, "orders")
				if err := o.Refresh(t.Context()); err != nil {
					t.Fatal(err)
				}
				if r := o.last(); !r.Known() {
					t.Error("it was not read")
				}
				pass(time.Minute)
				if n := len(w.backend.takeCalls()); n != 1 {
					t.Errorf("%d reads: the demand read stands in for the first", n)
				}
			})
		})
	}
}

func TestDemandReadStandsInForANearScheduledOne(t *testing.T) {
	for before, want := range map[time.Duration]time.Duration{
		1 * time.Second: 10 * time.Second, // near: the next one is left out
		4 * time.Second: 10 * time.Second,
		6 * time.Second: 0, // not near
	} {
		t.Run(before.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, poll.Options{}).run()
				o := w.one("o", batching, 10*time.Second, "orders")
				pass(15 * time.Second)
				due := o.last().At.Add(20 * time.Second)
				pass(time.Until(due) - before)
				if err := o.Refresh(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.backend.takeCalls()
				pass(time.Minute)
				if at := w.backend.takeCalls()[0].at; !at.Equal(due.Add(want)) {
					t.Errorf("a demand read %s before the scheduled one is followed by one %s after it, want %s", before, at.Sub(due), want)
				}
			})
		})
	}
}

// A round that reads only what is new says nothing about the others.
func TestDemandReadDoesNotTakeARoundOfNewMembersForItsOwn(t *testing.T) {
	for _, at := range []string{"in flight", "waiting for its turn"} {
		t.Run(at, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				opts := poll.Options{Settle: 20 * time.Millisecond, PerSource: 1, Timeout: time.Minute}
				w := newWorld(t, opts).run()
				old := w.one("old", batching, rarely, "old")
				pass(time.Minute)
				w.backend.setRead(wait(time.Second))
				if at == "waiting for its turn" { // behind a read of another group
					w.one("other", batching, rarely-time.Second, "other")
					pass(10 * time.Millisecond)
				}
				w.one("new", batching, rarely, "new")
				pass(50 * time.Millisecond)
				began := time.Now()
				w.backend.setValue("old", 5)
				if err := old.Refresh(t.Context()); err != nil {
					t.Fatal(err)
				}
				if r := old.last(); r.At.Before(began) || r.Value.Metric != 5 {
					t.Errorf("after a demand read at %s there is %+v", began, r)
				}
				if n := w.backend.takeKeys()["new"]; at == "waiting for its turn" && n != 1 {
					t.Errorf("the new member was read %d times, want once with the others", n)
				}
			})
		})
	}
}

func TestDemandReadEndsWithItsContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{Timeout: 10 * time.Second}).run()
		o := w.one("o", batching, rarely, "orders")
		pass(time.Minute)
		w.backend.setRead(wait(5 * time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := o.Refresh(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's end", err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %s", took)
		}
		pass(time.Minute)
		if r := o.last(); r.Err != nil || !r.At.Equal(began) {
			t.Errorf("the read that nobody waits for any more gave %+v, want a value", r)
		}
	})
}

func TestDemandReadOfWhatIsNotRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{})
		o := w.one("o", batching, rarely, "orders")
		if err := o.Refresh(t.Context()); err == nil {
			t.Error("before Run: no error")
		}
		w.run()
		pass(time.Second)
		if err := o.Refresh(t.Context()); err != nil {
			t.Errorf("while running: %v", err)
		}
		w.engine.Remove(name("o"))
		if err := o.Refresh(t.Context()); err == nil {
			t.Error("after Remove: no error")
		}
		o = w.one("o", batching, rarely, "orders")
		pass(time.Second)
		w.stop()
		if err := o.Refresh(t.Context()); err == nil {
			t.Error("after Run: no error")
		}
	})
}

func TestDemandReadsOfManyObjectsOnOneSingleSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{PerSource: 2}).run()
		all := map[string]*watched{}
		for i := range 20 { // ten objects for each of two configurations
			key := fmt.Sprintf("k%d", i%2)
			all[fmt.Sprint(i)] = w.one(fmt.Sprintf("o%d", i), single, rarely, key)
		}
		pass(time.Minute)
		w.backend.takeCalls()
		w.backend.setRead(wait(time.Second))
		refreshAll(t, all)
		if n := len(w.backend.takeCalls()); n != 2 {
			t.Errorf("%d reads, want one for each configuration", n)
		}
	})
}
