package stream_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest"
)

// TestKafkaTraffic counts what 500 triggers of one cluster cost it.
func TestKafkaTraffic(t *testing.T) {
	c := shared(t)
	const triggers, groups = 500, 100
	topics := []string{c.topic(t, 5, 5), c.topic(t, 1, 2, 3), c.topic(t, 9)}
	var batch []*scalers.Scaler
	for i := range triggers {
		group := fmt.Sprintf("%s-%d", t.Name(), i%groups)
		metadata := m{"topic": topics[i%3], "lagThreshold": fmt.Sprint(1 + i), "offsetResetPolicy": "earliest", "allowIdleConsumers": "true"}
		batch = append(batch, lagOf(t, "kafka", c.proxy.addr(), group, metadata, nil))
	}
	conn := scalertest.Open(t, batch[0])
	c.proxy.take()
	look := func(what string, want map[protocol.ApiKey]int, dialed int) {
		t.Helper()
		out, err := read(t, conn, batch...)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range out {
			lag := []float64{10, 6, 9}[i%3]
			wantValue(t, what, r, lag, lag)
		}
		seen := c.proxy.take()
		if diff := cmp.Diff(want, seen.requests); diff != "" || seen.dialed != dialed || seen.open != 1 {
			t.Errorf("%s: %d connections were opened, %d are open, want %d and 1; requests (-want +got)\n%s",
				what, seen.dialed, seen.open, dialed, diff)
		}
	}
	look("the first read", map[protocol.ApiKey]int{
		protocol.ApiVersions: 1, protocol.Metadata: 1, protocol.FindCoordinator: groups, protocol.OffsetFetch: groups, protocol.ListOffsets: 2,
	}, 1)
	again := map[protocol.ApiKey]int{protocol.Metadata: 1, protocol.OffsetFetch: groups, protocol.ListOffsets: 2}
	look("the second read", again, 0)

	// Reads of several intervals share the connection too.
	errs := make(chan error)
	for i := range 10 {
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			part := batch[i*50 : (i+1)*50]
			errs <- scalers.Read(ctx, conn, part, make([]scalers.Result, len(part)))
		}()
	}
	for range 10 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if seen := c.proxy.take(); seen.dialed != 0 || seen.open != 1 {
		t.Errorf("reads at the same time opened %d connections, %d are open", seen.dialed, seen.open)
	}

	// A connection that was cut while it was idle is no fault of anybody.
	c.proxy.cut()
	again[protocol.ApiVersions] = 1
	look("after a cut", again, 1)
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "waiting for connections to end", func() error {
		if open := c.proxy.take().open; open > 0 {
			return fmt.Errorf("%d connections are left open", open)
		}
		return nil
	})
}

// BenchmarkKafkaRead reads groups of one cluster in one call.
func BenchmarkKafkaRead(b *testing.B) {
	c := shared(b)
	topic := c.topic(b, 5, 5, 5, 5)
	for _, n := range []int{1, 100, 500} {
		b.Run(fmt.Sprintf("groups=%d", n), func(b *testing.B) {
			batch := make([]*scalers.Scaler, n)
			for i := range batch {
				batch[i] = c.lag(b, fmt.Sprintf("bench-%d", i), m{"topic": topic})
			}
			conn := scalertest.Open(b, batch[0])
			out := make([]scalers.Result, n)
			b.ReportAllocs()
			for b.Loop() {
				ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
				err := scalers.Read(ctx, conn, batch, out)
				cancel()
				if err != nil || out[0].Err != nil {
					b.Fatal(err, out[0].Err)
				}
			}
		})
	}
}
