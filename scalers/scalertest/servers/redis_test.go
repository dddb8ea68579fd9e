package servers_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

func TestRedisAnswersAndEnds(t *testing.T) {
	r := scalertest.Redis(t, servers.RedisOptions{})
	if err := r.Client().RPush(t.Context(), "orders", 1, 2).Err(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.Stop(); err != nil {
			t.Fatalf("stopping: %v", err)
		}
	}
	if refused := dial(r.Addr()); !errors.Is(refused, syscall.ECONNREFUSED) {
		t.Errorf("after Stop the port answers: %v", refused)
	}
}

func TestRedisComesBackOnItsPort(t *testing.T) {
	r := scalertest.Redis(t, servers.RedisOptions{})
	addr := r.Addr()
	for range 3 {
		if err := r.Kill(); err != nil {
			t.Fatal(err)
		}
		if refused := dial(addr); !errors.Is(refused, syscall.ECONNREFUSED) {
			t.Fatalf("after Kill the port answers: %v", refused)
		}
		if err := r.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r.Addr() != addr {
			t.Fatalf("moved from %s to %s", addr, r.Addr())
		}
		if err := r.Client().Ping(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Start(t.Context()); err == nil {
		t.Error("a server that runs was started again")
	}
}

func TestRedisWithPasswordAndACL(t *testing.T) {
	r := scalertest.Redis(t, servers.RedisOptions{
		Password: "se cret", ACL: []string{"user reader on >pw ~orders +llen"},
	})
	if err := r.Client().Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	users, err := r.Client().ACLList(t.Context()).Result()
	if err != nil || len(users) != 2 {
		t.Errorf("users are %v, %v; want default and reader", users, err)
	}
}

func TestRedisWithTLS(t *testing.T) {
	ca, err := servers.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	files, err := ca.WriteServer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	files.RequireClient = true
	r := scalertest.Redis(t, servers.RedisOptions{TLS: files})
	if err := r.Client().Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

func TestRedisSaysWhyItDoesNotStart(t *testing.T) {
	scalertest.Redis(t, servers.RedisOptions{}) // skips where there is none
	_, err := servers.StartRedis(t.Context(), servers.RedisOptions{Dir: t.TempDir(), ACL: []string{"user x +nosuchcommand"}})
	if err == nil || !strings.Contains(err.Error(), "nosuchcommand") {
		t.Errorf("got %v, want the server's own words", err)
	}
}

// TestRedisDiesWithUs runs this test in a process of its own, which is killed.
func TestRedisDiesWithUs(t *testing.T) {
	if file := os.Getenv("SERVERS_TEST_ADDR"); file != "" {
		r := scalertest.Redis(t, servers.RedisOptions{})
		for range 100 { // end threads, as programs do: the server must not care
			done := make(chan struct{})
			go func() {
				runtime.LockOSThread() // never unlocked: the thread ends here
				close(done)
			}()
			<-done
		}
		if err := r.Client().Ping(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file+".new", []byte(r.Addr()), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	scalertest.Redis(t, servers.RedisOptions{}) // skips where there is none
	file := filepath.Join(t.TempDir(), "addr")
	child := exec.Command(os.Args[0], "-test.run", "^TestRedisDiesWithUs$")
	child.Env = append(os.Environ(), "SERVERS_TEST_ADDR="+file, "TMPDIR="+t.TempDir())
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill(); _ = child.Wait() })
	var addr []byte
	eventually(t, func() (err error) { addr, err = os.ReadFile(file); return err })
	if err := dial(string(addr)); err != nil {
		t.Fatalf("the child's server does not answer: %v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if err := dial(string(addr)); !errors.Is(err, syscall.ECONNREFUSED) {
			return errors.New("the server outlives the process that started it: " + strconv.Quote(string(addr)))
		}
		return nil
	})
}

func dial(addr string) error {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err == nil {
		_ = c.Close()
	}
	return err
}

// eventually calls f until it is nil, for ten seconds at most.
func eventually(t *testing.T, f func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatal(err)
}
