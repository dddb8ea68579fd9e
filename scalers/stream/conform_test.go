package stream_test

import (
	"testing"

	"github.com/segmentio/kafka-go"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

func TestKafkaConforms(t *testing.T) {
	c := started(t, theBreakable)
	topic := c.topic(t, 5, 4)
	c.commit(t, "workers", topic, 2, 2)
	c.admin.Transport.(*kafka.Transport).CloseIdleConnections()
	conformance := scalertest.Conformance{
		Type: "apache-kafka", Address: c.Addr(servers.KafkaPlain), Want: scalers.Number(5),
		At: func(address string) param.Input {
			return param.Input{Metadata: m{"bootstrapServers": address, "consumerGroup": "workers", "topic": topic}}
		},
	}
	t.Run("apache-kafka", func(t *testing.T) { scalertest.Conform(t, conformance) })
	conformance.Type = "kafka"
	conformance.Stop = c.Kill
	conformance.Start = func() error { return c.Start(t.Context()) }
	t.Run("kafka", func(t *testing.T) { scalertest.Conform(t, conformance) })
}
