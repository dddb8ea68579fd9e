package scalertest

import (
	"context"
	"os"
	"testing"

	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// Vault starts a server that ends with the test. Where it is not installed the
// test is skipped or, in CI, fails.
func Vault(t testing.TB) *servers.Vault {
	t.Helper()
	return started(t, servers.StartVault)
}

// AWS starts a server that ends with the test. Where it is not installed the
// test is skipped or, in CI, fails.
func AWS(t testing.TB) *servers.AWS {
	t.Helper()
	return started(t, servers.StartAWS)
}

// started starts a server in a folder of the test.
func started[S interface{ Stop() error }](t testing.TB, start func(ctx context.Context, dir string) (S, error)) S {
	t.Helper()
	s, err := start(t.Context(), t.TempDir())
	switch {
	case servers.IsNotInstalled(err) && os.Getenv("CI") == "":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}
