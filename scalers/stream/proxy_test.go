package stream_test

import (
	"encoding/binary"
	"io"
	"net"
	"sync"

	"github.com/segmentio/kafka-go/protocol"
)

// proxy stands between clients and a broker and counts what passes.
type proxy struct {
	listener net.Listener

	mu     sync.Mutex
	target string
	// dialed and open count connections, all of them and those of now.
	dialed, open int
	requests     map[protocol.ApiKey]int
	conns        map[net.Conn]bool
}

func newProxy() (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, requests: map[protocol.ApiKey]int{}, conns: map[net.Conn]bool{}}
	cleanUp = append(cleanUp, func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p, nil
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// to says where the broker is.
func (p *proxy) to(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

func (p *proxy) serve(c net.Conn) {
	defer c.Close()
	p.mu.Lock()
	p.dialed++
	p.open++
	p.conns[c] = true
	target := p.target
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.open--
		delete(p.conns, c)
		p.mu.Unlock()
	}()
	broker, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer broker.Close()
	go func() {
		io.Copy(c, broker)
		c.Close()
	}()
	for {
		var head [8]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		p.mu.Lock()
		p.requests[protocol.ApiKey(binary.BigEndian.Uint16(head[4:]))]++
		p.mu.Unlock()
		if _, err := broker.Write(head[:]); err != nil {
			return
		}
		if _, err := io.CopyN(broker, c, int64(binary.BigEndian.Uint32(head[:]))-4); err != nil {
			return
		}
	}
}

// cut cuts all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// traffic is what passed since the last call, and how many connections are open.
type traffic struct {
	dialed, open int
	requests     map[protocol.ApiKey]int
}

func (p *proxy) take() traffic {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := traffic{p.dialed, p.open, p.requests}
	p.dialed, p.requests = 0, map[protocol.ApiKey]int{}
	return t
}
