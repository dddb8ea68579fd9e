package main

import (
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// ownCPU is the CPU time that this program has used.
func ownCPU() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0 // a figure beside the others
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// machineOf says what the figures were measured on.
func machineOf() machine {
	m := machine{Cores: runtime.NumCPU(), OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version()}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	m.LoadBefore = loadAverage()
	return m
}

// loadAverage is that of the last minute, "" where it is not told.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	one, _, _ := strings.Cut(string(text), " ")
	return one
}
