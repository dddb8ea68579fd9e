package conn_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	_ "github.com/freshet-io/freshet/scalers/observe"
	"github.com/freshet-io/freshet/scalers/param"
)

// TestOnHTTP: every request of a read is told of, with its trigger's label, and
// one that is not answered too.
func TestOnHTTP(t *testing.T) {
	var told []string
	conn.Defaults.OnHTTP = func(scaler string, status int, took time.Duration) {
		if took <= 0 {
			t.Errorf("a request took %s", took)
		}
		told = append(told, fmt.Sprintf("%s %d", scaler, status))
	}
	t.Cleanup(func() { conn.Defaults.OnHTTP = nil })
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"queue": 3}`))
	}))
	defer server.Close()
	scaler, _, err := scalers.Decode("metrics-api", param.Input{Metadata: map[string]string{
		"url": server.URL, "valueLocation": "queue", "targetValue": "5",
	}}, scalers.Setting{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := scaler.Source.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	read := func(ctx context.Context) {
		out := make([]scalers.Result, 1)
		_ = scalers.Read(ctx, c, []*scalers.Scaler{scaler}, out) // what is told is what counts
	}
	read(t.Context())
	status = http.StatusServiceUnavailable
	read(t.Context())
	server.Close()
	read(t.Context())
	label := scaler.Kind.Label
	if want := []string{label + " 200", label + " 503", label + " 0"}; label == "" || !slices.Equal(told, want) {
		t.Errorf("told is %q, want %q", told, want)
	}
}
