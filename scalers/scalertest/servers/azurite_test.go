package servers_test

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

func TestAzuriteAnswersEndsAndComesBack(t *testing.T) {
	t.Parallel()
	a := scalertest.Azurite(t, servers.AzuriteOptions{})
	addr := a.Addr()
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	if refused := dial(addr); !errors.Is(refused, syscall.ECONNREFUSED) {
		t.Fatalf("after Kill the port answers: %v", refused)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := dial(addr); err != nil {
		t.Errorf("it does not come back at its address: %v", err)
	}
	if err := a.Start(t.Context()); err == nil {
		t.Error("a server that runs was started again")
	}
	for range 2 {
		if err := a.Stop(); err != nil {
			t.Fatalf("stopping: %v", err)
		}
	}
	if refused := dial(addr); !errors.Is(refused, syscall.ECONNREFUSED) {
		t.Errorf("after Stop the port answers: %v", refused)
	}
}

func TestAzuriteWithTLS(t *testing.T) {
	t.Parallel()
	ca, err := servers.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	files, err := ca.WriteServer(t.TempDir(), "account.queue.localhost")
	if err != nil {
		t.Fatal(err)
	}
	scalertest.Azurite(t, servers.AzuriteOptions{TLS: files, OAuth: true})
}

func TestAzuriteSaysWhyItDoesNotStart(t *testing.T) {
	t.Parallel()
	a := scalertest.Azurite(t, servers.AzuriteOptions{}) // skips where there is none
	_, text, _ := net.SplitHostPort(a.Addr())
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := servers.StartAzurite(t.Context(), servers.AzuriteOptions{Port: port}); err == nil {
		_ = b.Stop()
		t.Error("two servers listen on one port")
	} else if !strings.Contains(err.Error(), "already in use") {
		t.Errorf("got %v, want the server's own words", err)
	}
}
