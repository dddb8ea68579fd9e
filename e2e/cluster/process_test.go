package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A test runs this test program with helperVariable set to have it start a
// process and say its number: it then waits to be killed.
const helperVariable = "FRESHET_CLUSTER_TEST_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperVariable); dir != "" {
		p, err := startProcess(dir, "/bin/sleep", component{"sleep", []string{"600"}}, false)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(p.PID)
		select {}
	}
	os.Exit(m.Run())
}

func startShell(t *testing.T, script string) *process {
	t.Helper()
	p, err := startProcess(newFolder(t), "/bin/sh", component{"shell", []string{"-c", script}}, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.stop() })
	return p
}

func TestStopAsksFirst(t *testing.T) {
	p := startShell(t, "exec sleep 600")
	start := time.Now()
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if p.running() {
		t.Error("it runs")
	}
	if took := time.Since(start); took >= stopLimit {
		t.Errorf("it took %s, as if it had to be killed", took)
	}
	if err := p.stop(); err != nil {
		t.Errorf("stopping it again: %v", err)
	}
}

func TestStopKillsTheDeaf(t *testing.T) {
	p := startShell(t, `trap "" TERM; while :; do sleep 0.1; done`)
	time.Sleep(100 * time.Millisecond) // for the trap to be set
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if p.running() {
		t.Error("it runs")
	}
}

func TestStopSparesARecycledNumber(t *testing.T) {
	other := startShell(t, "exec sleep 600")
	recorded := &process{Name: "long gone", PID: other.PID, Started: "1"}
	if recorded.running() {
		t.Error("a process with the same number counts as the recorded one")
	}
	if err := recorded.stop(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	if !other.running() {
		t.Error("the process that has its number now was ended")
	}
}

func TestStopOfAnotherProcessesChild(t *testing.T) {
	p := startShell(t, "exec sleep 600")
	recorded := &process{Name: p.Name, PID: p.PID, Started: p.Started} // as read from a state file
	if !recorded.running() {
		t.Fatal("a running process is taken for another one")
	}
	if err := recorded.stop(); err != nil {
		t.Fatal(err)
	}
	if recorded.running() || startTime(p.PID) != "" {
		t.Error("it runs")
	}
}

func TestProcessSeesNothingOfTheEnvironment(t *testing.T) {
	t.Setenv("ETCD_NAME", "of the user")
	dir := newFolder(t)
	p, err := startProcess(dir, "/usr/bin/env", component{"env", nil}, false)
	if err != nil {
		t.Fatal(err)
	}
	if !p.gone() {
		t.Fatal("env does not end")
	}
	if text := p.logTail(dir); strings.Contains(text, "ETCD_NAME") || !strings.Contains(text, "HOME="+dir) {
		t.Errorf("its environment is:\n%s", text)
	}
}

func TestProcessDiesWithItsStarter(t *testing.T) {
	dir := newFolder(t)
	helper := exec.Command(os.Args[0])
	helper.Env = append(os.Environ(), helperVariable+"="+dir)
	output, err := helper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 20)
	n, err := output.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil {
		t.Fatal(err)
	}
	child := &process{Name: "sleep", PID: pid, Started: startTime(pid)}
	if !child.running() {
		t.Fatal("it does not run")
	}
	if err := helper.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = helper.Wait()
	if !child.gone() {
		t.Error("it outlived the process that started it")
	}
}

// processesNaming are those of this machine whose command line names dir.
func processesNaming(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(text), dir+"/") {
			found = append(found, strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return found
}
