package poll

import (
	"context"
	"sync/atomic"

	"github.com/freshet-io/freshet/scalers"
)

// link is a source's connection: opened by the first who needs it, opened anew
// after a failure, closed with the source.
type link struct {
	// turn holds one token; it guards the fields below and, unlike a mutex,
	// can be waited for with a deadline.
	turn    chan struct{}
	current *lease
	closed  bool
	// stale tells that the current connection is not to be used again. It is set
	// by anyone.
	stale atomic.Bool
}

// lease is an open connection and how many use it.
type lease struct {
	conn  scalers.Conn
	users int
}

func (l *link) init() {
	l.turn = make(chan struct{}, 1)
	l.turn <- struct{}{}
}

// acquire returns the open connection, opening one when there is none or the one
// there is failed; those who still use that keep it.
func (l *link) acquire(ctx context.Context, open func(context.Context) (scalers.Conn, error)) (*lease, error) {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { l.turn <- struct{}{} }()
	if l.stale.Load() {
		l.retire()
	}
	if l.current == nil {
		conn, err := open(ctx)
		if err != nil {
			return nil, err
		}
		l.current = &lease{conn: conn}
	}
	l.current.users++
	return l.current, nil
}

// release ends a use. A connection that failed is not used again.
func (l *link) release(c *lease, failed bool) {
	<-l.turn
	c.users--
	switch {
	case c != l.current:
		c.dropUnused()
	case failed || l.closed || l.stale.Load():
		l.stale.Store(true)
		if c.users == 0 {
			l.retire()
		}
	}
	l.turn <- struct{}{}
}

// close closes the connection now or after its last use.
func (l *link) close() {
	<-l.turn
	l.closed = true
	l.retire()
	l.turn <- struct{}{}
}

// retire hands the current connection out no more. It is closed now or after its
// last use.
func (l *link) retire() {
	old := l.current
	l.current = nil
	l.stale.Store(false)
	if old != nil {
		old.dropUnused()
	}
}

// dropUnused closes the connection when nobody uses it.
func (c *lease) dropUnused() {
	if c.users > 0 {
		return
	}
	defer func() { _ = recover() }() // the connection is gone, be it by a panic
	_ = c.conn.Close()               // nothing is lost: reads do not write
}
