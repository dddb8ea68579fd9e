package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is the unit of CPU times in /proc, the same on every Linux that
// Go runs on.
const ticksPerSecond = 100

// errNoSuchNumber says that a file of /proc lacks what it should have.
var errNoSuchNumber = errors.New("the number is not there")

// cpuOf is the CPU time that a process has used, in user and kernel mode, from
// the text of /proc/<pid>/stat.
func cpuOf(stat []byte) (time.Duration, error) {
	// The second field is the program's name in parentheses, which may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const user, system = 11, 12 // counted from the third field
	if len(fields) <= system {
		return 0, errNoSuchNumber
	}
	var ticks int64
	for _, f := range fields[user : system+1] {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading CPU time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// Fields of /proc/<pid>/status: all resident memory, and the part of it that is
// no file's. The rest is mostly the program itself.
const (
	fieldResident  = "VmRSS:"
	fieldAnonymous = "RssAnon:"
)

// memoryOf is a field of the text of /proc/<pid>/status, in bytes.
func memoryOf(status []byte, field string) (int64, error) {
	for line := range strings.Lines(string(status)) {
		rest, ok := strings.CutPrefix(line, field)
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading resident memory: %w", err)
		}
		return kib << 10, nil
	}
	return 0, errNoSuchNumber
}

// sample is what some processes have used together so far, and hold now.
type sample struct {
	cpu                 time.Duration
	resident, anonymous int64 // bytes
}

// sampleOf adds up processes. One that is gone is an error: its share would be
// missing.
func sampleOf(pids []int) (sample, error) {
	var s sample
	for _, pid := range pids {
		dir := "/proc/" + strconv.Itoa(pid)
		stat, err := os.ReadFile(dir + "/stat")
		if err != nil {
			return s, fmt.Errorf("reading process %d: %w", pid, err)
		}
		status, err := os.ReadFile(dir + "/status")
		if err != nil {
			return s, fmt.Errorf("reading process %d: %w", pid, err)
		}
		cpu, err := cpuOf(stat)
		if err != nil {
			return s, fmt.Errorf("reading process %d: %w", pid, err)
		}
		resident, err := memoryOf(status, fieldResident)
		if err != nil {
			return s, fmt.Errorf("reading process %d: %w", pid, err)
		}
		anonymous, err := memoryOf(status, fieldAnonymous)
		if err != nil {
			return s, fmt.Errorf("reading process %d: %w", pid, err)
		}
		s.cpu += cpu
		s.resident += resident
		s.anonymous += anonymous
	}
	return s, nil
}

// percentOfCore is CPU time over a while as a share of one core.
func percentOfCore(cpu, while time.Duration) float64 {
	if while <= 0 {
		return 0
	}
	return round(100 * cpu.Seconds() / while.Seconds())
}

func mebibytes(bytes int64) float64 { return round(float64(bytes) / (1 << 20)) }
