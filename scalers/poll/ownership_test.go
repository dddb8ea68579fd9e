package poll_test

import (
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers/poll"
)

func TestOthersObjectsAreReadOnDemandOnly(t *testing.T) {
	for _, kind := range []string{batching, single} {
		t.Run(kind, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, poll.Options{}).run()
				w.owners.give("theirs", true)
				theirs := w.one("theirs", kind, time.Second, "orders")
				pass(time.Minute)
				if calls := w.backend.takeCalls(); len(calls) != 0 {
					t.Fatalf("an object of another replica was read on schedule: %v", calls)
				}
				for range 3 {
					if err := theirs.Refresh(t.Context()); err != nil {
						t.Fatal(err)
					}
					if r := theirs.last(); r.Err != nil || time.Since(r.At) != 0 {
						t.Fatalf("the demand read gave %+v", r)
					}
					pass(time.Minute)
				}
				if calls := w.backend.takeCalls(); len(calls) != 3 {
					t.Errorf("three demand reads made the calls %v", calls)
				}
			})
		})
	}
}

func TestRebalanceStartsAndEndsTheSchedule(t *testing.T) {
	for _, kind := range []string{batching, single} {
		t.Run(kind, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, poll.Options{}).run()
				w.owners.give("o", true)
				o := w.one("o", kind, 10*time.Second, "orders")
				pass(time.Minute)

				w.owners.give("o", false)
				w.engine.Rebalance()
				pass(100 * time.Millisecond)
				if !o.last().Known() {
					t.Error("an object that became ours was not read soon")
				}
				pass(time.Minute)
				w.backend.takeCalls()
				pass(time.Minute)
				if n := len(w.backend.takeCalls()); n != 6 {
					t.Errorf("%d reads in a minute, want one each 10s", n)
				}

				w.owners.give("o", true)
				w.engine.Rebalance()
				pass(time.Hour)
				if calls := w.backend.takeCalls(); len(calls) != 0 {
					t.Errorf("an object that is ours no more was read: %v", calls)
				}
			})
		})
	}
}

// The interval of an object of another replica must not decide how often ours
// is read, and its going away must not end our schedule.
func TestOwnedAndOthersShareAQuery(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		w.owners.give("theirs", true)
		ours := w.one("ours", batching, 10*time.Second, "orders")
		w.one("theirs", batching, 10*time.Second, "orders")
		pass(time.Minute)
		w.engine.Remove(name("theirs"))
		w.backend.takeCalls()
		pass(time.Minute)
		if n := len(w.backend.takeCalls()); n != 6 || !ours.last().Known() {
			t.Errorf("%d reads in a minute, want one each 10s", n)
		}
		w.one("theirs", batching, 10*time.Second, "orders")
		w.engine.Remove(name("ours"))
		w.backend.takeCalls()
		pass(time.Minute)
		if calls := w.backend.takeCalls(); len(calls) != 0 {
			t.Errorf("what is left is another replica's and was read: %v", calls)
		}
	})
}

// What is ours and what is not may be read in one call, for as long as there is
// something of ours.
func TestOwnedAndOthersShareAGroup(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		w.owners.give("theirs", true)
		w.one("ours", batching, 10*time.Second, "a")
		w.one("theirs", batching, 10*time.Second, "b")
		pass(time.Minute)
		w.engine.Remove(name("ours"))
		w.backend.takeCalls()
		pass(time.Minute)
		if calls := w.backend.takeCalls(); len(calls) != 0 {
			t.Errorf("what is left is another replica's and was read: %v", calls)
		}
	})
}

func TestSetAsksForTheOwnerAnew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		member := []poll.Member{{Scaler: w.trigger(batching, "a"), Interval: 10 * time.Second, Sink: &sink{}}}
		for _, theirs := range []bool{false, true, false} {
			w.owners.give("o", theirs)
			w.engine.Set(name("o"), member)
			pass(10 * time.Second)
			w.backend.takeCalls()
			pass(time.Minute)
			if n := len(w.backend.takeCalls()); n != map[bool]int{true: 0, false: 6}[theirs] {
				t.Errorf("%d reads in a minute; it is another replica's: %v", n, theirs)
			}
		}
	})
}

func TestLeader(t *testing.T) {
	l := poll.NewLeader("me")
	key := name("o")
	if poll.Owns(l, key) {
		t.Error("a replica that was not elected owns objects")
	}
	l.Elect()
	if !poll.Owns(l, key) {
		t.Error("the leader does not own objects")
	}
	if key.String() != "ScaledObject/test/o" {
		t.Errorf("the key is %s", key)
	}
}
