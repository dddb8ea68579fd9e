package observe_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	_ "github.com/freshet-io/freshet/scalers/observe"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

type m = map[string]string

// promMetadata is a trigger's metadata, in which "" takes a key away.
func promMetadata(address, query string, metadata m) m {
	all := m{"serverAddress": address, "query": query, "threshold": "10"}
	maps.Copy(all, metadata)
	maps.DeleteFunc(all, func(_, v string) bool { return v == "" })
	return all
}

// prom is a prometheus trigger.
func prom(t testing.TB, address, query string, metadata, auth m) *scalers.Scaler {
	t.Helper()
	s, _, err := scalers.Decode("prometheus", param.Input{Metadata: promMetadata(address, query, metadata), Auth: auth}, scalers.Setting{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// read reads the scaler on a connection of its own.
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
	return readOn(t, conn, s)
}

// readOn reads the scaler within a deadline that no healthy server needs.
func readOn(t testing.TB, conn scalers.Conn, s *scalers.Scaler) scalers.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var out [1]scalers.Result
	if err := scalers.Read(ctx, conn, []*scalers.Scaler{s}, out[:]); err != nil {
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

// replies is a server that answers every request alike and remembers the last.
type replies struct {
	*httptest.Server
	requests, connections atomic.Int64
	last                  atomic.Pointer[http.Request]
}

func serve(t testing.TB, status int, contentType, body string) *replies {
	t.Helper()
	r := &replies{}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.requests.Add(1)
		r.last.Store(request)
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	r.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			r.connections.Add(1)
		}
	}
	r.Start()
	t.Cleanup(r.Close)
	return r
}

// startPrometheus starts a server that ends with the test and scrapes the given
// metrics, and returns when it has. Where there is none the test is skipped or,
// in CI, fails.
func startPrometheus(t testing.TB, metrics string, o servers.PrometheusOptions) *servers.Prometheus {
	t.Helper()
	target := serve(t, http.StatusOK, "text/plain; version=0.0.4", metrics)
	o.Dir, o.Target = t.TempDir(), strings.TrimPrefix(target.URL, "http://")
	p, err := servers.StartPrometheus(t.Context(), o)
	switch {
	case servers.IsNotInstalled(err) && os.Getenv("CI") == "":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	for end := time.Now().Add(20 * time.Second); target.requests.Load() < 3; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the server scrapes nothing")
		}
	}
	return p
}
