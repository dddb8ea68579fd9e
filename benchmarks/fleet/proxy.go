package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// mode is how a proxy treats its clients.
type mode int

const (
	passing  mode = iota // as the server behind it
	refusing             // nobody listens, and connections are cut
	silent               // connections are accepted, requests taken, nothing answered
	slow                 // every answer comes late
)

// proxy stands on a loopback port in front of a Redis and counts what passes.
// It is safe for concurrent use.
type proxy struct {
	address, backend string
	delay            time.Duration // of slow answers
	gaps             *gaps

	mu       sync.Mutex
	mode     mode
	changed  chan struct{} // closed when the mode changes
	listener net.Listener
	links    map[*link]bool
	waiting  int // links that wait for an answer
	most     int // of them since the last reset
	running  sync.WaitGroup
}

// newProxy starts a proxy that passes everything.
func newProxy(backend string, delay time.Duration, g *gaps) (*proxy, error) {
	p := &proxy{address: "127.0.0.1:0", backend: backend, delay: delay, gaps: g, changed: make(chan struct{}), links: map[*link]bool{}}
	if err := p.listen(); err != nil {
		return nil, err
	}
	return p, nil
}

// listen opens the port: a free one at first, then the same.
func (p *proxy) listen() error {
	l, err := net.Listen("tcp", p.address) //nolint:noctx // binds at once
	if err != nil {
		return fmt.Errorf("listening on %s: %w", p.address, err)
	}
	p.address, p.listener = l.Addr().String(), l
	p.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			p.running.Go(func() { p.serve(conn) })
		}
	})
	return nil
}

// set changes how clients are treated, those that are connected too.
func (p *proxy) set(m mode) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.mode
	if was == m {
		return nil
	}
	p.mode = m
	close(p.changed)
	p.changed = make(chan struct{})
	switch {
	case m == refusing:
		_ = p.listener.Close()
		for l := range p.links {
			l.cut()
		}
	case was == refusing:
		return p.listen()
	}
	return nil
}

// now is the mode, and what is closed when it changes.
func (p *proxy) now() (mode, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode, p.changed
}

// close ends the proxy and returns when nothing of it is left.
func (p *proxy) close() {
	p.mu.Lock()
	_ = p.listener.Close()
	for l := range p.links {
		l.cut()
	}
	p.mu.Unlock()
	p.running.Wait()
}

// resetMost forgets how many requests were in flight at most.
func (p *proxy) resetMost() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.most = p.waiting
}

// mostInFlight is how many requests were in flight at most since the reset. A
// request is what waits for an answer on one connection: a pipeline is one.
func (p *proxy) mostInFlight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most
}

func (p *proxy) serve(client net.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	server, err := new(net.Dialer).DialContext(ctx, "tcp", p.backend)
	if err != nil {
		_ = client.Close() // as if the server had closed it
		return
	}
	l := &link{proxy: p, client: client, server: server, gone: make(chan struct{})}
	p.mu.Lock()
	if p.mode == refusing { // accepted just before
		l.cut()
	}
	p.links[l] = true
	p.mu.Unlock()
	p.running.Go(l.answers)
	l.requests()
	p.mu.Lock()
	l.cut()
	delete(p.links, l)
	p.mu.Unlock()
}

// link is a client's connection and that behind it.
type link struct {
	proxy          *proxy
	client, server net.Conn
	gone           chan struct{}

	// The proxy's lock guards these: requests without an answer, and whether
	// the connections are cut.
	pending int
	over    bool
}

// cut ends both connections. The proxy is locked: what waits for an answer on
// them waits no more.
func (l *link) cut() {
	if l.over {
		return
	}
	l.over = true
	close(l.gone)
	_ = l.client.Close()
	_ = l.server.Close()
	if l.pending > 0 {
		l.proxy.waiting--
	}
	l.pending = 0
}

// requests passes what the client sends, counted.
func (l *link) requests() {
	var f frames
	_ = pass(l.client, func(text []byte) error {
		now := time.Now()
		if err := f.feed(text, func(_ byte, args []string) {
			l.asked()
			if key := keyOf(args); key != "" {
				l.proxy.gaps.see(key, now)
			}
		}); err != nil {
			return err
		}
		_, err := l.server.Write(text)
		return err //nolint:wrapcheck // nobody reads it
	})
}

// answer is a piece of what the server sent, and when.
type answer struct {
	text []byte
	at   time.Time
}

// answers passes what the server sends, when the mode lets it.
func (l *link) answers() {
	pieces := make(chan answer, 256)
	l.proxy.running.Go(func() {
		defer close(pieces)
		_ = pass(l.server, func(text []byte) error {
			select {
			case pieces <- answer{append([]byte(nil), text...), time.Now()}:
				return nil
			case <-l.gone:
				return errors.New("the client is gone")
			}
		})
	})
	var f frames
	for a := range pieces {
		if !l.hold(a) {
			break
		}
		if err := f.feed(a.text, func(kind byte, _ []string) {
			if kind != '>' { // a push answers nothing
				l.answered()
			}
		}); err != nil {
			break
		}
		if _, err := l.client.Write(a.text); err != nil {
			break
		}
	}
	l.proxy.mu.Lock()
	l.cut()
	l.proxy.mu.Unlock()
}

// hold waits until an answer may pass; false when there is no one left to get it.
func (l *link) hold(a answer) bool {
	for {
		m, changed := l.proxy.now()
		var late <-chan time.Time
		switch m {
		case silent:
		case slow:
			wait := time.Until(a.at.Add(l.proxy.delay))
			if wait <= 0 {
				return true
			}
			timer := time.NewTimer(wait)
			defer timer.Stop()
			late = timer.C
		default:
			return true
		}
		select {
		case <-late:
			return true
		case <-changed:
		case <-l.gone:
			return false
		}
	}
}

func (l *link) asked() {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	if l.over {
		return
	}
	if l.pending++; l.pending == 1 {
		l.proxy.waiting++
		l.proxy.most = max(l.proxy.most, l.proxy.waiting)
	}
}

func (l *link) answered() {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	if l.pending == 0 { // cut meanwhile
		return
	}
	if l.pending--; l.pending == 0 {
		l.proxy.waiting--
	}
}

// pass reads until the connection ends or f fails.
func pass(from net.Conn, f func([]byte) error) error {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if err := f(buffer[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return err //nolint:wrapcheck // nobody reads it
		}
	}
}

// keyOf is the key that a command reads a number of; "" for others.
func keyOf(args []string) string {
	if len(args) < 2 {
		return ""
	}
	name := strings.ToLower(args[0])
	switch {
	case !readCommands[name]:
		return ""
	case strings.HasPrefix(name, "eval") && len(args) > 3: // script, number of keys, key
		return args[3]
	default:
		return args[1]
	}
}
