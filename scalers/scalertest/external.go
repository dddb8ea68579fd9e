package scalertest

import (
	"testing"

	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

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
