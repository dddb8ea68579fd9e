// Package child starts programs that do not outlive this process.
package child

import (
	"os/exec"
	"runtime"
	"syscall"
)

// Start starts cmd and returns a channel that is closed once it ended and was
// waited for; cmd.ProcessState is set then. Unless cmd has attributes of its
// own, it is killed when this process ends, however that happens, and Ctrl-C at
// the terminal does not reach it.
func Start(cmd *exec.Cmd) (exited <-chan struct{}, err error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		// The kernel sends the death signal when the thread that started the
		// process ends: this one is kept for as long as the process runs.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // why it ended stands in its log
			close(ended)
		}
	}()
	return ended, <-started
}
