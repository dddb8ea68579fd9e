package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFrames cuts streams that come in pieces of every size.
func TestFrames(t *testing.T) {
	long := strings.Repeat("x", 3*keptSize)
	for reason, tc := range map[string]struct {
		stream string
		want   []string // kind and what is kept
	}{
		"commands": {
			"*2\r\n$4\r\nLLEN\r\n$2\r\nq0\r\n*2\r\n$4\r\nLLEN\r\n$2\r\nq1\r\n",
			[]string{"* LLEN q0", "* LLEN q1"},
		},
		"a script, of which the first arguments are kept": {
			"*7\r\n$4\r\nEVAL\r\n$3\r\nabc\r\n$1\r\n1\r\n$2\r\nq0\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n",
			[]string{"* EVAL abc 1 q0 a"},
		},
		"a long string is not kept": {
			"*3\r\n$5\r\nRPUSH\r\n$384\r\n" + long + "\r\n$1\r\na\r\n:1\r\n",
			[]string{"* RPUSH  a", ": 1"},
		},
		"simple answers": {"+OK\r\n-ERR no\r\n:7\r\n$-1\r\n$0\r\n\r\n_\r\n#t\r\n,1.5\r\n(12\r\n", []string{
			"+ OK", "- ERR no", ": 7", "$ ", "$ ", "_ ", "# t", ", 1.5", "( 12",
		}},
		"line ends within a string": {"$4\r\na\r\nb\r\n:1\r\n", []string{"$ a\r\nb", ": 1"}},
		"aggregates, also empty and within each other": {
			"*0\r\n*-1\r\n*2\r\n*2\r\n:1\r\n:2\r\n%1\r\n+a\r\n*0\r\n~1\r\n:5\r\n",
			[]string{"* ", "* ", "* 1 2 a", "~ 5"},
		},
		"a push between answers": {
			":1\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$2\r\nq0\r\n:2\r\n",
			[]string{": 1", "> invalidate q0", ": 2"},
		},
		"attributes belong to what follows": {"|1\r\n+ttl\r\n:5\r\n:1\r\n:2\r\n", []string{"| ttl 5 1", ": 2"}},
	} {
		for size := 1; size <= len(tc.stream); size++ {
			var f frames
			var got []string
			for at := 0; at < len(tc.stream); at += size {
				if err := f.feed([]byte(tc.stream[at:min(at+size, len(tc.stream))]), func(kind byte, args []string) {
					got = append(got, string(kind)+" "+strings.Join(args, " "))
				}); err != nil {
					t.Fatalf("%s, in pieces of %d: %v", reason, size, err)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Fatalf("%s, in pieces of %d (-want +got):\n%s", reason, size, diff)
			}
		}
	}
}

func TestFramesRefuseOtherProtocols(t *testing.T) {
	for _, stream := range []string{"GET / HTTP/1.1\r\n", "*x\r\n", "$-5\r\n", "\n", "*1\n"} {
		var f frames
		if err := f.feed([]byte(stream), func(byte, []string) {}); err == nil {
			t.Errorf("%q is taken for the Redis protocol", stream)
		}
	}
}

func TestKeyOf(t *testing.T) {
	for command, want := range map[string]string{
		"LLEN q0": "q0", "llen q0": "q0", "ZCARD z": "z", "TYPE q": "q", "EVALSHA 1f 1 q0 x": "q0", "XPENDING s g": "s",
		"RPUSH q0 a": "", "PING": "", "HELLO 3": "", "CLIENT TRACKING on": "", "LLEN": "",
	} {
		if got := keyOf(strings.Fields(command)); got != want {
			t.Errorf("%s reads %q, want %q", command, got, want)
		}
	}
}
