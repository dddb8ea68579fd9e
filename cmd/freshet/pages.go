package main

import (
	"bytes"
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// trimEvery is how often pages of the program that are not in use are given back.
const trimEvery = time.Minute

// trimmer gives back pages of the program itself: the kernel maps sixteen pages for
// each one that is needed, and lets them go only when memory is short, so that most
// of a large program is resident although it ran only once, at the start. What is in
// use comes back from the page cache within some hundred microseconds.
func trimmer(log *slog.Logger) everywhere {
	return func(ctx context.Context) error {
		ticker := time.NewTicker(trimEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-ticker.C:
				if err := trimProgram(); err != nil {
					log.Info("pages of the program are not given back: it may take more memory than it needs", "reason", err.Error())
					return nil
				}
			}
		}
	}
}

// mapping is a part of the address space.
type mapping struct{ start, end uintptr }

// programMappings are the parts of the address space, as /proc/<pid>/smaps tells of
// them, that hold the program's file as it is: not to be written to, and never written
// to, so that each of their pages can be read again.
func programMappings(smaps []byte, program string) []mapping {
	var found []mapping
	var at *mapping
	for line := range bytes.Lines(smaps) {
		fields := strings.Fields(string(line))
		switch {
		case len(fields) >= 6 && strings.Contains(fields[0], "-"):
			at = headOf(fields, program)
		case at != nil && len(fields) == 3 && fields[0] == "Anonymous:":
			if fields[1] == "0" {
				found = append(found, *at)
			}
			at = nil
		}
	}
	return found
}

// headOf reads the first line of a mapping; nil when it is another one.
func headOf(fields []string, program string) *mapping {
	if perms := fields[1]; len(perms) < 4 || perms[0] != 'r' || perms[1] == 'w' || perms[3] != 'p' || strings.Join(fields[5:], " ") != program {
		return nil
	}
	from, to, _ := strings.Cut(fields[0], "-")
	start, err1 := strconv.ParseUint(from, 16, 64)
	end, err2 := strconv.ParseUint(to, 16, 64)
	if err1 != nil || err2 != nil || end <= start {
		return nil
	}
	return &mapping{uintptr(start), uintptr(end)}
}
