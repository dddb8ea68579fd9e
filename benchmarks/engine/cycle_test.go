package main

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers/poll"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// server starts the server of a benchmark.
func server(b *testing.B) *servers.Redis {
	b.Helper()
	r, err := startServer(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := r.Stop(); err != nil {
			b.Error(err)
		}
	})
	return r
}

// BenchmarkCycle reads every trigger of a real Redis once. bare is the client's
// pipeline of as many commands, and x-bare how many times that a cycle takes.
func BenchmarkCycle(b *testing.B) {
	r := server(b)
	plain := map[int]float64{}
	for _, n := range []int{1_000, 10_000, 60_000} {
		b.Run(fmt.Sprintf("triggers=%d/bare", n), func(b *testing.B) {
			if err := fill(b.Context(), r, n); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := bare(b.Context(), r.Client(), n); err != nil {
					b.Fatal(err)
				}
			}
			plain[n] = float64(b.Elapsed()) / float64(b.N)
		})
	}
	for _, n := range sizes {
		b.Run(n.String(), func(b *testing.B) { benchmarkCycle(b, r, n, plain[n.triggers]) })
	}
}

func benchmarkCycle(b *testing.B, r *servers.Redis, n size, plain float64) {
	if err := fill(b.Context(), r, n.triggers); err != nil {
		b.Fatal(err)
	}
	f, err := newFleet(b.Context(), r, n)
	if err != nil {
		b.Fatal(err)
	}
	before, err := commands(b.Context(), r)
	if err != nil {
		b.Fatal(err)
	}
	var start, end runtime.MemStats
	runtime.ReadMemStats(&start)
	cycles := 0
	for b.Loop() {
		if err := f.cycle(b.Context()); err != nil {
			b.Fatal(err)
		}
		cycles++
	}
	runtime.ReadMemStats(&end)
	after, err := commands(b.Context(), r)
	if err != nil || after-before != cycles*n.triggers {
		b.Fatalf("%d cycles are %d commands of the server, %v", cycles, after-before, err)
	}
	reads := float64(cycles * n.triggers)
	b.ReportMetric(float64(b.Elapsed())/reads, "ns/trigger")
	b.ReportMetric(float64(end.Mallocs-start.Mallocs)/reads, "allocs/trigger")
	if plain > 0 {
		b.ReportMetric(float64(b.Elapsed())/float64(cycles)/plain, "x-bare")
	}
	if err := f.end(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkIdleTrigger measures the heap that an idle trigger takes: decoded,
// subscribed to, read once, and with its place in the store.
func BenchmarkIdleTrigger(b *testing.B) {
	const triggers = 10_000
	r := server(b)
	if err := r.Client().FlushAll(b.Context()).Err(); err != nil {
		b.Fatal(err)
	}
	var bytes float64
	for b.Loop() {
		before := heap()
		leader := poll.NewLeader("benchmark")
		leader.Elect()
		engine := poll.New(poll.Options{Ownership: leader})
		readings := store.New(func(poll.Key) {})
		done := make(chan error, 1)
		ctx, cancel := context.WithCancel(b.Context())
		go func() { done <- engine.Run(ctx) }()
		slots := make([]*store.Slot, triggers)
		for i := range slots {
			s, err := trigger(r.Addr(), i, 0)
			if err != nil {
				b.Fatal(err)
			}
			slots[i] = readings.Set(object(i), []store.Trigger{{
				Metric: "s0-redis-" + key(i), Label: "redisScaler", Type: "redis", Fingerprint: s.Fingerprint, Freshness: 5 * time.Second,
			}})[0]
			slots[i].Bind(engine.Set(object(i), []poll.Member{{Scaler: s, Interval: 30 * time.Second, Sink: slots[i]}})[0])
		}
		for _, s := range slots {
			for !s.Reading().Known() {
				time.Sleep(time.Millisecond)
			}
		}
		bytes = float64(heap()-before) / triggers
		runtime.KeepAlive(readings)
		cancel()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(bytes, "B/trigger")
}

// heap is how much of it is in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
