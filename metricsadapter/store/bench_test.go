package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers/poll"
)

// objects fills a store with n objects of one trigger each.
func objects(n int) (*store.Store, []*store.Slot) {
	s := store.New(func(poll.Key) {})
	var slots []*store.Slot
	for i := range n {
		key := poll.Key{Kind: "ScaledObject", Namespace: fmt.Sprintf("team%d", i%50), Name: fmt.Sprintf("orders%d", i)}
		slots = append(slots, s.Set(key, []store.Trigger{trigger(0, "s0-redis-orders")})...)
	}
	return s, slots
}

func BenchmarkPut(b *testing.B) {
	_, slots := objects(10_000)
	now := time.Now()
	b.Run("steady", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			slots[i%len(slots)].Put(value(float64(i), true, now))
		}
	})
	b.Run("transitions", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			slots[0].Put(value(float64(i), i%2 == 0, now))
		}
	})
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		s, _ := objects(n)
		name := fmt.Sprintf("orders%d", n/2)
		namespace := fmt.Sprintf("team%d", n/2%50)
		b.Run(fmt.Sprintf("%d-objects", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if s.Find(namespace, name, "s0-redis-orders") == nil {
					b.Fatal("not found")
				}
			}
		})
	}
}

func BenchmarkSet(b *testing.B) {
	s, _ := objects(10_000)
	triggers := []store.Trigger{trigger(0, "s0-a"), trigger(1, "s1-b"), trigger(2, "s2-c")}
	s.Set(orders, triggers)
	b.Run("unchanged", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Set(orders, triggers)
		}
	})
}
