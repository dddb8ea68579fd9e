package main

import (
	"fmt"
	"os"
	"syscall"
)

// trimProgram gives the pages of the program back.
func trimProgram() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("finding the program: %w", err)
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return fmt.Errorf("reading the address space: %w", err)
	}
	for _, m := range programMappings(smaps, program) {
		if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, m.start, m.end-m.start, syscall.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("giving pages back: %w", errno)
		}
	}
	return nil
}
