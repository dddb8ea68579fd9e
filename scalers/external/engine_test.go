package external_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

func valued(n float64) func(scalers.Reading) bool {
	return func(r scalers.Reading) bool {
		return r.Err == nil && len(r.Value.Series) == 1 && r.Value.Series[0].Value == n
	}
}

// An event is a reading, and an active one, long before the next poll.
func TestPushIsReadAtOnce(t *testing.T) {
	t.Parallel()
	server := start(t, servers.ExternalOptions{})
	server.Set("worker", of("q", 5, 0))
	engine := scalertest.Engine(t, poll.Options{})
	l := set(engine, "worker", push(t, "worker", server))
	l.Until(t, "a reading", func(r scalers.Reading) bool { return r.Err == nil && !r.Active })
	eventually(t, "the stream", func() bool { return server.Streams("StreamIsActive") == 1 })
	server.Set("worker", of("q", 5, 12))
	server.Activate("worker", true)
	l.Until(t, "the event's reading", func(r scalers.Reading) bool { return valued(12)(r) && r.Active })
}

// Other metrics are a reading too, and none of activity.
func TestMetricsAreReadAtOnce(t *testing.T) {
	t.Parallel()
	server := start(t, servers.ExternalOptions{})
	server.Set("worker", of("q", 5, 1))
	engine := scalertest.Engine(t, poll.Options{})
	l := set(engine, "worker", push(t, "worker", server))
	l.Until(t, "a reading", valued(1))
	eventually(t, "the stream", func() bool { return server.Streams("StreamMetricSpec") == 1 })
	server.Set("worker", of("orders", 7, 2))
	r := l.Until(t, "the other metric", valued(2))
	if r.Value.Series[0].Name != "orders" || r.Value.Series[0].Target != 7 || r.Active {
		t.Errorf("the reading is %+v", r)
	}
}

// Five hundred triggers of one scaler are two connections: one for reads and one
// for all streams.
func TestFiveHundredTriggersAreTwoConnections(t *testing.T) {
	t.Parallel()
	server := start(t, servers.ExternalOptions{})
	engine := scalertest.Engine(t, poll.Options{})
	const triggers = 500
	all := make([]*scalertest.Sink, triggers)
	for i := range all {
		object := fmt.Sprintf("worker%d", i)
		server.Set(object, of("q", 5, float64(i)))
		all[i] = set(engine, object, push(t, object, server))
	}
	for i, l := range all {
		l.Until(t, "the first reading", valued(float64(i)))
	}
	eventually(t, "all streams", func() bool {
		return server.Streams("StreamIsActive") == triggers && server.Streams("StreamMetricSpec") == triggers
	})
	for i := range all {
		server.Activate(fmt.Sprintf("worker%d", i), true)
	}
	for _, l := range all {
		l.Until(t, "the event's reading", func(r scalers.Reading) bool { return r.Active })
	}
	if accepted, open := server.Connections(); accepted != 2 || open != 2 {
		t.Errorf("%d connections were made, and %d are open", accepted, open)
	}
}

// A server that goes is found again when it is back, with all its streams, and
// meanwhile is connected to as seldom as the back-off says.
func TestServerGoneAndBack(t *testing.T) {
	t.Parallel()
	server := start(t, servers.ExternalOptions{})
	engine := scalertest.Engine(t, poll.Options{FirstBackoff: 50 * time.Millisecond, MostBackoff: 200 * time.Millisecond})
	const triggers = 100
	all := make([]*scalertest.Sink, triggers)
	for i := range all {
		object := fmt.Sprintf("worker%d", i)
		server.Set(object, of("q", 5, 1))
		all[i] = set(engine, object, push(t, object, server))
	}
	streams := func() bool { return server.Streams("StreamIsActive") == triggers }
	eventually(t, "all streams", streams)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an error", func() bool {
		for _, l := range all {
			if l.Reading().Err != nil {
				return true
			}
		}
		return false
	})
	eventually(t, "the end of all streams", func() bool { return server.Streams("StreamIsActive") == 0 })
	before, _ := server.Connections()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all streams again", streams)
	for i, l := range all {
		server.Set(fmt.Sprintf("worker%d", i), of("q", 5, 2))
		server.Activate(fmt.Sprintf("worker%d", i), true)
		l.Until(t, "the event's reading", func(r scalers.Reading) bool { return valued(2)(r) && r.Active })
	}
	if now, _ := server.Connections(); now-before > 6 {
		t.Errorf("%d connections were made to a server that is back", now-before)
	}
}

// Triggers that nobody wants any more leave nothing open.
func TestNothingStaysOpen(t *testing.T) {
	t.Parallel()
	server := start(t, servers.ExternalOptions{})
	server.Set("worker", of("q", 5, 1))
	engine := scalertest.Engine(t, poll.Options{})
	set(engine, "worker", push(t, "worker", server)).Until(t, "a reading", valued(1))
	eventually(t, "the streams", func() bool { return server.Streams("StreamIsActive") == 1 })
	engine.Remove(poll.Key{Kind: "ScaledObject", Name: "worker"})
	eventually(t, "the end of all connections", func() bool {
		_, open := server.Connections()
		return open == 0
	})
}
