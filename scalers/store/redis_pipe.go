package store

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// redisPipe is a connection to a server that is always being read, so that what
// the server tells is heard at once, and that it ends: answers wait for who reads
// them.
type redisPipe struct {
	net.Conn
	frames redisFrames
	// told is called with the words of what the server tells, and ended once.
	told  func(words [][]byte)
	ended func()
	// tracks tells that the server tells of changes to keys that were read.
	tracks atomic.Bool

	mu       sync.Mutex
	answers  []byte
	err      error // why no more comes
	deadline time.Time

	// arrived and room have a token when something came and went; done is closed
	// when nothing more comes.
	arrived, room chan struct{}
	done          chan struct{}
}

// maxWaiting is how much of the answers waits; beyond it the server does.
const maxWaiting = 64 << 10

// newRedisPipe returns a pipe that reads c until it is closed.
func newRedisPipe(c net.Conn, told func(words [][]byte), ended func()) *redisPipe {
	p := &redisPipe{
		Conn: c, told: told, ended: ended,
		arrived: make(chan struct{}, 1), room: make(chan struct{}, 1), done: make(chan struct{}),
	}
	p.frames.asked()
	go p.listen()
	return p
}

// listen takes what comes.
func (p *redisPipe) listen() {
	defer close(p.done)
	defer p.ended()
	var arrived [4 << 10]byte
	var answers []byte
	for {
		n, err := p.Conn.Read(arrived[:])
		var bad error
		if answers, bad = p.frames.take(answers[:0], arrived[:n], p.told); bad != nil {
			err = bad
		}
		if !p.pass(answers, err) {
			return
		}
	}
}

// pass adds to the answers that wait, and tells whether more may come.
func (p *redisPipe) pass(answers []byte, err error) bool {
	p.mu.Lock()
	p.answers = append(p.answers, answers...)
	if p.err == nil {
		p.err = err
	}
	p.mu.Unlock()
	signal(p.arrived)
	for {
		p.mu.Lock()
		waiting, ended := len(p.answers), p.err != nil
		p.mu.Unlock()
		if ended || waiting <= maxWaiting {
			return !ended
		}
		<-p.room
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Write writes a request, to which the answer is bounded anew.
func (p *redisPipe) Write(b []byte) (int, error) {
	p.frames.asked()
	return p.Conn.Write(b) //nolint:wrapcheck // it is a connection
}

// Read returns answers. It waits for them until the deadline that it finds.
func (p *redisPipe) Read(b []byte) (int, error) {
	var late <-chan time.Time
	for {
		p.mu.Lock()
		n, err, deadline := copy(b, p.answers), p.err, p.deadline
		p.answers = p.answers[:copy(p.answers, p.answers[n:])]
		p.mu.Unlock()
		switch {
		case n > 0:
			signal(p.room)
			return n, nil
		case len(b) == 0:
			return 0, nil
		case err != nil:
			return 0, err
		case late == nil && !deadline.IsZero():
			timer := time.NewTimer(time.Until(deadline))
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-p.arrived:
		case <-late:
			return 0, os.ErrDeadlineExceeded
		}
	}
}

// SetDeadline sets both deadlines.
func (p *redisPipe) SetDeadline(t time.Time) error {
	_ = p.SetReadDeadline(t)     // it does not fail
	return p.SetWriteDeadline(t) //nolint:wrapcheck // it is a connection
}

// SetReadDeadline sets until when the next read waits.
func (p *redisPipe) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deadline = t
	return nil
}

// over tells whether no more answers come.
func (p *redisPipe) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err != nil
}

// Close ends the connection and waits until nothing is told any more.
func (p *redisPipe) Close() error {
	err := p.Conn.Close()
	p.mu.Lock()
	if p.err == nil {
		p.err = net.ErrClosed
	}
	p.mu.Unlock()
	signal(p.room)
	signal(p.arrived)
	<-p.done
	return err //nolint:wrapcheck // it is a connection
}
