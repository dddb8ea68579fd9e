package metricsadapter_test

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"

	"github.com/freshet-io/freshet/metricsadapter"
)

// BenchmarkGetExternalMetric is what one HPA asks every 15 seconds.
func BenchmarkGetExternalMetric(b *testing.B) {
	s, err := labels.Parse(selector)
	if err != nil {
		b.Fatal(err)
	}
	info := provider.ExternalMetricInfo{Metric: "s0-orders"}
	ask := func(b *testing.B, w *world) {
		b.Helper()
		if got, err := w.GetExternalMetric(b.Context(), "shop", s, info); err != nil || len(got.Items) != 1 {
			b.Fatal(got, err)
		}
	}
	for _, tc := range []struct {
		name      string
		freshness time.Duration
	}{{"fresh", time.Hour}, {"live", 0}} {
		b.Run(tc.name, func(b *testing.B) {
			w := newWorld(b, tc.freshness, "orders")
			time.Sleep(100 * time.Millisecond) // the first reading
			b.ReportAllocs()
			for b.Loop() {
				ask(b, w)
			}
		})
		b.Run(tc.name+"-parallel", func(b *testing.B) {
			w := newWorld(b, tc.freshness, "orders")
			time.Sleep(100 * time.Millisecond)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					ask(b, w)
				}
			})
		})
	}
}

func BenchmarkQuantity(b *testing.B) {
	for name, v := range map[string]float64{"integer": 42, "fraction": 1.2345, "huge": 1e19} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if q := metricsadapter.Quantity(v); q.Sign() < 0 {
					b.Fatal(q)
				}
			}
		})
	}
}
