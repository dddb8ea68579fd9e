package azure_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

func TestQueueFaultsOfTheServer(t *testing.T) {
	t.Parallel()
	server := scalertest.Azurite(t, servers.AzuriteOptions{})
	fill(t, server, "orders", 2)
	wrong := strings.Replace(server.ConnectionString(), servers.AzuriteKey, key, 1)
	for _, strategy := range []string{"all", "visibleonly"} {
		for _, tc := range []struct{ queue, connection, want, message string }{
			{"orders", server.ConnectionString(), "2", ""},
			{"missing", server.ConnectionString(), "configuration", `no queue "missing"`},
			{"orders", wrong, "authentication", "AuthenticationFailed"},
		} {
			s := trigger(t, tc.queue, tc.connection, m{"queueLengthStrategy": strategy})
			r := read(t, scalertest.Open(t, s), s)[0]
			if got := outcomes([]scalers.Result{r})[0]; got != tc.want {
				t.Errorf("%s, %s is read as %s, want %s: %v", tc.queue, strategy, got, tc.want, r.Err)
			}
			if r.Err != nil && (!strings.Contains(r.Err.Error(), tc.message) || strings.Contains(r.Err.Error(), key)) {
				t.Errorf("%s, %s: the error is %q", tc.queue, strategy, r.Err)
			}
		}
	}
}

// fake answers for each queue as its function says.
func fake(t testing.TB, queues map[string]http.HandlerFunc) (connection string, dials *atomic.Int64) {
	t.Helper()
	dials = &atomic.Int64{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		queues[strings.Split(r.URL.Path, "/")[2]](w, r)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			dials.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return servers.AzuriteConnection(server.URL + "/" + servers.AzuriteAccount), dials
}

func counts(n string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("x-ms-approximate-messages-count", n) }
}

func refuses(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("x-ms-error-code", code)
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
	}
}

func hangs(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// An answer without a length is read up to where no queue's would go on.
func TestEndlessAnswersAreCutOff(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusOK, http.StatusInternalServerError} {
		var sent atomic.Int64
		connection, _ := fake(t, map[string]http.HandlerFunc{"orders": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			for block := make([]byte, 1<<20); ; {
				n, err := w.Write(block)
				if sent.Add(int64(n)); err != nil {
					return
				}
			}
		}})
		s := trigger(t, "orders", connection, m{"queueLengthStrategy": "visibleonly"})
		r := read(t, scalertest.Open(t, s), s)[0]
		if r.Err == nil || !strings.Contains(r.Err.Error(), "more than 16 MiB") {
			t.Errorf("status %d is read as %+v", status, r)
		}
		if n := sent.Load(); n > 64<<20 {
			t.Errorf("status %d: %d MiB were taken", status, n>>20)
		}
	}
}

// A queue that cannot be read hurts itself alone.
func TestQueuesFailByThemselves(t *testing.T) {
	t.Parallel()
	connection, _ := fake(t, map[string]http.HandlerFunc{
		"first": counts("1"), "missing": refuses(http.StatusNotFound, "QueueNotFound"), "forbidden": refuses(http.StatusForbidden, "AuthorizationFailure"),
		"busy": refuses(http.StatusServiceUnavailable, "ServerBusy"), "broken": counts(""), "hangs": hangs, "last": counts("7"),
	})
	var batch []*scalers.Scaler
	for _, queue := range []string{"first", "missing", "hangs", "forbidden", "busy", "broken", "last", "first"} {
		batch = append(batch, trigger(t, queue, connection, nil))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	results := readWithin(ctx, scalertest.Open(t, batch[0]), batch...)
	want := []string{"1", "configuration", "unavailable", "authentication", "rate limited", "unavailable", "7", "1"}
	if diff := cmp.Diff(want, outcomes(results)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if after := scalers.RetryAfterOf(results[4].Err); after != 7*time.Second {
		t.Errorf("the busy queue is to be left alone for %s, want 7s", after)
	}
}

// What no queue can be read for concerns the account, which the host then leaves
// alone.
func TestAccountsFailAsAWhole(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		queues map[string]http.HandlerFunc
		want   scalers.Class
		whole  bool
	}{
		"busy":      {map[string]http.HandlerFunc{"aaa": refuses(503, "ServerBusy"), "bbb": refuses(503, "ServerBusy")}, scalers.RateLimited, true},
		"wrong key": {map[string]http.HandlerFunc{"aaa": refuses(403, "AuthenticationFailed"), "bbb": refuses(403, "AuthenticationFailed")}, scalers.Authentication, true},
		"mute":      {map[string]http.HandlerFunc{"aaa": hangs, "bbb": hangs}, scalers.Unavailable, true},
		"missing":   {map[string]http.HandlerFunc{"aaa": refuses(404, "QueueNotFound"), "bbb": refuses(404, "QueueNotFound")}, scalers.Configuration, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			connection, dials := fake(t, tc.queues)
			a, b := trigger(t, "aaa", connection, nil), trigger(t, "bbb", connection, m{"queueLengthStrategy": "visibleonly"})
			deadline := 20 * time.Second
			if name == "mute" {
				deadline = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			out := make([]scalers.Result, 2)
			err := scalers.Read(ctx, scalertest.Open(t, a), []*scalers.Scaler{a, b}, out)
			if (err != nil) != tc.whole {
				t.Fatalf("the error of the account is %v, the results are %+v", err, out)
			}
			if err == nil {
				err = out[1].Err
			}
			if class := scalers.ClassOf(err); class != tc.want {
				t.Errorf("the class is %s, want %s: %v", class, tc.want, err)
			}
			if tc.want == scalers.RateLimited && scalers.RetryAfterOf(err) != 7*time.Second {
				t.Errorf("it is to be left alone for %s, want 7s", scalers.RetryAfterOf(err))
			}
			if n := dials.Load(); n > 2 {
				t.Errorf("it was dialed %d times", n)
			}
		})
	}
}

// A server that hangs up is not dialed for every queue.
func TestLostServersAreNotDialedForEveryQueue(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var dials atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			dials.Add(1)
			_ = c.Close()
		}
	}()
	defer func() { _ = l.Close() }()
	var batch []*scalers.Scaler
	for i := range 40 {
		batch = append(batch, trigger(t, "queue-"+string(rune('a'+i%20))+"-"+string(rune('a'+i/20)), servers.AzuriteConnection("http://"+l.Addr().String()+"/"+servers.AzuriteAccount), nil))
	}
	if err := scalers.Read(t.Context(), scalertest.Open(t, batch[0]), batch, make([]scalers.Result, len(batch))); err == nil {
		t.Error("a server that hangs up has values")
	}
	if n := dials.Load(); n > 8 {
		t.Errorf("it was dialed %d times for %d queues", n, len(batch))
	}
}
