package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const answerText = `{"kind":"ExternalMetricValueList","items":[{"metricName":"m","value":"7"}]}`

// server answers as an adapter would, and returns its endpoint.
func server(t *testing.T, answer http.HandlerFunc) endpoint {
	t.Helper()
	s := httptest.NewTLSServer(answer)
	t.Cleanup(s.Close)
	return adapterEndpoint("test", s.Listener.Addr().String(), "secret", nil)
}

func pathsOf(n int) []metricPath {
	paths := make([]metricPath, n)
	for i := range paths {
		paths[i] = metricPath{fmt.Sprint("q", i), fmt.Sprint("/metrics/q", i)}
	}
	return paths
}

// TestLoad: every answer is counted, those without a value as bad, on as many
// connections as were asked for.
func TestLoad(t *testing.T) {
	var conns, good, bad atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("authorization is %q", r.Header.Get("Authorization"))
		}
		if strings.HasSuffix(r.URL.Path, "/q3") {
			bad.Add(1)
			http.Error(w, "no value", http.StatusServiceUnavailable)
			return
		}
		good.Add(1)
		fmt.Fprint(w, answerText)
	}))
	s.TLS = &tls.Config{VerifyConnection: func(tls.ConnectionState) error { conns.Add(1); return nil }}
	s.StartTLS()
	t.Cleanup(s.Close)
	e := adapterEndpoint("test", s.Listener.Addr().String(), "secret", nil)
	var requests [][]byte
	for _, p := range pathsOf(10) {
		requests = append(requests, e.request(p.path))
	}
	var l load
	for range 2 {
		if err := l.add(t.Context(), e, requests, 3, 100*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if int64(len(l.took)) != good.Load() || int64(l.bad) != bad.Load() || l.bad == 0 {
		t.Errorf("counted %d good and %d bad, the server answered %d and %d", len(l.took), l.bad, good.Load(), bad.Load())
	}
	if conns.Load() != 6 {
		t.Errorf("there were %d connections, want 3 twice", conns.Load())
	}
	f := l.figures("test", 3)
	if f.P50 <= 0 || f.P99 < f.P50 || f.PerSecond <= 0 || f.Bad != l.bad || f.Reads != len(l.took) {
		t.Errorf("figures are %+v", f)
	}
}

// TestLoadSurvivesClosedConnections: a server that keeps no connection is still read.
func TestLoadSurvivesClosedConnections(t *testing.T) {
	e := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		fmt.Fprint(w, answerText)
	})
	requests := [][]byte{e.request("/m")}
	if err := warm(t.Context(), e, [][]byte{requests[0], requests[0]}); err != nil {
		t.Fatal(err)
	}
	var l load
	if err := l.add(t.Context(), e, requests, 2, 100*time.Millisecond); err != nil || len(l.took) < 4 || l.bad > 0 {
		t.Errorf("%d good, %d bad, %v", len(l.took), l.bad, err)
	}
}

func TestWarmTellsWhoMayNotRead(t *testing.T) {
	e := server(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "who?", http.StatusForbidden) })
	if err := warm(t.Context(), e, [][]byte{e.request("/m")}); err == nil || !strings.Contains(err.Error(), "--token") {
		t.Errorf("answered with %v", err)
	}
}

// TestSweep: what becomes good is timed, and what does not is left.
func TestSweep(t *testing.T) {
	began := time.Now()
	e := server(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/q7") && time.Since(began) < 150*time.Millisecond || strings.HasSuffix(r.URL.Path, "/q8") {
			http.Error(w, "no value", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, answerText)
	})
	took, left, err := sweep(t.Context(), e, pathsOf(20), began, 600*time.Millisecond, isValue)
	if err != nil || len(took) != 19 || left != 1 {
		t.Fatalf("%d were good and %d left, %v; want 19 and 1", len(took), left, err)
	}
	if last := quantile(took, 1); last < 150*time.Millisecond {
		t.Errorf("the last was good after %s, before it could be", last)
	}
	dead := adapterEndpoint("dead", "127.0.0.1:1", "", nil)
	if took, left, err := sweep(t.Context(), dead, pathsOf(3), time.Now(), 250*time.Millisecond, isValue); len(took) > 0 || left != 3 || err != nil {
		t.Errorf("of a server that is not there %d were good and %d left, %v", len(took), left, err)
	}
}
