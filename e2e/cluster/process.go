package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a program of the cluster that runs, or ran.
type process struct {
	// Name, PID and Started identify it; Started, in ticks since boot, tells it
	// from a later process with the same number.
	Name    string `json:"name"`
	PID     int    `json:"pid"`
	Started string `json:"started"`

	exited chan struct{} // nil for a process of an attached cluster
}

// startProcess starts a program whose output goes to logs/<name>.log. Unless
// detached, it dies with this process.
func startProcess(dir, path, name string, detached bool, args ...string) (*process, error) {
	log, err := os.Create(logFile(dir, name))
	if err != nil {
		return nil, fmt.Errorf("making the log of %s: %w", name, err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "GOGC=200")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us: we end it in order
	if !detached {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	p := &process{Name: name, exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The death signal follows the thread that started the process, so this
		// thread must live as long as the process does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // why it ended stands in its log
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p.PID = cmd.Process.Pid
	p.Started = startTime(p.PID)
	return p, nil
}

func logFile(dir, name string) string { return filepath.Join(dir, "logs", name+".log") }

// running tells whether the process is alive.
func (p *process) running() bool {
	if p.exited != nil {
		select {
		case <-p.exited:
			return false
		default:
			return true
		}
	}
	now := startTime(p.PID)
	return now != "" && now == p.Started
}

// stop ends the process: it is asked first, and killed after grace.
func (p *process) stop(grace time.Duration) error {
	if !p.running() {
		return nil
	}
	_ = syscall.Kill(p.PID, syscall.SIGTERM) // gone meanwhile is as good
	if p.waitGone(grace) {
		return nil
	}
	_ = syscall.Kill(p.PID, syscall.SIGKILL)
	if !p.waitGone(5 * time.Second) {
		return fmt.Errorf("stopping %s: process %d does not end", p.Name, p.PID)
	}
	return nil
}

func (p *process) waitGone(limit time.Duration) bool {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if !p.running() {
			return true
		}
	}
	return !p.running()
}

// startTime is when a process was started, in ticks since boot; "" when there
// is no such process or it only waits to be reaped.
func startTime(pid int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	_, rest, ok := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	const state, start = 0, 19 // counted after the name
	if !ok || len(fields) <= start || fields[state] == "Z" {
		return ""
	}
	return fields[start]
}

// poll asks until check succeeds, a process of the cluster ends, or ctx does.
func poll(ctx context.Context, what string, watched []*process, check func(context.Context) error) error {
	var last error
	for {
		if last = check(ctx); last == nil {
			return nil
		}
		for _, p := range watched {
			if !p.running() {
				return fmt.Errorf("waiting for %s: %s ended", what, p.Name)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w (%w)", what, ctx.Err(), last)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// FreePort returns a TCP port of the loopback address that is free now.
func FreePort() (int, error) {
	ports, err := FreePorts(1)
	if err != nil {
		return 0, err
	}
	return ports[0], nil
}

// FreePorts returns n different TCP ports of the loopback address that are free now.
func FreePorts(n int) ([]int, error) {
	var ports []int
	var listeners []net.Listener
	defer func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	}()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		listeners = append(listeners, l)
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			return nil, errors.New("finding a free port: not a TCP address")
		}
		ports = append(ports, addr.Port)
	}
	return ports, nil
}
