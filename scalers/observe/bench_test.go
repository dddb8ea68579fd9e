package observe_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/freshet-io/freshet/scalers"
)

// BenchmarkRead reads one number over a connection that is open: of an answer
// of one series, and the last one of an answer with 10,000 samples.
func BenchmarkRead(b *testing.B) {
	var text, json strings.Builder
	json.WriteString(`{"queues":[`)
	for i := range 10_000 {
		fmt.Fprintf(&text, "queue_size{queue=\"orders-%d\",region=\"eu-west-1\"} %d\n", i, i)
		fmt.Fprintf(&json, `{"name":"orders-%d","size":%d},`, i, i)
	}
	json.WriteString(`{"name":"last","size":5}]}`)
	vector := serve(b, 200, "application/json", `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"5"]}]}}`)
	metrics, list := serve(b, 200, "text/plain", text.String()), serve(b, 200, "application/json", json.String())
	for name, s := range map[string]*scalers.Scaler{
		"prometheus":            prom(b, vector.URL, "up", nil, nil),
		"metrics-api/metrics":   api(b, metrics.URL, `queue_size{queue="orders-9999"}`, m{"format": "prometheus"}, nil),
		"metrics-api/json-list": api(b, list.URL, `queues.10000.size`, nil, nil),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			c, err := s.Source.Open(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			for b.Loop() {
				if r := readOn(b, c, s); r.Err != nil {
					b.Fatal(r.Err)
				}
			}
		})
	}
}
