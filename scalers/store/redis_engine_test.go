package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// last is a subscription and its last reading.
type last struct {
	scalertest.Sink
	sub *poll.Subscription
}

// set makes s the only trigger of the object.
func set(engine *poll.Engine, object string, interval time.Duration, s *scalers.Scaler) *last {
	l := &last{}
	l.sub = engine.Set(poll.Key{Kind: "ScaledObject", Name: object}, []poll.Member{{Scaler: s, Interval: interval, Sink: l}})[0]
	return l
}

func counted(n float64) func(scalers.Reading) bool {
	return func(r scalers.Reading) bool { return r.Err == nil && r.Value.Metric == n }
}

func failed(class scalers.Class) func(scalers.Reading) bool {
	return func(r scalers.Reading) bool { return r.Err != nil && scalers.ClassOf(r.Err) == class }
}

func TestRedisThousandListsAreOneConnection(t *testing.T) {
	r := scalertest.Redis(t, servers.RedisOptions{})
	const lists = 1000
	pipe := r.Client().Pipeline()
	for i := range lists {
		key := fmt.Sprintf("list%d", i)
		switch i % 3 {
		case 0:
			pipe.RPush(t.Context(), key, 1, 2)
		case 1:
			pipe.SAdd(t.Context(), key, 1, 2)
		}
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	engine := scalertest.Engine(t, poll.Options{})
	connections := stats(t, r, "stats", "total_connections_received")
	all := make([]*scalertest.Sink, lists)
	var subs []*poll.Subscription
	for i := range lists {
		all[i] = &scalertest.Sink{}
		s := list(t, r.Addr(), fmt.Sprintf("list%d", i), nil, nil)
		subs = append(subs, engine.Set(poll.Key{Name: fmt.Sprint(i)}, []poll.Member{{Scaler: s, Interval: time.Hour, Sink: all[i]}})...)
	}
	for i, l := range all {
		l.Until(t, "the first readings", counted([]float64{2, 2, 0}[i%3]))
	}
	llen, scard, types := stats(t, r, "commandstats", "cmdstat_llen"), stats(t, r, "commandstats", "cmdstat_scard"), stats(t, r, "commandstats", "cmdstat_type")
	const rounds = 5
	for range rounds {
		if err := subs[0].Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := stats(t, r, "stats", "total_connections_received") - connections; n != 1 {
		t.Errorf("%d connections were made, want 1", n)
	}
	llen, scard = stats(t, r, "commandstats", "cmdstat_llen")-llen, stats(t, r, "commandstats", "cmdstat_scard")-scard
	// Keys that do not exist are not read again: the server tells when they do.
	if llen != rounds*334 || scard != rounds*333 {
		t.Errorf("%d rounds took %d LLEN and %d SCARD, want 334 and 333 for each", rounds, llen, scard)
	}
	if n := stats(t, r, "commandstats", "cmdstat_type") - types; n != 0 {
		t.Errorf("types that are known were asked for %d times", n)
	}
}

// Reads of different intervals that meet share the connection too.
func TestRedisIntervalsShareTheConnection(t *testing.T) {
	r := scalertest.Redis(t, servers.RedisOptions{})
	engine := scalertest.Engine(t, poll.Options{PerSource: 8})
	connections := stats(t, r, "stats", "total_connections_received")
	var all []*last
	for i := range 20 {
		s := list(t, r.Addr(), fmt.Sprintf("list%d", i), nil, nil)
		all = append(all, set(engine, fmt.Sprint(i), time.Duration(i+1)*20*time.Millisecond, s))
	}
	for _, l := range all {
		began := time.Now()
		l.Until(t, "readings", func(r scalers.Reading) bool { return r.Err == nil && r.At.After(began) })
	}
	if n := stats(t, r, "stats", "total_connections_received") - connections; n != 1 {
		t.Errorf("%d connections were made, want 1", n)
	}
}

// slowLink forwards connections to addr; what passes is late by delay, each way.
func slowLink(t *testing.T, addr string, delay time.Duration) string {
	t.Helper()
	type chunk struct {
		due  time.Time
		text []byte
	}
	forward := func(to io.WriteCloser, from io.Reader) {
		late := make(chan chunk, 10_000)
		go func() {
			for c := range late {
				time.Sleep(time.Until(c.due))
				if _, err := to.Write(c.text); err != nil {
					break
				}
			}
			_ = to.Close()
		}()
		for {
			buffer := make([]byte, 32<<10)
			n, err := from.Read(buffer)
			if err != nil {
				close(late)
				return
			}
			late <- chunk{time.Now().Add(delay), buffer[:n]}
		}
	}
	return fakeServer(t, func(c net.Conn) {
		server, err := net.Dial("tcp", addr)
		if err != nil {
			_ = c.Close()
			return
		}
		go forward(c, server)
		forward(server, c)
	})
}

func TestRedisThousandListsAreOneRoundTrip(t *testing.T) {
	r := scalertest.Redis(t, servers.RedisOptions{})
	fill(t, r)
	const delay = 150 * time.Millisecond // each way
	addr := slowLink(t, r.Addr(), delay)
	batch := make([]*scalers.Scaler, 1000)
	for i := range batch {
		batch[i] = list(t, addr, []string{"list", "set", "hash", "zset", fmt.Sprintf("none%d", i)}[i%5], nil, nil)
	}
	conn := scalertest.Open(t, batch[0])
	fastest := time.Hour // the machine may have other things to do
	for round := range 4 {
		began := time.Now()
		out, err := read(t, conn, batch...)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"3", "2", "4", "5", "0"} {
			if got := counts(out)[i]; got != want {
				t.Errorf("round %d: result %d is %s, want %s", round, i, got, want)
			}
		}
		if round > 0 { // the first one connects and learns the shapes
			fastest = min(fastest, time.Since(began))
		}
	}
	if fastest < 2*delay || fastest > 3*delay {
		t.Errorf("the fastest read took %s, want one round trip of %s", fastest, 2*delay)
	}
}

func TestRedisGoneAndBack(t *testing.T) {
	r := scalertest.Redis(t, servers.RedisOptions{})
	engine := scalertest.Engine(t, poll.Options{FirstBackoff: 20 * time.Millisecond, MostBackoff: 200 * time.Millisecond})
	l := set(engine, "o", 50*time.Millisecond, list(t, r.Addr(), "orders", nil, nil))
	for round := range 3 {
		items := make([]any, round+1)
		for i := range items {
			items[i] = i
		}
		if err := r.Client().RPush(t.Context(), "orders", items...).Err(); err != nil {
			t.Fatal(err)
		}
		if read := l.Until(t, "the count", counted(float64(round+1))); !read.Active {
			t.Error("a list with items is not active")
		}
		if err := r.Kill(); err != nil {
			t.Fatal(err)
		}
		gone := time.Now()
		read := l.Until(t, "the failure", func(r scalers.Reading) bool { return r.Err != nil && r.At.After(gone) })
		if class := scalers.ClassOf(read.Err); class != scalers.Unavailable || read.Active {
			t.Errorf("the reading without a server is %+v, of class %s", read, class)
		}
		if err := r.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRedisThatHangs(t *testing.T) {
	const timeout = 200 * time.Millisecond
	addr := fakeServer(t, func(net.Conn) {})
	engine := scalertest.Engine(t, poll.Options{Timeout: timeout})
	l := set(engine, "o", time.Hour, list(t, addr, "orders", nil, nil))
	read := l.Until(t, "the deadline", failed(scalers.Unavailable))
	if !errors.Is(read.Err, context.DeadlineExceeded) && !scalers.IsTimeout(read.Err) {
		t.Errorf("the error does not say that time ran out: %v", read.Err)
	}
	if read.Took > timeout+time.Second {
		t.Errorf("it took %s, want %s", read.Took, timeout)
	}
}

// A server that another one's trouble must not delay.
func TestRedisServersDoNotHinderEachOther(t *testing.T) {
	r := scalertest.Redis(t, servers.RedisOptions{})
	fill(t, r)
	hung := fakeServer(t, func(net.Conn) {})
	engine := scalertest.Engine(t, poll.Options{Timeout: 10 * time.Second, Workers: 8})
	for i := range 100 {
		set(engine, fmt.Sprintf("hung%d", i), 50*time.Millisecond, list(t, hung, fmt.Sprint(i), nil, nil))
	}
	l := set(engine, "good", 50*time.Millisecond, list(t, r.Addr(), "list", nil, nil))
	for range 5 {
		began := time.Now()
		read := l.Until(t, "the good server", func(r scalers.Reading) bool { return r.At.After(began) })
		if read.Err != nil || read.Value.Metric != 3 {
			t.Errorf("the good server is read as %+v", read)
		}
	}
}

func TestRedisPasswordThatChanges(t *testing.T) {
	r := scalertest.Redis(t, servers.RedisOptions{Password: "old"})
	fill(t, r)
	engine := scalertest.Engine(t, poll.Options{FirstBackoff: 20 * time.Millisecond, MostBackoff: 200 * time.Millisecond})
	old := set(engine, "o", 50*time.Millisecond, list(t, r.Addr(), "list", nil, m{"password": "old"}))
	old.Until(t, "the count", counted(3))
	if err := r.Client().ConfigSet(t.Context(), "requirepass", "new").Err(); err != nil {
		t.Fatal(err)
	}
	if err := r.Client().Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err(); err != nil {
		t.Fatal(err)
	}
	old.Until(t, "the refusal", failed(scalers.Authentication))
	fresh := set(engine, "o", 50*time.Millisecond, list(t, r.Addr(), "list", nil, m{"password": "new"}))
	fresh.Until(t, "the count with the new password", counted(3))
}
