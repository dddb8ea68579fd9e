package main

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const smapsText = `00400000-0a000000 r-xp 00000000 fe:00 1234 /opt/fresh et
Size:             100000 kB
Rss:               90000 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me sd
0a000000-0b000000 r--p 0a000000 fe:00 1234 /opt/fresh et
Anonymous:             4 kB
0b000000-0c000000 r--p 0b000000 fe:00 1234 /opt/fresh et
Anonymous:             0 kB
0c000000-0d000000 rw-p 0c000000 fe:00 1234 /opt/fresh et
Anonymous:             0 kB
0d000000-0e000000 r--s 0c000000 fe:00 1234 /opt/fresh et
Anonymous:             0 kB
c000000000-c004000000 rw-p 00000000 00:00 0
Anonymous:             0 kB
7f0000000000-7f0000001000 r-xp 00000000 fe:00 99 /lib/libc.so.6
Anonymous:             0 kB
7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
`

// TestProgramMappings: only what is the program's file, unchanged and not to be changed.
func TestProgramMappings(t *testing.T) {
	want := []mapping{{0x400000, 0xa000000}, {0xb000000, 0xc000000}}
	got := programMappings([]byte(smapsText), "/opt/fresh et")
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(mapping{})); diff != "" {
		t.Errorf("mappings (-want +got):\n%s", diff)
	}
	for _, text := range []string{"", "x-y r-xp 0 0 0 /opt/fresh et\nAnonymous: 0 kB\n", "Anonymous: 0 kB\n"} {
		if got := programMappings([]byte(text), "/opt/fresh et"); got != nil {
			t.Errorf("%q has %v", text, got)
		}
	}
}

// TestTrimProgram: less of this program is resident afterwards, and it goes on.
func TestTrimProgram(t *testing.T) {
	before := residentFile(t)
	if err := trimProgram(); err != nil {
		t.Fatal(err)
	}
	if after := residentFile(t); after >= before {
		t.Errorf("%d KiB of files are resident, and %d were before", after, before)
	}
	t.Logf("%d KiB before", before)
}

func residentFile(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if rest, ok := strings.CutPrefix(string(line), "RssFile:"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kib
		}
	}
	t.Fatal("the kernel does not tell what is resident of files")
	return 0
}

// BenchmarkTrimProgram is what giving pages back costs, without what coming back does.
func BenchmarkTrimProgram(b *testing.B) {
	for b.Loop() {
		if err := trimProgram(); err != nil {
			b.Fatal(err)
		}
	}
}
