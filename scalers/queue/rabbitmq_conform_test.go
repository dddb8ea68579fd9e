package queue_test

import (
	"errors"
	"fmt"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest"
)

// TestRabbitMQConforms runs before all that runs in parallel: it ends the shared
// server as a crash would, and starts it again.
func TestRabbitMQConforms(t *testing.T) {
	server := rabbit(t)
	durable(t, server.AMQPAddr())
	at := func(scheme string) func(string) param.Input {
		return func(address string) param.Input {
			return param.Input{Metadata: m{"host": scheme + "://guest:guest@" + address + "/%2F", "queueName": "durable"}}
		}
	}
	old := map[string]*scalers.Scaler{
		"AMQP": trigger(t, at("amqp")(server.AMQPAddr()).Metadata["host"], "durable", nil, nil),
		"HTTP": trigger(t, at("http")(server.HTTPAddr()).Metadata["host"], "durable", nil, nil),
	}
	conns := map[string]scalers.Conn{}
	for name, s := range old {
		conns[name] = scalertest.Open(t, s)
		wantOn(t, name, conns[name], s)
	}
	scalertest.Conform(t, scalertest.Conformance{
		Type: "rabbitmq", Address: server.HTTPAddr(), Want: scalers.Number(3), At: at("http"),
	})
	scalertest.Conform(t, scalertest.Conformance{
		Type: "rabbitmq", Address: server.AMQPAddr(), Want: scalers.Number(3), At: at("amqp"),
		Stop: func() error {
			err := server.Kill()
			for name, s := range old {
				for range 2 {
					_, readErr := readOn(t, conns[name], s)
					if readErr == nil || scalers.ClassOf(readErr) != scalers.Unavailable {
						t.Errorf("%s: without a server, on a connection that was: of class %s: %v", name, scalers.ClassOf(readErr), readErr)
					}
				}
			}
			return err
		},
		Start: func() error { return server.Start(t.Context()) },
	})
	for name, s := range old { // the connections that were find it too
		wantOn(t, name, conns[name], s)
	}
}

// wantOn waits until three messages are read.
func wantOn(t *testing.T, name string, conn scalers.Conn, s *scalers.Scaler) {
	t.Helper()
	eventually(t, func() error {
		out, err := readOn(t, conn, s)
		if err == nil && out[0].Err == nil && out[0].Value.Metric != 3 {
			return fmt.Errorf("%s: read %v", name, out[0].Value)
		}
		return errors.Join(err, out[0].Err)
	})
}

// durable makes a queue that outlives the server, with three messages.
func durable(t *testing.T, address string) {
	t.Helper()
	c, err := amqp.Dial("amqp://" + address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	channel, err := c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := channel.Confirm(false); err != nil {
		t.Fatal(err)
	}
	if _, err := channel.QueueDeclare("durable", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := channel.QueuePurge("durable", false); err != nil { // of what an earlier test left
		t.Fatal(err)
	}
	for range 3 {
		confirm, err := channel.PublishWithDeferredConfirm("", "durable", false, false, amqp.Publishing{DeliveryMode: amqp.Persistent})
		if err != nil || !confirm.Wait() {
			t.Fatal("publishing", err)
		}
	}
}
