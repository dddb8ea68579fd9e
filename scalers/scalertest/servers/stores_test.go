package servers_test

import (
	"net/http"
	"testing"

	"github.com/freshet-io/freshet/scalers/scalertest"
)

func TestVaultComesBackEmptyOnItsPort(t *testing.T) {
	t.Parallel()
	v := scalertest.Vault(t)
	put := func() {
		t.Helper()
		if _, err := v.Do(t.Context(), http.MethodPost, "secret/data/a", map[string]any{"data": map[string]any{"k": "v"}}); err != nil {
			t.Fatal(err)
		}
	}
	put()
	url := v.URL()
	if err := v.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := v.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v.URL() != url {
		t.Errorf("moved from %s to %s", url, v.URL())
	}
	if _, err := v.Do(t.Context(), http.MethodGet, "secret/data/a", nil); err == nil {
		t.Error("what was written is still there")
	}
	put()
}

func TestAWSAnswersAndEnds(t *testing.T) {
	t.Parallel()
	a := scalertest.AWS(t)
	for range 2 {
		if err := a.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if err := dial(a.URL()[len("http://"):]); err == nil {
		t.Error("after Stop the port answers")
	}
}
