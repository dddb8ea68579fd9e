package servers_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// A server keeps what is durable over a crash, and what it and its helpers are
// goes with it.
func TestRabbitMQComesBackAndLeavesNothing(t *testing.T) {
	ca, err := servers.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	files, err := ca.WriteServer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	r := scalertest.RabbitMQ(t, servers.RabbitMQOptions{Dir: dir, TLS: files})
	if err := r.Manage(t.Context(), http.MethodPut, "/api/queues/%2F/orders", map[string]bool{"durable": true}); err != nil {
		t.Fatal(err)
	}
	if n := len(processesIn(t, dir)); n < 2 {
		t.Errorf("%d processes run in the server's folder, want the node and what knows its name", n)
	}
	addrs := []string{r.AMQPAddr(), r.HTTPAddr(), r.AMQPSAddr(), r.HTTPSAddr()}
	for _, addr := range addrs {
		if err := dial(addr); err != nil {
			t.Errorf("%s does not answer: %v", addr, err)
		}
	}
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		if refused := dial(addr); !errors.Is(refused, syscall.ECONNREFUSED) {
			t.Errorf("after Kill %s answers: %v", addr, refused)
		}
	}
	wantNone(t, dir)
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Manage(t.Context(), http.MethodGet, "/api/queues/%2F/orders", nil); err != nil {
		t.Errorf("the queue is gone: %v", err)
	}
	if r.AMQPAddr() != addrs[0] || r.HTTPAddr() != addrs[1] {
		t.Error("the server moved")
	}
	if err := r.Start(t.Context()); err == nil {
		t.Error("a server that runs was started again")
	}
	for range 2 {
		if err := r.Stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
	}
	wantNone(t, dir)
}

// wantNone waits until no process works in the folder.
func wantNone(t *testing.T, dir string) {
	t.Helper()
	var left []string
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if left = processesIn(t, dir); len(left) == 0 {
			return
		}
	}
	t.Errorf("these processes are left: %q", left)
}

// processesIn are the command lines of the processes that work in the folder.
func processesIn(t *testing.T, dir string) (commands []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range all {
		if cwd, err := os.Readlink(link); err != nil || cwd != dir && !strings.HasPrefix(cwd, dir+"/") {
			continue
		}
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(link), "cmdline"))
		if len(command) > 0 { // else it is gone but for its parent's notice
			commands = append(commands, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return commands
}
