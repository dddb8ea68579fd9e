package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

const late = 300 * time.Millisecond

// stand is a proxy before a real Redis, whose list "orders" has two items.
func stand(t *testing.T) *proxy {
	t.Helper()
	server := scalertest.Redis(t, servers.RedisOptions{})
	if err := server.Client().RPush(t.Context(), "orders", 1, 2).Err(); err != nil {
		t.Fatal(err)
	}
	p, err := newProxy(server.Addr(), late, newGaps())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

// clientOf is a client without retries.
func clientOf(t *testing.T, p *proxy, protocol int) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{
		Addr: p.address, Protocol: protocol, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true, PoolSize: 8,
		DialTimeout: time.Second, ReadTimeout: 2 * time.Second, ContextTimeoutEnabled: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// expectItems fails unless the list has two items.
func expectItems(t *testing.T, c *redis.Client) {
	t.Helper()
	if n, err := c.LLen(t.Context(), "orders").Result(); err != nil || n != 2 {
		t.Fatalf("the list has %d items, %v; want 2", n, err)
	}
}

func turn(t *testing.T, p *proxy, m mode) {
	t.Helper()
	if err := p.set(m); err != nil {
		t.Fatal(err)
	}
}

// TestProxyBreaksAndRepairs takes one client of each protocol version through
// all modes: what breaks fails, and what is repaired works.
func TestProxyBreaksAndRepairs(t *testing.T) {
	p := stand(t)
	for _, protocol := range []int{2, 3} {
		c := clientOf(t, p, protocol)
		expectItems(t, c)

		turn(t, p, refusing)
		if err := c.LLen(t.Context(), "orders").Err(); err == nil {
			t.Error("a dead source answers")
		}
		if conn, err := net.Dial("tcp", p.address); err == nil {
			_ = conn.Close()
			t.Error("a dead source accepts connections")
		}
		turn(t, p, passing)
		expectItems(t, c)

		turn(t, p, silent)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if err := c.LLen(ctx, "orders").Err(); !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
			t.Errorf("a silent source answers with %v", err)
		}
		cancel()
		if conn, err := net.Dial("tcp", p.address); err != nil {
			t.Errorf("a silent source refuses connections: %v", err)
		} else {
			_ = conn.Close()
		}
		turn(t, p, passing)
		expectItems(t, c)

		turn(t, p, slow)
		began := time.Now()
		expectItems(t, c)
		if took := time.Since(began); took < late {
			t.Errorf("a slow source answers after %s", took)
		}
		turn(t, p, passing)
	}
	if n := len(p.gaps.last); n != 1 {
		t.Errorf("%d keys were seen, want the one that was read", n)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// TestProxyHoldsBack: what was asked of a silent source is answered once it
// speaks again, as of a process that was stopped.
func TestProxyHoldsBack(t *testing.T) {
	p := stand(t)
	c := clientOf(t, p, 2)
	expectItems(t, c)
	turn(t, p, silent)
	answered := make(chan error, 1)
	go func() { answered <- c.LLen(t.Context(), "orders").Err() }()
	for p.mostInFlight() == 0 {
		time.Sleep(time.Millisecond)
	}
	select {
	case err := <-answered:
		t.Fatalf("a silent source answered: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	turn(t, p, passing)
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
}

// TestProxyCountsRequestsInFlight: a pipeline is one, and others as many as they are.
func TestProxyCountsRequestsInFlight(t *testing.T) {
	p := stand(t)
	c := clientOf(t, p, 3)
	expectItems(t, c)
	turn(t, p, slow)
	p.resetMost()
	if got := p.mostInFlight(); got != 0 {
		t.Fatalf("%d requests are in flight while nobody asks", got)
	}
	pipe := c.Pipeline()
	for range 100 {
		pipe.LLen(t.Context(), "orders")
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := p.mostInFlight(); got != 1 {
		t.Errorf("a pipeline is %d requests, want 1", got)
	}
	p.resetMost()
	conns := make([]*redis.Conn, 3)
	for i := range conns {
		conns[i] = c.Conn()
		defer func() { _ = conns[i].Close() }()
	}
	var all sync.WaitGroup
	for _, conn := range conns {
		all.Go(func() {
			if err := conn.LLen(t.Context(), "orders").Err(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := p.mostInFlight(); got != 3 {
		t.Errorf("three clients at a time are %d requests", got)
	}
	turn(t, p, refusing) // cuts what there is
	p.resetMost()
	if got := p.mostInFlight(); got != 0 {
		t.Errorf("%d requests are in flight after all connections were cut", got)
	}
}
