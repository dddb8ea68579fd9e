package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestStartAndStopTwice(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cluster")
	for range 2 {
		c, err := Start(t.Context(), Options{Dir: dir, Nodes: 1, Log: t.Output()})
		if err != nil {
			t.Fatal(err)
		}
		if c.Dir() != dir {
			t.Errorf("folder %s, want %s", c.Dir(), dir)
		}
		if _, err := Start(t.Context(), Options{Dir: dir}); !errors.Is(err, ErrRunning) {
			t.Errorf("starting another one there: %v, want ErrRunning", err)
		}
		if got := len(processesNaming(t, dir)); got != 5 {
			t.Errorf("%d processes, want 5", got)
		}
		if err := c.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := c.Stop(); err != nil {
			t.Errorf("stopping it again: %v", err)
		}
		expectNothingLeft(t, dir, c.state.Ports)
	}
}

func TestTemporaryFolderGoes(t *testing.T) {
	c := startTest(t, Options{Nodes: 1})
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.Dir()); !os.IsNotExist(err) {
		t.Errorf("the temporary folder: %v, want none", err)
	}
}

func TestDetachedClusterIsFound(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cluster")
	started, err := Start(t.Context(), Options{Dir: dir, Nodes: 1, Detached: true, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	c, err := Attach(dir)
	if err != nil {
		t.Fatal(errors.Join(err, started.Stop()))
	}
	t.Cleanup(func() { _ = c.Stop() })
	if err := c.Check(t.Context()); err != nil {
		t.Error(err)
	}
	kubectl(t, c, "", "get", "nodes")
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	expectNothingLeft(t, dir, c.state.Ports)
	if _, err := Attach(dir); !errors.Is(err, ErrNoCluster) {
		t.Errorf("after its stop: %v, want ErrNoCluster", err)
	}
}

func TestStopTellsWhatDiedEarly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cluster")
	c, err := Start(t.Context(), Options{Dir: dir, Nodes: 1, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range c.state.Processes {
		if p.Name == "kube-scheduler" {
			if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
				t.Error(err)
			}
			p.gone()
		}
	}
	for what, err := range map[string]error{"Check": c.Check(t.Context()), "Stop": c.Stop()} {
		if err == nil || !strings.Contains(err.Error(), "kube-scheduler ended early") {
			t.Errorf("%s: %v, want it to tell of kube-scheduler", what, err)
		}
	}
	expectNothingLeft(t, dir, c.state.Ports)
}

func TestCanceledStartLeavesNothing(t *testing.T) {
	if _, err := Programs(t.Context(), t.Output()); err != nil { // so that the start is what is canceled
		t.Fatal(err)
	}
	for _, after := range []time.Duration{100 * time.Millisecond, time.Second, 2 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "cluster")
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			if _, err := Start(ctx, Options{Dir: dir}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v, want that of the context", err)
			}
			expectNothingLeft(t, dir, ports{})
		})
	}
}

func TestTakenPortIsRecognized(t *testing.T) {
	programs, err := Programs(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	for name, port := range map[string]func(*ports) *int{
		"etcd":                    func(p *ports) *int { return &p.Etcd },
		"etcd's peers":            func(p *ports) *int { return &p.EtcdPeer },
		"kube-apiserver":          func(p *ports) *int { return &p.APIServer },
		"kube-controller-manager": func(p *ports) *int { return &p.ControllerManager },
		"kube-scheduler":          func(p *ports) *int { return &p.Scheduler },
	} {
		t.Run(name, func(t *testing.T) {
			other, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = other.Close() }()
			p, err := choosePorts()
			if err != nil {
				t.Fatal(err)
			}
			*port(&p) = other.Addr().(*net.TCPAddr).Port
			dir := filepath.Join(t.TempDir(), "cluster")
			if _, err := start(t.Context(), Options{Dir: dir, Log: t.Output()}.withDefaults(), programs, p); !errors.Is(err, errPortTaken) {
				t.Errorf("error %v, want errPortTaken", err)
			}
			expectNothingLeft(t, dir, ports{})
		})
	}
}

// expectNothingLeft expects no process of the cluster and every port free.
func expectNothingLeft(t *testing.T, dir string, p ports) {
	t.Helper()
	for _, left := range processesNaming(t, dir) {
		t.Errorf("still runs: %.100s", left)
	}
	for _, port := range []int{p.Etcd, p.EtcdPeer, p.APIServer, p.ControllerManager, p.Scheduler} {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Error(err)
			continue
		}
		_ = l.Close()
	}
}
