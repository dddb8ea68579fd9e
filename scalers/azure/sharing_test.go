package azure_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// front is a server before another one, which counts what is asked of it.
type front struct {
	*httptest.Server
	requests, connections, busy, mostBusy atomic.Int64
}

func newFront(t testing.TB, server *servers.Azurite) *front {
	t.Helper()
	f := &front{}
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.requests.Add(1)
		for busy := f.busy.Add(1); ; {
			if most := f.mostBusy.Load(); busy <= most || f.mostBusy.CompareAndSwap(most, busy) {
				break
			}
		}
		defer f.busy.Add(-1)
		behind := r.Clone(r.Context())
		behind.RequestURI, behind.URL.Scheme, behind.URL.Host = "", "http", server.Addr()
		answer, err := http.DefaultTransport.RoundTrip(behind)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer func() { _ = answer.Body.Close() }()
		for name, values := range answer.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body)
	}))
	f.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			f.connections.Add(1)
		}
	}
	f.Start()
	t.Cleanup(f.Close)
	return f
}

func (f *front) connection() string {
	return servers.AzuriteConnection(f.URL + "/" + servers.AzuriteAccount)
}

// Many triggers of one account cost a request for each queue and strategy, and
// few connections.
func TestQueuesAreReadOnce(t *testing.T) {
	t.Parallel()
	const triggers, queues = 500, 20
	server := scalertest.Azurite(t, servers.AzuriteOptions{})
	f := newFront(t, server)
	var all, mixed []*scalers.Scaler
	for i := range queues {
		fill(t, server, fmt.Sprint("queue-", i), i)
	}
	for i := range triggers {
		queue, target := fmt.Sprint("queue-", i%queues), fmt.Sprint(1+i)
		all = append(all, trigger(t, queue, f.connection(), m{"queueLength": target}))
		strategy := []string{"all", "visibleonly"}[i/queues%2]
		mixed = append(mixed, trigger(t, queue, f.connection(), m{"queueLength": target, "queueLengthStrategy": strategy}))
	}
	for i, s := range append(all, mixed...) {
		if s.Source.Fingerprint != all[0].Source.Fingerprint {
			t.Fatalf("trigger %d is of another source", i)
		}
		if s.Query != all[i%queues].Query && i < triggers {
			t.Fatalf("trigger %d is another query than one that differs in its target", i)
		}
	}
	conn := scalertest.Open(t, all[0])
	for _, batch := range []struct {
		scalers  []*scalers.Scaler
		requests int64
	}{{all, queues}, {all, queues}, {mixed, 2 * queues}} {
		before := f.requests.Load()
		for i, r := range read(t, conn, batch.scalers...) {
			if r.Err != nil || r.Value.Metric != float64(i%queues) {
				t.Fatalf("trigger %d is read as %+v", i, r)
			}
		}
		if got := f.requests.Load() - before; got != batch.requests {
			t.Errorf("%d triggers of %d queues cost %d requests, want %d", triggers, queues, got, batch.requests)
		}
	}
	if n := f.connections.Load(); n > 4 {
		t.Errorf("%d connections were made, want 4 at most", n)
	}
	if n := f.mostBusy.Load(); n > 4 {
		t.Errorf("%d requests were under way at a time, want 4 at most", n)
	}
	t.Logf("3 reads of %d triggers: %d requests, %d connections, %d at a time", triggers, f.requests.Load(), f.connections.Load(), f.mostBusy.Load())
}
