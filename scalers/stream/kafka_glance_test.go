package stream_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest"
)

// TestKafkaGlance looks for messages of idle groups: however many there are, it
// takes three requests, and one more for each group that has any.
func TestKafkaGlance(t *testing.T) {
	c := shared(t)
	const groups = 30
	topics := []string{c.topic(t, 0, 0), c.topic(t, 0)}
	var batch []*scalers.Scaler
	for i := range groups {
		batch = append(batch, lagOf(t, "kafka", c.proxy.addr(), fmt.Sprintf("%s-%d", t.Name(), i),
			m{"topic": topics[i%2], "offsetResetPolicy": "earliest"}, nil))
	}
	persistent := lagOf(t, "kafka", c.proxy.addr(), t.Name()+"-persistent", m{"topic": topics[1], "excludePersistentLag": "true", "offsetResetPolicy": "earliest"}, nil)
	conn := scalertest.Open(t, batch[0])
	glance := func(what string, batch []*scalers.Scaler, fetches int, want func(i int) float64) {
		t.Helper()
		c.proxy.take()
		ctx, cancel := context.WithTimeout(scalers.WithGlance(t.Context()), patience)
		defer cancel()
		out := make([]scalers.Result, len(batch))
		if err := scalers.Read(ctx, conn, batch, out); err != nil {
			t.Fatal(err)
		}
		for i, r := range out {
			wantValue(t, fmt.Sprintf("%s: trigger %d", what, i), r, want(i), want(i))
		}
		requests := map[protocol.ApiKey]int{protocol.Metadata: 1, protocol.ListOffsets: 2}
		if fetches > 0 {
			requests = map[protocol.ApiKey]int{protocol.Metadata: 2, protocol.ListOffsets: 4, protocol.OffsetFetch: fetches}
		}
		if diff := cmp.Diff(requests, c.proxy.take().requests); diff != "" {
			t.Errorf("%s: requests (-want +got)\n%s", what, diff)
		}
	}
	none := func(int) float64 { return 0 }
	if _, err := read(t, conn, append([]*scalers.Scaler{persistent}, batch...)...); err != nil {
		t.Fatal(err)
	}
	glance("nothing new", batch, 0, none)
	c.produce(t, topics[1], 0, 4)
	got := func(i int) float64 { return []float64{0, 4}[i%2] }
	glance("messages", batch, groups/2, got)
	glance("nothing more", batch, 0, got)
	glance("with a persistent lag", append([]*scalers.Scaler{persistent}, batch...), 1, func(i int) float64 {
		if i == 0 {
			return 4
		}
		return got(i - 1)
	})
}
