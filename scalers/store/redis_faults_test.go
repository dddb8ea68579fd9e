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
)

// fakeServer listens on a free port and hands every connection to serve, which
// need not close it.
func fakeServer(t *testing.T, serve func(net.Conn)) (addr string) {
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

// answer is a server that takes HELLO and the like for granted and answers
// every other command with the reply.
func answer(reply string) func(net.Conn) {
	return func(c net.Conn) {
		in := bufio.NewReader(c)
		for {
			command, err := readCommand(in)
			if err != nil {
				return
			}
			switch strings.ToUpper(command) {
			case "HELLO":
				_, err = c.Write([]byte("-ERR unknown command 'HELLO'\r\n"))
			case "AUTH", "SELECT", "CLIENT":
				_, err = c.Write([]byte("+OK\r\n"))
			default:
				_, err = c.Write([]byte(reply))
			}
			if err != nil {
				return
			}
		}
	}
}

// readCommand reads a command as clients send it and returns its name.
func readCommand(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	var n int
	for _, digit := range strings.TrimSpace(line)[1:] {
		n = n*10 + int(digit-'0')
	}
	name := ""
	for i := range n {
		if _, err := in.ReadString('\n'); err != nil {
			return "", err
		}
		word, err := in.ReadString('\n')
		if err != nil {
			return "", err
		}
		if i == 0 {
			name = strings.TrimSpace(word)
		}
	}
	return name, nil
}

// A server that answers anything but a count must never be read as a number.
func TestRedisHostileReplies(t *testing.T) {
	for name, reply := range map[string]string{
		"garbage":             "\x00\xff\x13garbage\r\n",
		"HTTP":                "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
		"status":              "+OK\r\n",
		"text":                "$5\r\nhello\r\n",
		"nil":                 "$-1\r\n",
		"nil array":           "*-1\r\n",
		"null":                "_\r\n",
		"array":               "*1\r\n:5\r\n",
		"map":                 "%1\r\n+a\r\n:5\r\n",
		"bool":                "#t\r\n",
		"float":               ",1.5\r\n",
		"integer of letters":  ":five\r\n",
		"integer too large":   ":99999999999999999999\r\n",
		"negative":            ":-5\r\n",
		"empty integer":       ":\r\n",
		"empty line":          "\r\n",
		"endless bulk":        "$9223372036854775807\r\nx",
		"negative bulk":       "$-7\r\n",
		"endless array":       "*2147483647\r\n",
		"error":               "-ERR something\r\n",
		"loading":             "-LOADING Redis is loading the dataset in memory\r\n",
		"master down":         "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
		"moved":               "-MOVED 3999 127.0.0.1:6381\r\n",
		"try again":           "-TRYAGAIN Multiple keys request during rehashing of slot\r\n",
		"busy":                "-BUSY Redis is busy running a script.\r\n",
		"max clients":         "-ERR max number of clients reached\r\n",
		"push instead":        ">1\r\n+invalidate\r\n",
		"half a line":         ":5",
		"integer without end": ":" + strings.Repeat("1", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := fakeServer(t, answer(reply))
			s, other := list(t, addr, "a", nil, nil), list(t, addr, "b", nil, nil)
			conn := open(t, s)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			out := make([]scalers.Result, 2)
			err := scalers.Read(ctx, conn, []*scalers.Scaler{s, other}, out)
			for i := range out {
				one := out[i].Err
				if err != nil {
					one = err
				}
				if one == nil {
					t.Errorf("it is read as %v", out[i].Value)
					continue
				}
				if class := scalers.ClassOf(one); class != scalers.Unavailable {
					t.Errorf("the error is of class %s: %v", class, one)
				}
			}
		})
	}
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
			_, _ = readCommand(in)
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
				conn := open(t, s)
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
		_, _ = readCommand(bufio.NewReader(c))
		_, _ = c.Write([]byte("-ERR unknown command 'HELLO'\r\n"))
	}
	for name, serve := range map[string]func(net.Conn){"greeting": func(net.Conn) {}, "counting": greets} {
		for _, tls := range []string{"", "true"} {
			t.Run(name+strings.Replace(tls, "true", " with TLS", 1), func(t *testing.T) {
				s := list(t, fakeServer(t, serve), "orders", m{"enableTLS": tls}, nil)
				conn := open(t, s)
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
