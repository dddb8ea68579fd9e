package store

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// piped is a pipe whose other end is the server's.
type piped struct {
	*redisPipe
	server net.Conn
	told   chan string
	ends   atomic.Int32
}

func newPiped(t *testing.T) *piped {
	t.Helper()
	client, server := net.Pipe()
	p := &piped{server: server, told: make(chan string, 10)}
	p.redisPipe = newRedisPipe(client, func(words [][]byte) { p.told <- string(bytes.Join(words, []byte(" "))) }, func() { p.ends.Add(1) })
	t.Cleanup(func() {
		_ = p.Close()
		_ = server.Close()
		if n := p.ends.Load(); n != 1 {
			t.Errorf("its end was told %d times", n)
		}
	})
	return p
}

// send has the server send text.
func (p *piped) send(t *testing.T, text string) {
	t.Helper()
	_ = p.server.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(p.server, text); err != nil {
		t.Error(err)
	}
}

func TestPipeHearsWhatIsToldWhenNobodyReads(t *testing.T) {
	t.Parallel()
	p := newPiped(t)
	p.send(t, ":1\r\n>2\r\n+invalidate\r\n*1\r\n+orders\r\n:2\r\n")
	if told := <-p.told; told != "invalidate orders" {
		t.Errorf("told %q", told)
	}
	var b [16]byte
	if n, err := io.ReadAtLeast(p, b[:], 8); err != nil || string(b[:n]) != ":1\r\n:2\r\n" {
		t.Errorf("read %q, %v", b[:n], err)
	}
}

func TestPipeKeepsDeadlines(t *testing.T) {
	t.Parallel()
	p := newPiped(t)
	var b [16]byte
	for range 2 {
		_ = p.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if _, err := p.Read(b[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
	}
	_ = p.SetDeadline(time.Time{})
	time.AfterFunc(20*time.Millisecond, func() { p.send(t, "+OK\r\n") })
	if n, err := p.Read(b[:]); err != nil || n == 0 {
		t.Errorf("after a deadline that passed: %d bytes, %v", n, err)
	}
}

// A server that answers more than is read waits.
func TestPipeDoesNotHoardAnswers(t *testing.T) {
	t.Parallel()
	p := newPiped(t)
	sent := "$655360\r\n" + strings.Repeat("x", 10*maxWaiting) + "\r\n"
	var sending sync.WaitGroup
	sending.Go(func() { p.send(t, sent) })
	time.Sleep(50 * time.Millisecond)
	p.mu.Lock()
	waiting := len(p.answers)
	p.mu.Unlock()
	if waiting > maxWaiting+4<<10 {
		t.Errorf("%d bytes wait", waiting)
	}
	if n, err := io.CopyN(io.Discard, p, int64(len(sent))); err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
	sending.Wait()
}

// What came before the end is read, and then why it ended.
func TestPipeEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(p *piped) (want error){
		"by the server": func(p *piped) error { _ = p.server.Close(); return io.EOF },
		"by us":         func(p *piped) error { _ = p.Close(); return net.ErrClosed },
		"by its bounds": func(p *piped) error {
			_, _ = io.WriteString(p.server, "*99999999\r\n")
			return errTooLarge
		},
	} {
		p := newPiped(t)
		p.send(t, "+OK\r\n")
		want := end(p)
		<-p.done
		if name != "by us" {
			got, err := io.ReadAll(io.LimitReader(p, 5))
			if err != nil || string(got) != "+OK\r\n" {
				t.Errorf("%s: read %q, %v", name, got, err)
			}
		}
		for range 2 {
			if n, err := p.Read(make([]byte, 16)); n == 0 && !errors.Is(err, want) && (name != "by us" || err == nil) {
				t.Errorf("%s: got %v, want %v", name, err, want)
			}
		}
		if !p.over() {
			t.Errorf("%s: it is not over", name)
		}
	}
}
