package poll_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers/poll"
)

func TestEqualConfigurationsAreOneRead(t *testing.T) {
	for _, kind := range []string{batching, single} {
		t.Run(kind, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, poll.Options{}).run()
				w.backend.setValue("orders", 7)
				var all []*watched
				for i := range 100 {
					all = append(all, w.one(fmt.Sprintf("o%d", i), kind, rarely, "orders"))
				}
				pass(time.Second)
				calls := w.backend.takeCalls()
				if len(calls) != 1 || len(calls[0].keys) != 1 {
					t.Errorf("100 objects with one configuration made the calls %v, want one for one key", calls)
				}
				for i, o := range all {
					if r := o.last(); r.Err != nil || r.Value.Metric != 7 {
						t.Errorf("object %d has %+v, want 7", i, r)
					}
				}
				if size := w.engine.Size(); size != (poll.Size{Sources: 1, Queries: 1, Subscriptions: 100}) {
					t.Errorf("the engine holds %+v", size)
				}
			})
		})
	}
}

func TestLateSubscriberIsGivenWhatIsKnown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		w.one("first", batching, rarely, "orders")
		pass(time.Second)
		w.backend.takeCalls()
		second := w.one("second", batching, rarely, "orders")
		if r := second.last(); !r.Known() || r.Value.Metric != 1 {
			t.Errorf("the second object has %+v, want the reading of the first", r)
		}
		pass(100 * time.Millisecond)
		if calls := w.backend.takeCalls(); len(calls) != 0 {
			t.Errorf("it caused the calls %v", calls)
		}
	})
}

func TestMembersOfOneSourceAreOneCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		keys := manyKeys(200)
		for i, key := range keys {
			w.one(fmt.Sprintf("o%d", i), batching, 10*time.Second, key)
		}
		for round := range 3 {
			pass(10 * time.Second)
			n := len(w.backend.takeCalls())
			if round > 0 && n != 1 {
				t.Errorf("an interval took %d calls for 200 triggers, want 1", n)
			}
		}
		if opened, _ := w.backend.connections(); opened != 1 {
			t.Errorf("%d connections were opened, want 1", opened)
		}
	})
}

func TestChunksBoundACall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{Chunk: 3}).run()
		all := w.set("o", batching, rarely, manyKeys(8)...)
		for i, key := range manyKeys(8) {
			w.backend.setValue(key, float64(i))
		}
		pass(time.Second)
		var sizes []int
		for _, c := range w.backend.takeCalls() {
			sizes = append(sizes, len(c.keys))
		}
		if fmt.Sprint(sizes) != "[3 3 2]" {
			t.Errorf("the calls read %v keys, want 3, 3 and 2", sizes)
		}
		for i, key := range manyKeys(8) {
			if r := all[key].last(); r.Err != nil || r.Value.Metric != float64(i) {
				t.Errorf("%s has %+v, want %d", key, r, i)
			}
		}
	})
}

func TestOtherAccountsAndKindsAreOtherCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{}).run()
		put := &sink{}
		w.engine.Set(name("o"), []poll.Member{
			{Scaler: w.trigger(batching, "a"), Interval: rarely, Sink: put},
			{Scaler: w.trigger(batching, "b", "account=x"), Interval: rarely, Sink: put},
			{Scaler: w.trigger(single, "c"), Interval: rarely, Sink: put},
		})
		pass(time.Second)
		if calls := w.backend.takeCalls(); len(calls) != 3 {
			t.Errorf("calls are %v, want one for each", calls)
		}
		if opened, _ := w.backend.connections(); opened != 2 {
			t.Errorf("%d connections were opened, want one for each account", opened)
		}
		if size := w.engine.Size(); size.Sources != 2 || size.Queries != 3 {
			t.Errorf("the engine holds %+v", size)
		}
	})
}

func TestSingleReadsAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{PerSource: 3}).run()
		w.backend.setRead(wait(100 * time.Millisecond))
		all := w.set("o", single, rarely, manyKeys(30)...)
		pass(2 * time.Second)
		for _, c := range w.backend.takeCalls() {
			if len(c.keys) != 1 {
				t.Fatalf("a call read %v: the kind reads singly", c.keys)
			}
		}
		if most := w.backend.takeMost(); most != 3 {
			t.Errorf("%d reads of the source were in flight, want 3", most)
		}
		for key, o := range all {
			if r := o.last(); !r.Known() || r.Err != nil {
				t.Errorf("%s has %+v", key, r)
			}
		}
	})
}

// A kind whose protocol carries more at the same time says so.
func TestParallelKindsHaveABoundOfTheirOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{PerSource: 2}).run()
		w.backend.setRead(wait(100 * time.Millisecond))
		w.set("o", parallel, rarely, manyKeys(30)...)
		pass(2 * time.Second)
		if most := w.backend.takeMost(); most != 5 {
			t.Errorf("%d reads of the source were in flight, want 5", most)
		}
		if n := len(w.backend.takeCalls()); n != 30 {
			t.Errorf("there are %d reads, want 30", n)
		}
	})
}

func TestWorkersBoundAllReads(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{Workers: 4, PerSource: 2}).run()
		w.backend.setRead(wait(100 * time.Millisecond))
		var sinks []*sink
		for i := range 20 { // 20 sources
			s := &sink{}
			sinks = append(sinks, s)
			w.engine.Set(name(fmt.Sprintf("o%d", i)), []poll.Member{
				{Scaler: w.trigger(single, "a", fmt.Sprintf("account=%d", i)), Interval: rarely, Sink: s},
				{Scaler: w.trigger(single, "b", fmt.Sprintf("account=%d", i)), Interval: rarely, Sink: s},
			})
		}
		pass(20 * time.Millisecond) // the settle time
		pass(time.Second)
		if most := w.backend.takeMost(); most != 4 {
			t.Errorf("%d reads were in flight, want 4", most)
		}
		for i, s := range sinks {
			if len(s.all()) < 2 {
				t.Errorf("object %d was not read: %v", i, s.all())
			}
		}
	})
}

func TestNewMembersAreReadSoonAndTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, poll.Options{Settle: 20 * time.Millisecond}).run()
		w.one("old", batching, rarely, "old")
		pass(time.Second)
		w.backend.takeCalls()
		began := time.Now()
		for i := range 10 {
			w.one(fmt.Sprintf("o%d", i), batching, rarely, fmt.Sprintf("new%d", i))
			pass(time.Millisecond)
		}
		pass(100 * time.Millisecond)
		calls := w.backend.takeCalls()
		if len(calls) != 1 || len(calls[0].keys) != 10 {
			t.Fatalf("10 new members made the calls %v, want one that reads them alone", calls)
		}
		if after := calls[0].at.Sub(began); after > 20*time.Millisecond {
			t.Errorf("they were read after %s, want 20ms", after)
		}
	})
}
