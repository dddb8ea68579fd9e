package azure_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	identity "github.com/freshet-io/freshet/scalers/identity/azure"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// signedIn is a trigger of the queue in cloud Private by the identity.
func signedIn(t testing.TB, queue string, server *servers.Azurite, id string, metadata m) *scalers.Scaler {
	t.Helper()
	_, port, _ := strings.Cut(server.Addr(), ":")
	all := m{"accountName": servers.AzuriteAccount, "cloud": "Private", "endpointSuffix": testSuffix + ":" + port}
	for k, v := range metadata {
		all[k] = v
	}
	s, err := decode(queue, "", all, scalers.Identity{Provider: "azure-workload", ID: id})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestQueueByIdentity(t *testing.T) {
	t.Parallel()
	server := startTLS(t)
	fill(t, server, "orders", 5)
	take(t, server, "orders", 2)
	for _, tc := range []struct{ queue, id, want, message string }{
		{"orders", "good", "5", ""},
		{"missing", "good", "configuration", `no queue "missing"`},
		{"orders", "expired", "authentication", ""},
		{"orders", "of another service", "authentication", ""},
		{"orders", "unknown", "unavailable", "words of the authority"},
	} {
		s := signedIn(t, tc.queue, server, tc.id, nil)
		r := read(t, scalertest.Open(t, s), s)[0]
		if got := outcomes([]scalers.Result{r})[0]; got != tc.want {
			t.Errorf("identity %s reads %s as %s, want %s: %v", tc.id, tc.queue, got, tc.want, r.Err)
		}
		if r.Err != nil && (!strings.Contains(r.Err.Error(), tc.message) || strings.Contains(r.Err.Error(), "\n")) {
			t.Errorf("identity %s: the error is %q", tc.id, r.Err)
		}
	}
	visible := signedIn(t, "orders", server, "good", m{"queueLengthStrategy": "visibleonly"})
	if got := outcomes(read(t, scalertest.Open(t, visible), visible))[0]; got != "3" {
		t.Errorf("the visible messages are read as %s", got)
	}
}

func TestQueueByKeyWithTLS(t *testing.T) {
	t.Parallel()
	server := startTLS(t)
	fill(t, server, "orders", 2)
	s := trigger(t, "orders", server.ConnectionString(), nil)
	if r := read(t, scalertest.Open(t, s), s)[0]; r.Err != nil || r.Value.Metric != 2 {
		t.Errorf("got %+v", r)
	}
	stranger, err := servers.NewAuthority("stranger")
	if err != nil {
		t.Fatal(err)
	}
	files, err := stranger.WriteServer(t.TempDir(), testHost)
	if err != nil {
		t.Fatal(err)
	}
	impostor, err := servers.StartAzurite(t.Context(), servers.AzuriteOptions{TLS: files, OAuth: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = impostor.Stop() }()
	for _, s := range []*scalers.Scaler{trigger(t, "orders", impostor.ConnectionString(), nil), signedIn(t, "orders", impostor, "good", nil)} {
		r := read(t, scalertest.Open(t, s), s)[0]
		if scalers.ClassOf(r.Err) != scalers.Unavailable || r.Err == nil || !strings.Contains(r.Err.Error(), "certificate") {
			t.Errorf("a server that nobody vouches for is read: %+v", r)
		}
	}
}

func TestTokensAreWaitedForNoLongerThanTheRead(t *testing.T) {
	t.Parallel()
	server := startTLS(t)
	s := signedIn(t, "orders", server, "slow", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	r := readWithin(ctx, scalertest.Open(t, s), s)[0]
	if r.Err == nil || !scalers.IsTimeout(r.Err) || scalers.ClassOf(r.Err) != scalers.Unavailable {
		t.Errorf("got %+v, want that time ran out", r)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

// Without an identity of Freshet's own pod the authentication must say all.
func TestNoIdentityOfOurOwn(t *testing.T) {
	t.Parallel()
	credential, err := identity.Credential(scalers.Identity{Provider: "azure-workload"})
	if err == nil {
		t.Fatalf("got %v", credential)
	}
	if scalers.ClassOf(err) != scalers.Configuration || strings.Contains(err.Error(), "\n") {
		t.Errorf("the error is of class %s: %q", scalers.ClassOf(err), err)
	}
}
