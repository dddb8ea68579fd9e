package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/freshet-io/freshet/scalers/scalertest/child"
)

// process is a program that is started, ended and started again. It is safe for
// concurrent use.
type process struct {
	program string
	args    []string
	dir     string
	logFile string
	// env is added to the environment of this process.
	env []string
	// patience is how long the program may take to answer; 0 is half a minute.
	patience time.Duration

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited <-chan struct{}
}

// start starts the program with the text on its standard input.
func (p *process) start(stdin io.Reader) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		return fmt.Errorf("%s runs already", p.program)
	}
	log, err := os.OpenFile(p.logFile, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(p.program, p.args...) //nolint:noctx // the process outlives the call
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = p.dir, stdin, log, log
	cmd.Env = append(cmd.Environ(), p.env...)
	exited, err := child.Start(cmd)
	if err != nil {
		return fmt.Errorf("starting %s: %w", p.program, err)
	}
	p.cmd, p.exited = cmd, exited
	return nil
}

// running tells whether the process was started and is not gone.
func (p *process) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// end sends the signal and waits until the process is gone; one that is gone
// already is as good. A process that stays is killed, which is an error.
func (p *process) end(signal syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return nil
	}
	_ = p.cmd.Process.Signal(signal)
	select {
	case <-p.exited:
		return nil
	case <-time.After(max(10*time.Second, p.patience)):
	}
	_ = p.cmd.Process.Kill()
	<-p.exited
	return fmt.Errorf("%s did not end on %s: %s", p.program, signal, p.logTail())
}

// waitReady calls ready until it is nil, the process is gone, or ctx or the
// patience with it ends.
func (p *process) waitReady(ctx context.Context, ready func(context.Context) error) error {
	patience := p.patience
	if patience == 0 {
		patience = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p.mu.Lock()
	exited := p.exited
	p.mu.Unlock()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return fmt.Errorf("%s ended: %s", p.program, p.logTail())
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s to answer: %w: %s", p.program, err, p.logTail())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// logTail is the end of what the process wrote.
func (p *process) logTail() string {
	text, err := os.ReadFile(p.logFile)
	if err != nil {
		return err.Error()
	}
	const most = 2000
	return string(text[max(0, len(text)-most):])
}

// freePort returns a port of 127.0.0.1 that nobody listens on at the moment.
func freePort() (int, error) {
	ports, err := freePorts(1)
	if err != nil {
		return 0, err
	}
	return ports[0], nil
}

// freePorts returns that many such ports.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // binds at once
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		defer func() { _ = l.Close() }() // all at the end, so that no port comes twice
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// errNotInstalled says that the program of a server is missing.
var errNotInstalled = errors.New("not installed")

// IsNotInstalled tells whether err says that the program of a server is
// missing on this machine.
func IsNotInstalled(err error) bool { return errors.Is(err, errNotInstalled) }

func lookPath(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("%s is %w: make test installs it on Debian (package %s)", program, errNotInstalled, packages[program])
	}
	return path, nil
}
