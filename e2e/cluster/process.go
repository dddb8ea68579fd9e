package cluster

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/freshet-io/freshet/scalers/scalertest/child"
)

// process is a program of a cluster that runs, or ran.
type process struct {
	// Name, PID and Started identify it in the state file. Started, see
	// [startTime], tells it from a later process with the same number.
	Name    string `json:"name"`
	PID     int    `json:"pid"`
	Started string `json:"started"`

	exited <-chan struct{} // closed when it ended; nil when another process started it
}

// stopLimit is how long a process may take to end: first when asked to, then
// when killed.
const stopLimit = 5 * time.Second

// startProcess starts a program whose output goes to its log below dir. A
// detached one outlives this process; any other one is killed with it.
func startProcess(dir, program string, c component, detached bool) (*process, error) {
	log, err := os.Create(logPath(dir, c.name))
	if err != nil {
		return nil, fmt.Errorf("making the log of %s: %w", c.name, err)
	}
	defer func() { _ = log.Close() }()
	//nolint:noctx // it outlives the call: stop ends it
	cmd := exec.Command(program, c.args...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = log, log
	// Nothing of the user's environment or home changes what it does.
	cmd.Env = []string{"HOME=" + dir, "TMPDIR=" + os.TempDir(), "PATH=" + os.Getenv("PATH")}
	if detached {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal can end it
	}
	exited, err := child.Start(cmd)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.name, err)
	}
	pid := cmd.Process.Pid
	return &process{Name: c.name, PID: pid, Started: startTime(pid), exited: exited}, nil
}

// running tells whether the process has not ended yet.
func (p *process) running() bool {
	if p.exited == nil {
		return p.Started != "" && startTime(p.PID) == p.Started
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// stop ends the process and returns when it is gone: it is asked first, and
// killed when it takes too long.
func (p *process) stop() error {
	handle, err := os.FindProcess(p.PID) // holds on to the process, not to its number
	if err != nil {
		return fmt.Errorf("stopping %s: %w", p.Name, err)
	}
	defer func() { _ = handle.Release() }()
	if !p.running() { // asked after the handle was made: else it could be another process's
		return nil
	}
	_ = handle.Signal(syscall.SIGTERM) // it may end by itself meanwhile
	if p.gone() {
		return nil
	}
	_ = handle.Kill()
	if !p.gone() {
		return fmt.Errorf("stopping %s: process %d does not end", p.Name, p.PID)
	}
	return nil
}

// gone waits until the process has ended, and tells whether it did in time.
func (p *process) gone() bool {
	for deadline := time.Now().Add(stopLimit); p.running(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// logTail is the end of what the process said.
func (p *process) logTail(dir string) string {
	text, err := os.ReadFile(logPath(dir, p.Name))
	if err != nil {
		return err.Error()
	}
	return tail(text)
}

func logPath(dir, name string) string { return filepath.Join(dir, logsDir, name+".log") }

// startTime is when a process started, in ticks since the machine's boot. It is
// empty when there is no such process, or only its exit status is left.
func startTime(pid int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	// The second field is the program's name in parentheses, which may hold anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const state, start = 0, 19 // counted from the third field
	if len(fields) <= start || fields[state] == "Z" || fields[state] == "X" {
		return ""
	}
	return fields[start]
}

// bootID names the machine's current boot.
func bootID() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "" // not told here: then the ticks alone must do
	}
	return strings.TrimSpace(string(text))
}
