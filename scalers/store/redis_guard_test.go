package store

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
)

// chunks is a connection that is read in parts of some size.
type chunks struct {
	net.Conn
	text string
	size int
}

func (c *chunks) Read(b []byte) (int, error) {
	n := copy(b, c.text[:min(c.size, len(c.text))])
	if c.text = c.text[n:]; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (c *chunks) Write(b []byte) (int, error) { return len(b), nil }

func TestGuardPassesWhatKeepsToItsBounds(t *testing.T) {
	good := map[string]string{
		"scalars":        ":1\r\n+OK\r\n-ERR no\r\n_\r\n#t\r\n,1.5\r\n(12345678901234567890\r\n",
		"texts":          "$5\r\nhe\r\no\r\n$0\r\n\r\n$-1\r\n=7\r\ntxt:abc\r\n!3\r\nERR\r\n",
		"lists":          "*2\r\n*0\r\n*-1\r\n~1\r\n:1\r\n>2\r\n+a\r\n+b\r\n%1\r\n+a\r\n*1\r\n$1\r\n*\r\n",
		"text like list": "$15\r\n*999999999999\r\n\r\n:1\r\n",
		"long":           "$100000\r\n" + strings.Repeat("*9999999", 12_500) + "\r\n*10000\r\n" + strings.Repeat(":1\r\n", 10_000),
		"deep":           strings.Repeat("*1\r\n", maxDepth) + ":1\r\n" + strings.Repeat("*1\r\n", maxDepth) + ":1\r\n",
		"garbage":        "HTTP/1.1 400 Bad Request\r\n\r\n<html>*99999999999</html>\r\n",
	}
	bad := map[string]string{
		"text":      "$67108865\r\n",
		"number":    ":1\r\n$9223372036854775807\r\n",
		"beyond":    "$99999999999999999999\r\n",
		"list":      "*3000000\r\n",
		"map":       "%1100000\r\n",
		"lists":     "*1100000\r\n*1100000\r\n",
		"depth":     strings.Repeat("*1\r\n", maxDepth+1) + ":1\r\n",
		"line":      strings.Repeat("a", maxLine+1),
		"long line": "+" + strings.Repeat("a", maxLine) + "\r\n",
	}
	for _, size := range []int{1, 2, 7, 4096} {
		for name, text := range good {
			got, err := io.ReadAll(io.MultiReader(guard(&chunks{text: text, size: size})))
			if err != nil || string(got) != text {
				t.Errorf("%s in parts of %d: got %d of %d bytes, %v", name, size, len(got), len(text), err)
			}
		}
		for name, text := range bad {
			c := guard(&chunks{text: text, size: size})
			if got, err := io.ReadAll(io.MultiReader(c)); err == nil {
				t.Errorf("%s in parts of %d: got all %d bytes", name, size, len(got))
			}
			if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Errorf("%s: after it was refused it can be read", name)
			}
		}
	}
}

// A connection is not used up by what it read before.
func TestGuardBoundsEachRequest(t *testing.T) {
	const n = 40_000_000
	answer := "$40000000\r\n" + strings.Repeat("a", n) + "\r\n"
	server := &chunks{size: 1 << 20}
	c := guard(server)
	for _, asked := range []bool{true, true, false} {
		if asked {
			if _, err := c.Write(nil); err != nil {
				t.Fatal(err)
			}
		}
		server.text = answer
		if _, err := io.Copy(io.Discard, io.MultiReader(c)); (err == nil) != asked {
			t.Errorf("asked for %v: %v", asked, err)
		}
	}
}

func FuzzGuard(f *testing.F) {
	f.Add([]byte("*2\r\n$1\r\na\r\n:1\r\n"), 3)
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		if size < 1 {
			return
		}
		got, err := io.ReadAll(io.MultiReader(guard(&chunks{text: string(text), size: size})))
		if !bytes.HasPrefix(text, got) || err == nil && len(got) != len(text) {
			t.Errorf("%q is read as %q, %v", text, got, err)
		}
	})
}
