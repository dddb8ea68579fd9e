package external_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// listening is a watch that goes on until the test ends.
type listening struct {
	active, other atomic.Int64 // events
	ended         chan error
	stop          context.CancelFunc
}

// listen watches the scaler on the connection.
func listen(t testing.TB, conn scalers.Conn, s *scalers.Scaler) *listening {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &listening{ended: make(chan error, 1), stop: cancel}
	go func() {
		l.ended <- s.Watch(ctx, conn, func(active bool) {
			if active {
				l.active.Add(1)
			} else {
				l.other.Add(1)
			}
		})
	}()
	t.Cleanup(cancel)
	return l
}

// end waits for the end of the watch.
func (l *listening) end(t testing.TB) error {
	t.Helper()
	select {
	case err := <-l.ended:
		return err
	case <-time.After(patience):
		t.Fatal("the watch does not end")
		return nil
	}
}

func push(t testing.TB, object string, server *servers.External) *scalers.Scaler {
	t.Helper()
	return decode(t, "external-push", object, server.Addr(), nil, nil)
}

// Of activity only "true" is told; false is left to the polls.
func TestWatchTellsOfActivity(t *testing.T) {
	t.Parallel()
	server := start(t, servers.ExternalOptions{Pulls: true})
	server.Set("worker", of("q", 5, 1))
	s := push(t, "worker", server)
	l := listen(t, scalertest.Open(t, s), s)
	eventually(t, "the stream", func() bool { return server.Streams("StreamIsActive") == 1 })
	for n := range int64(3) {
		server.Activate("worker", true)
		eventually(t, "the event", func() bool { return l.active.Load() == n+1 })
		server.Activate("worker", false)
		server.Activate("another", true)
		time.Sleep(20 * time.Millisecond) // nothing comes
	}
	if n := l.active.Load(); n != 3 || l.other.Load() != 0 {
		t.Errorf("there are %d events of activity and %d others, want 3 and 0", n, l.other.Load())
	}
	l.stop()
	if err := l.end(t); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped, it ends with %v", err)
	}
	eventually(t, "the end of the stream", func() bool { return server.Streams("StreamIsActive") == 0 })
}

// While metrics are streamed they are not asked for, and a change is told.
func TestWatchTellsOfMetrics(t *testing.T) {
	t.Parallel()
	server := start(t, servers.ExternalOptions{})
	server.Set("worker", of("q", 5, 1))
	s := push(t, "worker", server)
	conn := scalertest.Open(t, s)
	first := readOn(t, conn, s)
	l := listen(t, conn, s)
	eventually(t, "the stream", func() bool { return server.Streams("StreamMetricSpec") == 1 })
	server.Set("worker", of("q", 5, 2)) // no other metric
	time.Sleep(20 * time.Millisecond)
	if first.Err != nil || l.other.Load() != 0 {
		t.Errorf("what is known already is told %d times; read before: %v", l.other.Load(), first.Err)
	}
	asked := server.Calls("GetMetricSpec")
	server.Set("worker", of("orders", 3, 4), of("q", 5, 2))
	eventually(t, "the event", func() bool { return l.other.Load() == 1 })
	r := readOn(t, conn, s)
	if want := (scalers.Series{Name: "orders", Target: 3, Value: 4}); r.Err != nil || len(r.Value.Series) != 2 || r.Value.Series[0] != want {
		t.Errorf("got %+v, %v", r.Value, r.Err)
	}
	if n := server.Calls("GetMetricSpec") - asked; n != 0 {
		t.Errorf("metrics that are streamed were asked for %d times", n)
	}
	server.Set("worker") // none
	eventually(t, "the event", func() bool { return l.other.Load() == 2 })
	if r := readOn(t, conn, s); scalers.ClassOf(r.Err) != scalers.Configuration {
		t.Errorf("without metrics, got %+v, %v", r.Value, r.Err)
	}
	l.stop()
	_ = l.end(t)
	server.Set("worker", of("after", 1, 1))
	if r := readOn(t, conn, s); r.Err != nil || r.Value.Series[0].Name != "after" || server.Calls("GetMetricSpec") == asked {
		t.Errorf("without a stream, got %+v, %v", r.Value, r.Err)
	}
}

// A server that does not stream metrics is asked for that once a connection.
func TestServersThatDoNotStreamMetrics(t *testing.T) {
	t.Parallel()
	server := start(t, servers.ExternalOptions{Pulls: true})
	var asked atomic.Int64
	s := push(t, "worker", server)
	conn := scalertest.Open(t, s)
	for range 3 {
		l := listen(t, conn, s)
		eventually(t, "the stream", func() bool { return server.Streams("StreamIsActive") == 1 })
		server.Activate("worker", true)
		eventually(t, "the event", func() bool { return l.active.Load() > 0 })
		server.Activate("worker", false)
		l.stop()
		_ = l.end(t)
		eventually(t, "the end", func() bool { return server.Streams("StreamIsActive") == 0 })
	}
	// Of what the server does not have it does not count the calls: another one
	// that refuses does.
	server = start(t, servers.ExternalOptions{Answer: func(_ context.Context, method string, _ proto.Message) (proto.Message, error) {
		if method == "StreamMetricSpec" {
			asked.Add(1)
			return nil, status.Error(codes.Unimplemented, "no")
		}
		return nil, nil //nolint:nilnil // the server answers
	}})
	s = push(t, "worker", server)
	conn = scalertest.Open(t, s)
	for range 3 {
		before := asked.Load()
		l := listen(t, conn, s)
		eventually(t, "the stream", func() bool { return server.Streams("StreamIsActive") == 1 })
		eventually(t, "the answer", func() bool { return asked.Load() > before || before > 0 })
		time.Sleep(20 * time.Millisecond) // the client hears of it
		l.stop()
		_ = l.end(t)
		eventually(t, "the end", func() bool { return server.Streams("StreamIsActive") == 0 })
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("it is asked %d times", n)
	}
}

func TestHowWatchesEnd(t *testing.T) {
	t.Parallel()
	ends := failing
	for name, tc := range map[string]struct {
		answer func(context.Context, string, proto.Message) (proto.Message, error)
		kill   bool
		class  scalers.Class
		lives  bool
	}{
		"ends at once":          {answer: ends("StreamIsActive", servers.EndStream()), class: scalers.Unavailable},
		"is not implemented":    {answer: ends("StreamIsActive", status.Error(codes.Unimplemented, "no")), class: scalers.Configuration},
		"is refused":            {answer: ends("StreamIsActive", status.Error(codes.PermissionDenied, "no")), class: scalers.Authentication},
		"server goes":           {kill: true, class: scalers.Unavailable},
		"metrics end at once":   {answer: ends("StreamMetricSpec", servers.EndStream()), lives: true},
		"metrics are refused":   {answer: ends("StreamMetricSpec", status.Error(codes.PermissionDenied, "no")), lives: true},
		"metrics cannot be":     {answer: ends("StreamMetricSpec", status.Error(codes.Internal, "no")), lives: true},
		"metrics are not there": {answer: ends("StreamMetricSpec", status.Error(codes.Unimplemented, "no")), lives: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, servers.ExternalOptions{Answer: tc.answer})
			server.Set("worker", of("q", 5, 1))
			s := push(t, "worker", server)
			l := listen(t, scalertest.Open(t, s), s)
			if tc.kill || tc.lives {
				eventually(t, "the stream", func() bool { return server.Streams("StreamIsActive") == 1 })
			}
			if tc.lives {
				eventually(t, "the other stream", func() bool { return server.Calls("StreamMetricSpec") == 1 && server.Streams("StreamMetricSpec") == 0 })
				time.Sleep(20 * time.Millisecond) // the client hears of it
				server.Activate("worker", true)
				eventually(t, "the event", func() bool { return l.active.Load() == 1 })
				return
			}
			if tc.kill {
				if err := server.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.end(t); err == nil || scalers.ClassOf(err) != tc.class {
				t.Errorf("it ends with an error of class %s: %v", scalers.ClassOf(err), err)
			}
		})
	}
}
