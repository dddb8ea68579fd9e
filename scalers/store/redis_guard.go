package store

import (
	"bytes"
	"net"
	"strconv"
	"sync/atomic"
	"syscall"

	"github.com/freshet-io/freshet/scalers"
)

const (
	// maxAnswer bounds what a server may answer to what was written at once.
	maxAnswer = 64 << 20
	// perElement is what an element of a list takes beside its text.
	perElement = 32
	// maxDepth bounds how deep lists may be nested, maxLine a line.
	maxDepth = 16
	maxLine  = 16 << 10
)

// guard returns the connection with its answers bounded. The client allocates
// what an answer announces: a few bytes of a hostile server, or of one that
// speaks another protocol, would end this process.
func guard(c net.Conn) net.Conn {
	g := &guardedConn{Conn: c}
	g.left.Store(maxAnswer)
	if direct, ok := c.(syscall.Conn); ok {
		return struct {
			*guardedConn
			syscall.Conn // by which the client sees that an idle connection was closed
		}{g, direct}
	}
	return g
}

// guardedConn follows what is read: lines, of which some announce a text or a
// list that follows.
type guardedConn struct {
	net.Conn
	// left is how much more may be answered.
	left atomic.Int64
	// line is the beginning of a line, text how much of a text is to come, and
	// lists how many elements are to come of each list that is open.
	line  []byte
	text  int
	lists []int
	// err is what ended it, which the client may have to be told more than once.
	err error
}

// Write writes a request, to which the answer is bounded anew.
func (c *guardedConn) Write(b []byte) (int, error) {
	c.left.Store(maxAnswer)
	return c.Conn.Write(b) //nolint:wrapcheck // it is a connection
}

// Read reads what keeps to the bounds, and nothing of what does not.
func (c *guardedConn) Read(b []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.Conn.Read(b)
	for rest := b[:n]; len(rest) > 0; {
		taken, ok := c.follow(rest)
		if !ok {
			c.err = scalers.UnavailableError("the server announces an answer that is too large")
			return 0, c.err
		}
		rest = rest[taken:]
	}
	return n, err //nolint:wrapcheck // it is a connection
}

// follow takes a text, or a line, or a part of them.
func (c *guardedConn) follow(b []byte) (taken int, ok bool) {
	if c.text > 0 {
		taken = min(c.text, len(b))
		if c.text -= taken; c.text == 0 {
			c.elementEnds()
		}
		return taken, true
	}
	taken = bytes.IndexByte(b, '\n') + 1
	whole := taken > 0
	if !whole {
		taken = len(b)
	}
	c.line = append(c.line, b[:taken]...)
	if ok = len(c.line) <= maxLine; ok && whole {
		ok = c.lineEnds(bytes.TrimRight(c.line, "\r\n"))
		c.line = c.line[:0]
	}
	return taken, ok
}

// lineEnds tells whether what the line announces keeps to the bounds.
func (c *guardedConn) lineEnds(line []byte) bool {
	n, cost := announced(line), int64(len(line))
	if n < 0 { // it holds its value itself, or is nothing
		c.elementEnds()
		return c.spend(cost)
	}
	switch line[0] {
	case '$', '=', '!':
		c.text = n + len("\r\n")
		return c.spend(cost + int64(n))
	case '%', '|':
		n *= 2
	}
	if n == 0 {
		c.elementEnds()
		return c.spend(cost)
	}
	c.lists = append(c.lists, n)
	return len(c.lists) <= maxDepth && c.spend(cost+int64(n)*perElement)
}

// announced is the length of the text or list that follows the line, -1 when
// none does.
func announced(line []byte) int {
	if len(line) == 0 || bytes.IndexByte([]byte("$=!%|*~>"), line[0]) < 0 {
		return -1
	}
	n, _ := strconv.Atoi(string(line[1:])) // where it is no number the client fails
	return min(n, maxAnswer)
}

// spend tells whether the answer still keeps to its bound.
func (c *guardedConn) spend(cost int64) bool { return c.left.Add(-cost) >= 0 }

// elementEnds counts an element, which may be the last of its list, which is an
// element itself.
func (c *guardedConn) elementEnds() {
	for len(c.lists) > 0 {
		last := len(c.lists) - 1
		if c.lists[last]--; c.lists[last] > 0 {
			return
		}
		c.lists = c.lists[:last]
	}
}
