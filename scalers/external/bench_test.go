package external_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers/poll"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// BenchmarkRead is one read of a trigger with one metric and with ten.
func BenchmarkRead(b *testing.B) {
	for _, n := range []int{1, 10} {
		b.Run(fmt.Sprintf("metrics=%d", n), func(b *testing.B) {
			server := start(b, servers.ExternalOptions{})
			var all []metric
			for i := range n {
				all = append(all, of(fmt.Sprint("m", i), 5, 1))
			}
			server.Set("worker", all...)
			s := decode(b, "external", "worker", server.Addr(), nil, nil)
			conn := scalertest.Open(b, s)
			b.ReportAllocs()
			for b.Loop() {
				if r := readOn(b, conn, s); r.Err != nil {
					b.Fatal(r.Err)
				}
			}
		})
	}
}

// BenchmarkEvent is from the moment a scaler knows of work to a reading that is
// active, alone and among 500 triggers of the scaler. Goroutines and memory are
// those of both sides.
func BenchmarkEvent(b *testing.B) {
	for _, n := range []int{1, 500} {
		b.Run(fmt.Sprintf("triggers=%d", n), func(b *testing.B) {
			server := start(b, servers.ExternalOptions{})
			before, heap := runtime.NumGoroutine(), heapInUse()
			engine := scalertest.Engine(b, poll.Options{})
			all := make([]*scalertest.Sink, n)
			for i := range all {
				object := fmt.Sprint("worker", i)
				server.Set(object, of("q", 5, 1))
				all[i] = set(engine, object, push(b, object, server))
			}
			eventually(b, "all streams", func() bool { return server.Streams("StreamIsActive") == n && server.Streams("StreamMetricSpec") == n })
			for _, l := range all {
				l.Until(b, "the first reading", valued(1))
			}
			goroutines, used := runtime.NumGoroutine()-before, heapInUse()-heap
			var took time.Duration
			i := 0
			for b.Loop() {
				object, l := fmt.Sprint("worker", i%n), all[i%n]
				i++
				server.Activate(object, false)
				time.Sleep(2 * 100 * time.Millisecond) // events that come sooner wait
				value := float64(1 + i)
				began := time.Now()
				server.Set(object, of("q", 5, value))
				server.Activate(object, true)
				for !valued(value)(l.Reading()) {
					runtime.Gosched()
				}
				took += time.Since(began)
			}
			b.ReportMetric(float64(took.Microseconds())/float64(i), "µs/event")
			b.ReportMetric(float64(goroutines)/float64(n), "goroutines/trigger")
			b.ReportMetric(float64(used)/float64(n)/1024, "KiB/trigger")
		})
	}
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
