package poll

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

func init() {
	example := map[string]string{"source": "s", "key": "k"}
	scalers.Register(scalers.Kind[benchConn, *benchBatching]{
		Types: []string{"bench-batching"}, Category: "test", Since: "0", Label: "test", Example: example,
		ReadAll: func(_ context.Context, _ benchConn, triggers []*benchBatching, out []scalers.Result) error {
			for i := range triggers {
				out[i].Value = scalers.Number(1)
			}
			return nil
		},
	})
	scalers.Register(scalers.Kind[benchConn, *benchSingle]{
		Types: []string{"bench-single"}, Category: "test", Since: "0", Label: "test", Example: example,
	})
}

// BenchParams are the parameters of triggers that cost nothing to read.
type BenchParams struct {
	From string `param:"source"`
	Key  string `param:"key"`
}

func (p *BenchParams) Source() scalers.Source[benchConn] { return benchSource{p.From} }
func (p *BenchParams) Stem() string                      { return p.Key }
func (p *BenchParams) Read(context.Context, benchConn) (scalers.Value, error) {
	return scalers.Number(1), nil
}

type (
	benchBatching struct{ BenchParams }
	benchSingle   struct{ BenchParams }
	benchSource   struct{ Name string }
	benchConn     struct{}
	benchSink     struct{ readings int }
)

func (s benchSource) String() string                        { return s.Name }
func (benchSource) Open(context.Context) (benchConn, error) { return benchConn{}, nil }
func (benchConn) Close() error                              { return nil }
func (s *benchSink) Put(scalers.Reading)                    { s.readings++ }
func benchKey(i int) Key                                    { return Key{Kind: "ScaledObject", Name: fmt.Sprint(i)} }
func benchScaler(b *testing.B, kind, source string, i int) *scalers.Scaler {
	b.Helper()
	s, _, err := scalers.Decode(kind, param.Input{Metadata: map[string]string{"source": source, "key": fmt.Sprint(i)}}, scalers.Setting{})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkCycle schedules, dispatches and reads 10,000 queries once, from
// sources that answer at once: what is left is the engine's own work.
func BenchmarkCycle(b *testing.B) {
	const queries, interval = 10_000, 30 * time.Second
	for _, tc := range []struct {
		name, kind string
		sources    int
	}{
		{"one-source", "bench-batching", 1},
		{"100-sources", "bench-batching", 100},
		{"10000-sources", "bench-batching", queries},
		{"one-source-singly", "bench-single", 1},
		{"100-sources-singly", "bench-single", 100},
	} {
		b.Run(tc.name, func(b *testing.B) {
			leader := NewLeader("me")
			leader.Elect()
			e := New(Options{Ownership: leader})
			e.ctx = b.Context()
			sinks := make([]benchSink, queries)
			for i := range queries {
				s := benchScaler(b, tc.kind, fmt.Sprint(i%tc.sources), i)
				e.Set(benchKey(i), []Member{{Scaler: s, Interval: interval, Sink: &sinks[i]}})
			}
			cycle := func() {
				e.dispatch(time.Now().Add(interval))
				e.rounds.Wait()
			}
			cycle() // opens the connections
			before := sinks[0].readings
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				cycle()
				n++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n)/queries, "ns/query")
			if got := sinks[queries-1].readings - before; got != n {
				b.Fatalf("%d readings in %d cycles", got, n)
			}
			e.shutDown()
		})
	}
}

// BenchmarkSet makes and removes 10,000 objects.
func BenchmarkSet(b *testing.B) {
	const objects = 10_000
	for name, sources := range map[string]int{"one-source": 1, "10000-sources": objects} {
		b.Run(name, func(b *testing.B) {
			leader := NewLeader("me")
			leader.Elect()
			all := make([]*scalers.Scaler, objects)
			for i := range all {
				all[i] = benchScaler(b, "bench-batching", fmt.Sprint(i%sources), i)
			}
			sink := &benchSink{}
			b.ReportAllocs()
			for b.Loop() {
				e := New(Options{Ownership: leader})
				for i, s := range all {
					e.Set(benchKey(i), []Member{{Scaler: s, Interval: time.Minute, Sink: sink}})
				}
				for i := range all {
					e.Remove(benchKey(i))
				}
				if size := e.Size(); size != (Size{}) {
					b.Fatalf("the engine holds %+v", size)
				}
			}
		})
	}
}
