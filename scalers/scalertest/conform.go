package scalertest

import (
	"context"
	"errors"
	"net"
	"os"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// Conformance is a trigger beside its server, which has data for it to read.
type Conformance struct {
	// Type is the trigger's type.
	Type string
	// At is what the trigger is given when its server listens at the address.
	At func(address string) param.Input
	// Setting is where the trigger stands.
	Setting scalers.Setting
	// Address is the server's, as host:port; "" is a trigger that has none, of
	// which only decoding, reading and closing are tried.
	Address string
	// Want is what is read.
	Want scalers.Value
	// Stop ends the server as a crash would, and Start brings it back, with the
	// data, at the same address.
	Stop, Start func() error
	// Failing is how many reads must fail without leaving anything behind.
	// Default 10,000.
	Failing int
}

const (
	// patience is how long anything may take that a healthy server does at once.
	patience = 20 * time.Second
	// deadline is that of reads which must fail.
	deadline = 300 * time.Millisecond
)

// Conform tries what every trigger must do: read and close twice, end when it is
// canceled, fail within its deadline when the server does not answer, leave
// nothing behind when it fails often, and find a server that went away and came
// back. Nothing may run in parallel with it, for it counts goroutines.
func Conform(t *testing.T, c Conformance) {
	t.Run("reads twice", c.readsTwice)
	if c.Address == "" {
		return
	}
	t.Run("ends when canceled", c.endsWhenCanceled)
	t.Run("heeds its deadline", c.heedsDeadline)
	t.Run("leaves nothing behind", c.leavesNothing)
	if c.Stop != nil {
		t.Run("finds the server again", c.findsServerAgain)
	}
}

func (c *Conformance) decode(t testing.TB, address string) *scalers.Scaler {
	t.Helper()
	s, _, err := scalers.Decode(c.Type, c.At(address), c.Setting)
	if err != nil {
		t.Fatalf("decoding: %v", err)
	}
	return s
}

// Open opens the source of the scaler until the test ends.
func Open(t testing.TB, s *scalers.Scaler) scalers.Conn {
	t.Helper()
	conn, err := s.Source.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return conn
}

// readOnce opens a connection, reads twice with it and closes it.
func readOnce(ctx context.Context, s *scalers.Scaler) (scalers.Result, error) {
	conn, err := s.Source.Open(ctx)
	if err != nil {
		return scalers.Result{}, err
	}
	defer func() { _ = conn.Close() }() // what it says does not matter here
	var out [1]scalers.Result
	err = scalers.Read(ctx, conn, []*scalers.Scaler{s}, out[:])
	if err == nil {
		err = out[0].Err
	}
	return out[0], err
}

func (c *Conformance) readsTwice(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	a, b := c.decode(t, c.Address), c.decode(t, c.Address)
	if a.Fingerprint != b.Fingerprint || a.Source.Fingerprint != b.Source.Fingerprint {
		t.Error("decoding twice makes two configurations")
	}
	conn, err := a.Source.Open(ctx)
	if err != nil {
		t.Fatalf("opening: %v", err)
	}
	for range 2 {
		out := make([]scalers.Result, 2)
		if err := scalers.Read(ctx, conn, []*scalers.Scaler{a, b}, out); err != nil {
			t.Fatalf("reading: %v", err)
		}
		for _, r := range out {
			if r.Err != nil || !reflect.DeepEqual(r.Value, c.Want) {
				t.Errorf("got %+v, %v; want %+v", r.Value, r.Err, c.Want)
			}
		}
	}
	for range 2 {
		if err := conn.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	}
}

func (c *Conformance) endsWhenCanceled(t *testing.T) {
	server := newMute(t)
	s := c.decode(t, server.address)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := readOnce(ctx, s)
		done <- err
	}()
	select {
	case <-server.accepted:
	case <-time.After(patience):
		t.Fatal("the server is not connected to")
	}
	cancel()
	select {
	case err := <-done:
		if err == nil {
			t.Error("a canceled read has a value")
		}
	case <-time.After(patience):
		t.Fatal("a canceled read does not end")
	}
}

func (c *Conformance) heedsDeadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	s := c.decode(t, newMute(t).address)
	began := time.Now()
	_, err := readOnce(ctx, s)
	switch took := time.Since(began); {
	case err == nil:
		t.Error("a server that never answers has a value")
	case took > patience:
		t.Errorf("it took %s to notice a deadline of %s", took, deadline)
	case scalers.ClassOf(err) != scalers.Unavailable:
		t.Errorf("the error is of class %s: %v", scalers.ClassOf(err), err)
	}
}

func (c *Conformance) findsServerAgain(t *testing.T) {
	s := c.decode(t, c.Address)
	if err := c.Stop(); err != nil {
		t.Fatalf("stopping the server: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	r, err := readOnce(ctx, s)
	cancel()
	if err == nil {
		t.Errorf("without a server the value is %+v", r.Value)
	} else if scalers.ClassOf(err) != scalers.Unavailable {
		t.Errorf("the error is of class %s: %v", scalers.ClassOf(err), err)
	}
	if err := c.Start(); err != nil {
		t.Fatalf("starting the server: %v", err)
	}
	for end := time.Now().Add(3 * patience); ; time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		r, err = readOnce(ctx, s)
		cancel()
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the server is back, and reading fails: %v", err)
		}
	}
	if !reflect.DeepEqual(r.Value, c.Want) {
		t.Errorf("when the server is back the value is %+v, want %+v", r.Value, c.Want)
	}
}

// leavesNothing has reads fail at a server that hangs up, and at one that is not
// there, with connections that are used once and that are used on.
func (c *Conformance) leavesNothing(t *testing.T) {
	n := c.Failing
	if n == 0 {
		n = 10_000
	}
	rude := c.decode(t, newRude(t))
	gone := c.decode(t, closedPort(t))
	const uses = 50
	fail := func(reads int) {
		for i := 0; i < reads; i += uses {
			s := gone
			if i/uses%10 == 0 {
				s = rude
			}
			failAll(t, s, uses)
		}
	}
	fail(n / 10) // fills pools and caches
	before := measure()
	fail(n - n/10)
	var after usage
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if after = measure(); after.goroutines <= before.goroutines+2 && after.files <= before.files+2 {
			break
		}
	}
	if after.goroutines > before.goroutines+2 {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines became %d:\n%s", before.goroutines, after.goroutines, stacks[:runtime.Stack(stacks, true)])
	}
	if after.files > before.files+2 {
		t.Errorf("%d open files became %d", before.files, after.files)
	}
	const most = 4 << 20
	if after.heap > before.heap+most {
		t.Errorf("the heap grew from %d to %d KiB", before.heap>>10, after.heap>>10)
	}
}

// failAll reads many times with one connection, as long as it can be opened.
func failAll(t *testing.T, s *scalers.Scaler, reads int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := s.Source.Open(ctx)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }() // what it says does not matter here
	for range reads {
		var out [1]scalers.Result
		err := scalers.Read(ctx, conn, []*scalers.Scaler{s}, out[:])
		if err == nil && out[0].Err == nil {
			t.Fatalf("a server that hangs up gives the value %+v", out[0].Value)
		}
		if ctx.Err() != nil {
			t.Fatalf("failing takes too long: %v", errors.Join(err, out[0].Err))
		}
	}
}

// usage is what a process has of what can leak.
type usage struct {
	goroutines, files int
	heap              uint64
}

func measure() usage {
	runtime.GC()
	runtime.GC() // finalizers of the first one let go of more
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u := usage{goroutines: runtime.NumGoroutine(), heap: m.HeapAlloc}
	if files, err := os.ReadDir("/proc/self/fd"); err == nil {
		u.files = len(files)
	}
	return u
}

// mute is a server that accepts and never answers.
type mute struct {
	address  string
	accepted chan struct{}
}

func newMute(t testing.TB) *mute {
	t.Helper()
	m := &mute{accepted: make(chan struct{}, 1)}
	m.address = listen(t, func(c net.Conn) {
		select {
		case m.accepted <- struct{}{}:
		default:
		}
		var b [512]byte
		for { // ends when either side closes
			if _, err := c.Read(b[:]); err != nil {
				return
			}
		}
	})
	return m
}

// newRude returns the address of a server that hangs up.
func newRude(t testing.TB) string {
	t.Helper()
	return listen(t, func(net.Conn) {})
}

// listen serves connections until the test ends.
func listen(t testing.TB, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // binds at once
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(ctx, func() { _ = c.Close() })
			go func() {
				serve(c)
				stop()
				_ = c.Close() // closed already when the test ended
			}()
		}
	}()
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

// closedPort is an address that nobody listens at.
func closedPort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // binds at once
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
