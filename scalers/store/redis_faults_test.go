package store_test

import (
	"bufio"
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest"
)

// fakeServer listens on a free port and hands every connection to serve, which
// need not close it.
func fakeServer(t testing.TB, serve func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var open []net.Conn
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open = append(open, c)
			go serve(c)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
		for _, c := range open {
			_ = c.Close()
		}
	})
	return l.Addr().String()
}

func TestRedisServersThatDoNotAnswer(t *testing.T) {
	const deadline = 300 * time.Millisecond
	refused := func() string { // a port that nobody listens on
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		return l.Addr().String()
	}()
	for name, tc := range map[string]struct {
		addr  string
		quick bool // else the deadline ends it
	}{
		"refuses":          {refused, true},
		"no such name":     {"nowhere.invalid:6379", true},
		"never answers":    {fakeServer(t, func(net.Conn) {}), false},
		"closes at once":   {fakeServer(t, func(c net.Conn) { _ = c.Close() }), true},
		"closes on asking": {fakeServer(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1)); _ = c.Close() }), true},
		"greets, no more": {fakeServer(t, func(c net.Conn) {
			in := bufio.NewReader(c)
			_, _ = readWords(in)
			_, _ = c.Write([]byte("-ERR unknown command 'HELLO'\r\n"))
		}), false},
		"answers by the byte": {fakeServer(t, func(c net.Conn) {
			for {
				time.Sleep(20 * time.Millisecond)
				if _, err := c.Write([]byte(":")); err != nil {
					return
				}
			}
		}), false},
	} {
		for _, tls := range []string{"", "true"} {
			t.Run(name+strings.Replace(tls, "true", " with TLS", 1), func(t *testing.T) {
				s := list(t, tc.addr, "orders", m{"enableTLS": tls}, nil)
				conn := scalertest.Open(t, s)
				ctx, cancel := context.WithTimeout(t.Context(), deadline)
				defer cancel()
				began := time.Now()
				out := make([]scalers.Result, 1)
				err := scalers.Read(ctx, conn, []*scalers.Scaler{s}, out)
				if err == nil {
					t.Fatalf("no error for the whole connection; the result is %+v", out[0])
				}
				if class := scalers.ClassOf(err); class != scalers.Unavailable {
					t.Errorf("the error is of class %s: %v", class, err)
				}
				if took := time.Since(began); took > deadline+time.Second {
					t.Errorf("it took %s, want %s at most", took, deadline)
				}
				if !tc.quick && tls == "" && !scalers.IsTimeout(err) {
					t.Errorf("the error does not say that time ran out: %v", err)
				}
			})
		}
	}
}

// However a server fails, it is dialed once for each read: the engine's
// back-off must be what decides how often a server that is down is dialed.
func TestRedisDialsOnceForARead(t *testing.T) {
	for _, tls := range []string{"", "true"} {
		t.Run("TLS "+tls, func(t *testing.T) {
			var dials atomic.Int64
			s := list(t, fakeServer(t, func(c net.Conn) { dials.Add(1); _ = c.Close() }), "orders", m{"enableTLS": tls}, nil)
			for range 5 {
				conn, err := s.Source.Open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := read(t, conn, s); err == nil {
					t.Fatal("a server that hangs up is read")
				}
				if err := conn.Close(); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(100 * time.Millisecond) // for what a client may do in the background
			if n := dials.Load(); n != 5 {
				t.Errorf("5 reads dialed %d times", n)
			}
		})
	}
}

func TestRedisReadEndsWithItsContext(t *testing.T) {
	greets := func(c net.Conn) {
		_, _ = readWords(bufio.NewReader(c))
		_, _ = c.Write([]byte("-ERR unknown command 'HELLO'\r\n"))
	}
	for name, serve := range map[string]func(net.Conn){"greeting": func(net.Conn) {}, "counting": greets} {
		for _, tls := range []string{"", "true"} {
			t.Run(name+strings.Replace(tls, "true", " with TLS", 1), func(t *testing.T) {
				s := list(t, fakeServer(t, serve), "orders", m{"enableTLS": tls}, nil)
				conn := scalertest.Open(t, s)
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				time.AfterFunc(100*time.Millisecond, cancel)
				began := time.Now()
				if err := scalers.Read(ctx, conn, []*scalers.Scaler{s}, make([]scalers.Result, 1)); err == nil {
					t.Error("a read that was cut off is no error")
				}
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("it went on for %s after its context ended", took-100*time.Millisecond)
				}
			})
		}
	}
}
