package observe_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
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
	return decode(t, "prometheus", param.Input{Metadata: promMetadata(address, query, metadata), Auth: auth}, scalers.Setting{})
}

func decode(t testing.TB, typ string, in param.Input, setting scalers.Setting) *scalers.Scaler {
	t.Helper()
	s, _, err := scalers.Decode(typ, in, setting)
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

// replies is a server that counts and remembers the last request.
type replies struct {
	*httptest.Server
	requests, connections atomic.Int64
	last                  atomic.Pointer[http.Request]
}

// serve answers every request alike.
func serve(t testing.TB, status int, contentType, body string) *replies {
	t.Helper()
	return counted(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
}

// counted serves the handler.
func counted(t testing.TB, handler http.Handler) *replies {
	t.Helper()
	r := &replies{}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.requests.Add(1)
		r.last.Store(request)
		handler.ServeHTTP(w, request)
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

// shop are the series of tests.
var shop = []servers.PrometheusSeries{
	{Name: "requests", Labels: m{"shop": "a"}, Value: "vector(12.5)"},
	{Name: "requests", Labels: m{"shop": "b"}, Value: "vector(30)"},
	{Name: "nothing", Value: "vector(0)/0"},
}
