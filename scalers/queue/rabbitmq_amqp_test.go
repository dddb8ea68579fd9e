package queue_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// TestRabbitMQManyQueuesAreOneConnection reads 500 queues, some of which are not
// there, each of two triggers.
func TestRabbitMQManyQueuesAreOneConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var batch []*scalers.Scaler
	var want []string
	for i := range 500 {
		name, count := fmt.Sprintf("q%d", i), fmt.Sprint(i%3)
		if i%50 == 7 {
			count = "configuration"
		} else {
			w.queue(name, i%3)
		}
		batch = append(batch, trigger(t, w.amqp(), name, nil, nil), trigger(t, w.amqp(), name, m{"activationValue": "5"}, nil))
		want = append(want, count, count)
	}
	conn := scalertest.Open(t, batch[0])
	for range 3 {
		out, err := readOn(t, conn, batch...)
		if diff := cmp.Diff(want, outcomes(out)); err != nil || diff != "" {
			t.Fatalf("%v (-want +got)\n%s", err, diff)
		}
	}
	eventually(t, func() error {
		if names := w.connections(); len(names) != 2 || names[0]+names[1] != "freshet" { // the other is the test's
			return fmt.Errorf("the connections are %q", names)
		}
		return nil
	})
}

// connections are the names of those to the virtual host.
func (w *world) connections() (names []string) {
	w.Helper()
	request, err := http.NewRequestWithContext(w.Context(), http.MethodGet, "http://"+w.HTTPAddr()+w.path("vhosts")+"/connections", nil)
	if err != nil {
		w.Fatal(err)
	}
	request.SetBasicAuth(servers.RabbitMQUser, servers.RabbitMQUser)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.Fatal(err)
	}
	defer response.Body.Close()
	var all []struct {
		Properties struct {
			Name string `json:"connection_name"`
		} `json:"client_properties"`
	}
	if err := json.NewDecoder(response.Body).Decode(&all); err != nil {
		w.Fatal(err)
	}
	for _, c := range all {
		names = append(names, c.Properties.Name)
	}
	return names
}

func TestRabbitMQQueueOfAnotherConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.queue("orders", 2)
	if _, err := w.channel.QueueDeclare("mine", false, false, true, false, nil); err != nil {
		t.Fatal(err)
	}
	batch := []*scalers.Scaler{trigger(t, w.amqp(), "mine", nil, nil), trigger(t, w.amqp(), "orders", nil, nil)}
	out, err := readOn(t, scalertest.Open(t, batch[0]), batch...)
	if diff := cmp.Diff([]string{"configuration", "2"}, outcomes(out)); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

// swallow forwards to a server what is sent over AMQP but for what holds the
// text, and returns its address.
func swallow(t *testing.T, server, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				return
			}
			go func() { _, _ = io.Copy(client, upstream); client.Close() }()
			go func() { _ = filter(upstream, client, []byte(text)); upstream.Close() }()
		}
	}()
	return l.Addr().String()
}

// filter copies the header of the protocol, and then frames.
func filter(to io.Writer, from io.Reader, without []byte) error {
	if _, err := io.CopyN(to, from, 8); err != nil {
		return err
	}
	for {
		var frame bytes.Buffer
		if _, err := io.CopyN(&frame, from, 7); err != nil {
			return err
		}
		if _, err := io.CopyN(&frame, from, int64(binary.BigEndian.Uint32(frame.Bytes()[3:7]))+1); err != nil {
			return err
		}
		if bytes.Contains(frame.Bytes(), without) {
			continue
		}
		if _, err := to.Write(frame.Bytes()); err != nil {
			return err
		}
	}
}

// Queues that do not answer cost the others nothing, however many they are, once
// it is known which; and their connection is made anew.
func TestRabbitMQQueuesThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	host := "amqp://" + swallow(t, w.AMQPAddr(), "silent") + "/" + w.vhost
	var batch []*scalers.Scaler
	var want []string
	for i := range 9 {
		name := fmt.Sprintf("silent%d", i)
		w.queue(name, 1)
		batch = append(batch, trigger(t, host, name, nil, nil))
		want = append(want, "unavailable")
	}
	for i := range 9 {
		name := fmt.Sprintf("q%d", i)
		w.queue(name, i)
		batch = append(batch, trigger(t, host, name, nil, nil))
		want = append(want, fmt.Sprint(i))
	}
	conn := scalertest.Open(t, batch[0])
	// Four are asked for at a time, so that the first reads get nothing. How long a
	// login takes depends on the machine.
	for deadline := 300 * time.Millisecond; ; deadline += deadline / 4 {
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		out := make([]scalers.Result, len(batch))
		err := scalers.Read(ctx, conn, batch, out)
		cancel()
		diff := cmp.Diff(want, outcomes(out))
		switch {
		case err != nil && !scalers.IsTimeout(err):
			t.Fatalf("a connection that was cut is not made anew: %v", err)
		case err == nil && diff == "" && scalers.IsTimeout(out[0].Err):
			return
		case deadline > 10*time.Second:
			t.Fatalf("%v, %v (-want +got)\n%s", err, out[0].Err, diff)
		}
	}
}

// A queue that does not answer is, alone, a server that does not.
func TestRabbitMQSilentQueueAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.queue("silent", 1)
	s := trigger(t, "amqp://"+swallow(t, w.AMQPAddr(), "silent")+"/"+w.vhost, "silent", nil, nil)
	conn := scalertest.Open(t, s)
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		var out [1]scalers.Result
		if err := scalers.Read(ctx, conn, []*scalers.Scaler{s}, out[:]); !scalers.IsTimeout(err) {
			t.Errorf("it is no time-out of the connection: %v", err)
		}
		cancel()
	}
}
