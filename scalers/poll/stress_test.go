package poll_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
)

var stressSeed = flag.Uint64("stress.seed", 0, "seed of the stress test; 0 takes a few fixed ones")

// TestStress lets objects come, change and go from many goroutines while the
// source fails in every way and owners change. When it works again, everything
// that is left must be read as if nothing had been.
func TestStress(t *testing.T) {
	seeds := []uint64{1, 2, 3, 4, 5, 6}
	if *stressSeed != 0 {
		seeds = []uint64{*stressSeed}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) { stress(t, seed) })
		})
	}
}

func stress(t *testing.T, seed uint64) {
	const actors, steps, objects = 6, 150, 30
	w := newWorld(t, poll.Options{
		Timeout: time.Second, PerSource: 2, Workers: 5, Chunk: 7,
		FirstBackoff: 100 * time.Millisecond, MostBackoff: 2 * time.Second,
	}).run()
	intervals := []time.Duration{time.Second, 5 * time.Second, 10 * time.Second}
	var mu sync.Mutex // one change of an object at a time, as controllers do
	last := map[string]map[string]*watched{}
	var group sync.WaitGroup
	for actor := range actors {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(actor)))
			for range steps {
				time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
				object := fmt.Sprintf("o%d", rng.IntN(objects))
				switch n := rng.IntN(20); {
				case n < 10:
					mu.Lock()
					last[object] = w.setRandom(rng, object, intervals)
					mu.Unlock()
				case n < 12:
					mu.Lock()
					w.engine.Remove(name(object))
					delete(last, object)
					mu.Unlock()
				case n < 16:
					mu.Lock()
					all := last[object]
					mu.Unlock()
					for _, o := range all {
						ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rng.IntN(1000))*time.Millisecond)
						_ = o.Refresh(ctx) // may fail in every way
						cancel()
						break
					}
				case n < 18:
					w.owners.give(object, rng.IntN(2) == 0)
					w.engine.Rebalance()
				default:
					w.backend.setOpen(randomOpen(rng))
					w.backend.setRead(randomRead(rng))
				}
			}
		})
	}
	group.Wait()

	w.backend.setOpen(nil)
	w.backend.setRead(nil)
	for i := range objects {
		w.owners.give(fmt.Sprintf("o%d", i), false)
	}
	w.engine.Rebalance()
	pass(30 * time.Second) // the longest back-off and interval, twice
	for object, all := range last {
		for id, o := range all {
			r := o.last()
			if r.Err != nil || r.Value.Metric != 1 {
				t.Errorf("%s/%s ends with %+v", object, id, r)
			}
			if age := time.Since(r.At); age > 10*time.Second {
				t.Errorf("%s/%s is %s old", object, id, age)
			}
		}
	}
	w.backend.takeKeys()
	pass(10 * time.Second)
	for key, n := range w.backend.takeKeys() {
		if n > 2*30 { // two accounts and kinds, at most each second
			t.Errorf("%s was read %d times in 10s", key, n)
		}
	}
	if size := w.engine.Size(); len(last) > 0 && size.Subscriptions == 0 {
		t.Errorf("%d objects, and the engine holds %+v", len(last), size)
	}
	for object := range last {
		w.engine.Remove(name(object))
	}
	if size := w.engine.Size(); size != (poll.Size{}) {
		t.Errorf("without objects the engine holds %+v", size)
	}
}

// setRandom gives the object up to five triggers.
func (w *world) setRandom(rng *rand.Rand, object string, intervals []time.Duration) map[string]*watched {
	all := map[string]*watched{}
	var members []poll.Member
	var ids []string
	interval := intervals[rng.IntN(len(intervals))]
	for i := range rng.IntN(5) {
		kind := []string{batching, single}[rng.IntN(2)]
		key, account := fmt.Sprintf("k%d", rng.IntN(20)), fmt.Sprintf("account=%d", rng.IntN(2))
		id := fmt.Sprint(i, kind, key, account)
		all[id] = &watched{sink: &sink{}}
		ids = append(ids, id)
		members = append(members, poll.Member{Scaler: w.trigger(kind, key, account), Interval: interval, Sink: all[id].sink})
	}
	for i, sub := range w.engine.Set(name(object), members) {
		all[ids[i]].Subscription = sub
	}
	return all
}

func randomOpen(rng *rand.Rand) func(context.Context) error {
	switch rng.IntN(8) {
	case 0:
		return never
	case 1:
		return func(context.Context) error { return errBroken }
	case 2:
		return func(context.Context) error { panic("boom") }
	case 3:
		return func(ctx context.Context) error { return pause(ctx, 500*time.Millisecond) }
	default:
		return nil
	}
}

func randomRead(rng *rand.Rand) func(context.Context, []string, []scalers.Result) error {
	switch rng.IntN(10) {
	case 0:
		return wait(time.Hour)
	case 1:
		return refuse(errBroken)
	case 2:
		return refuse(scalers.RateLimitedError(3*time.Second, "slow down"))
	case 3:
		return refuse(scalers.ConfigurationError("no such thing"))
	case 4:
		return refuseKeys(errBroken, "k0", "k1", "k2", "k3")
	case 5:
		return func(context.Context, []string, []scalers.Result) error { panic("boom") }
	case 6:
		return wait(300 * time.Millisecond)
	default:
		return nil
	}
}
