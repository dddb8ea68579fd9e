package servers_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

func TestPrometheusComesBackWithItsSeries(t *testing.T) {
	p := scalertest.Prometheus(t, servers.PrometheusOptions{Series: []servers.PrometheusSeries{
		{Name: "requests", Labels: map[string]string{"shop": "a"}, Value: "vector(12.5)"},
	}})
	for range 2 {
		response, err := http.Get(p.URL() + "/api/v1/query?query=requests")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || !strings.Contains(string(body), `"12.5"`) || !strings.Contains(string(body), `"shop":"a"`) {
			t.Fatalf("the server answers %s, %v", body, err)
		}
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		if refused := dial(p.Addr()); !errors.Is(refused, syscall.ECONNREFUSED) {
			t.Fatalf("after Kill the port answers: %v", refused)
		}
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := p.Stop(); err != nil {
			t.Fatalf("stopping: %v", err)
		}
	}
}

func TestPrometheusThatCannotStartSaysWhy(t *testing.T) {
	running := scalertest.Prometheus(t, servers.PrometheusOptions{Series: []servers.PrometheusSeries{{Name: "a", Value: "vector(1)"}}})
	_, err := servers.StartPrometheus(t.Context(), servers.PrometheusOptions{Series: []servers.PrometheusSeries{{Name: "a", Value: "sum("}}})
	if err == nil || !strings.Contains(err.Error(), "parse error") {
		t.Errorf("with a rule that is wrong: got %v", err)
	}
	if err := running.Start(t.Context()); err == nil {
		t.Error("a server that runs was started again")
	}
}
