package scalertest

import (
	"os"
	"testing"

	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// Prometheus starts a server that ends with the test. Where prometheus is not
// installed the test is skipped or, in CI, fails.
func Prometheus(t testing.TB, o servers.PrometheusOptions) *servers.Prometheus {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
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
	return p
}
