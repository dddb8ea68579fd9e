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

// Azurite starts a server that ends with the test. Where azurite-queue is not
// installed the test is skipped or, in CI, fails.
func Azurite(t testing.TB, o servers.AzuriteOptions) *servers.Azurite {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	a, err := servers.StartAzurite(t.Context(), o)
	switch {
	case servers.IsNotInstalled(err) && os.Getenv("CI") == "":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stop(); err != nil {
			t.Error(err)
		}
	})
	return a
}
