package scalertest

import (
	"os"
	"testing"

	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// Redis starts a server that ends with the test. Where redis-server is not
// installed the test is skipped or, in CI, fails.
func Redis(t testing.TB, o servers.RedisOptions) *servers.Redis {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	r, err := servers.StartRedis(t.Context(), o)
	switch {
	case servers.IsNotInstalled(err) && os.Getenv("CI") == "":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// External starts an external scaler that ends with the test.
func External(t testing.TB, o servers.ExternalOptions) *servers.External {
	t.Helper()
	s, err := servers.StartExternal(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Kill(); err != nil {
			t.Error(err)
		}
	})
	return s
}
