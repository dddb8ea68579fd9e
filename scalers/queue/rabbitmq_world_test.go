package queue_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	_ "github.com/freshet-io/freshet/scalers/queue"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

type m = map[string]string

// The server that all tests share, each in virtual hosts of its own: to start
// one takes seconds.
var (
	shared    *servers.RabbitMQ
	sharedDir string
	sharedErr error
	authority *servers.Authority
	tokenKey  *rsa.PrivateKey
	startOnce sync.Once
)

func TestMain(m *testing.M) {
	code := m.Run()
	if shared != nil {
		if err := shared.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	_ = os.RemoveAll(sharedDir)
	os.Exit(code)
}

func startShared() (err error) {
	if sharedDir, err = os.MkdirTemp("", "rabbitmq-test"); err != nil {
		return err
	}
	if authority, err = servers.NewAuthority("test"); err != nil {
		return err
	}
	files, err := authority.WriteServer(sharedDir)
	if err != nil {
		return err
	}
	if tokenKey, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(tokenKey.Public())
	if err != nil {
		return err
	}
	keyFile := filepath.Join(sharedDir, "token.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	if err := os.WriteFile(keyFile, text, 0o600); err != nil {
		return err
	}
	shared, err = servers.StartRabbitMQ(context.Background(), servers.RabbitMQOptions{Dir: sharedDir, TLS: files, TokenKey: keyFile})
	return err
}

// rabbit is the shared server. Where there is none the test is skipped or, in
// CI, fails.
func rabbit(t testing.TB) *servers.RabbitMQ {
	t.Helper()
	startOnce.Do(func() { sharedErr = startShared() })
	switch {
	case servers.IsNotInstalled(sharedErr) && os.Getenv("CI") == "":
		t.Skip(sharedErr)
	case sharedErr != nil:
		t.Fatal(sharedErr)
	}
	return shared
}

// world is a virtual host of a server.
type world struct {
	testing.TB
	*servers.RabbitMQ
	vhost   string
	channel *amqp.Channel
}

// worlds counts virtual hosts: the server mixes up what it knows of two that had
// the same name one after the other.
var worlds atomic.Int32

// newWorld makes a virtual host that goes with the test.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, RabbitMQ: rabbit(t), vhost: fmt.Sprintf("%s-%d", t.Name(), worlds.Add(1))}
	w.manage(http.MethodPut, w.path("vhosts"), nil)
	w.manage(http.MethodPut, w.path("permissions")+"/"+servers.RabbitMQUser, m{"configure": ".*", "write": ".*", "read": ".*"})
	c, err := amqp.DialConfig("amqp://"+w.AMQPAddr(), amqp.Config{Vhost: w.vhost})
	if err != nil {
		t.Fatal(err)
	}
	if w.channel, err = c.Channel(); err != nil {
		t.Fatal(err)
	}
	if err := w.channel.Confirm(false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		if err := w.Manage(context.Background(), http.MethodDelete, w.path("vhosts"), nil); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) path(kind string) string { return "/api/" + kind + "/" + url.PathEscape(w.vhost) }

func (w *world) manage(method, path string, body any) {
	w.Helper()
	if err := w.Manage(w.Context(), method, path, body); err != nil {
		w.Fatal(err)
	}
}

// queue makes a queue with so many messages.
func (w *world) queue(name string, messages int) {
	w.Helper()
	if _, err := w.channel.QueueDeclare(name, false, false, false, false, nil); err != nil {
		w.Fatal(err)
	}
	w.publish(name, messages)
}

func (w *world) publish(queue string, messages int) {
	w.Helper()
	var last *amqp.DeferredConfirmation
	for range messages {
		var err error
		if last, err = w.channel.PublishWithDeferredConfirm("", queue, false, false, amqp.Publishing{}); err != nil {
			w.Fatal(err)
		}
	}
	if last != nil && !last.Wait() {
		w.Fatal("the server did not take a message")
	}
}

// take gets messages and does not acknowledge them.
func (w *world) take(queue string, messages int) {
	w.Helper()
	for range messages {
		if _, ok, err := w.channel.Get(queue, false); err != nil || !ok {
			w.Fatalf("getting a message: %v, %v", ok, err)
		}
	}
}

// settled waits until the management API knows of every queue.
func (w *world) settled(queues int, known func(queue m) bool) {
	w.Helper()
	var listed []map[string]any
	eventually(w, func() error {
		request, err := http.NewRequestWithContext(w.Context(), http.MethodGet, "http://"+w.HTTPAddr()+w.path("queues"), nil)
		if err != nil {
			return err
		}
		request.SetBasicAuth(servers.RabbitMQUser, servers.RabbitMQUser)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		listed = nil
		if err := json.NewDecoder(response.Body).Decode(&listed); err != nil {
			return err
		}
		n := 0
		for _, q := range listed {
			texts := m{}
			for key, value := range q {
				texts[key] = fmt.Sprint(value)
			}
			if q["messages"] != nil && (known == nil || known(texts)) {
				n++
			}
		}
		if n < queues {
			return fmt.Errorf("statistics of %d of %d queues", n, queues)
		}
		return nil
	})
}

// eventually waits until f has no error.
func eventually(t testing.TB, f func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// amqp and http are the addresses of the virtual host, by protocol.
func (w *world) amqp() string {
	return "amqp://guest:guest@" + w.AMQPAddr() + "/" + url.PathEscape(w.vhost)
}
func (w *world) http() string {
	return "http://guest:guest@" + w.HTTPAddr() + "/" + url.PathEscape(w.vhost)
}

// trigger is a rabbitmq trigger, of whose metadata "" takes a key away.
func trigger(t testing.TB, host, queue string, metadata, auth m) *scalers.Scaler {
	t.Helper()
	s, err := decode(host, queue, metadata, auth)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decode(host, queue string, metadata, auth m) (*scalers.Scaler, error) {
	all := m{"host": host, "queueName": queue}
	maps.Copy(all, metadata)
	maps.DeleteFunc(all, func(_, v string) bool { return v == "" })
	s, _, err := scalers.Decode("rabbitmq", param.Input{Metadata: all, Auth: auth}, scalers.Setting{})
	return s, err
}

// readOn reads scalers of one source in one call, within a deadline that no
// healthy server needs.
func readOn(t testing.TB, conn scalers.Conn, batch ...*scalers.Scaler) ([]scalers.Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out := make([]scalers.Result, len(batch))
	return out, scalers.Read(ctx, conn, batch, out)
}

// read reads a scaler on a connection of its own.
func read(t testing.TB, s *scalers.Scaler) scalers.Result {
	t.Helper()
	conn, err := s.Source.Open(t.Context())
	if err != nil {
		return scalers.Result{Err: err}
	}
	defer func() {
		if err := conn.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	}()
	out, err := readOn(t, conn, s)
	if err != nil {
		return scalers.Result{Err: err}
	}
	return out[0]
}

// outcome is the number that was read, or the class of the error.
func outcome(r scalers.Result) string {
	switch {
	case r.Err != nil:
		return scalers.ClassOf(r.Err).String()
	case r.Value.Metric != r.Value.Activity:
		return fmt.Sprintf("%v and activity %v", r.Value.Metric, r.Value.Activity)
	}
	return fmt.Sprint(r.Value.Metric)
}

// outcomes are those of several.
func outcomes(results []scalers.Result) (texts []string) {
	for _, r := range results {
		texts = append(texts, outcome(r))
	}
	return texts
}
