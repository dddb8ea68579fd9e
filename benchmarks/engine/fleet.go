package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/poll"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
	_ "github.com/freshet-io/freshet/scalers/store" // the redis trigger
)

// size is how many triggers there are, over how many sources.
type size struct{ triggers, sources int }

func (s size) String() string { return fmt.Sprintf("triggers=%d/sources=%d", s.triggers, s.sources) }

// sizes are the scenarios of a cycle.
var sizes = []size{
	{1_000, 1}, {1_000, 10}, {1_000, 1_000},
	{10_000, 1}, {10_000, 10}, {10_000, 1_000},
	{60_000, 1}, {60_000, 10}, {60_000, 1_000},
}

// maxSources is how many users the server has: each is a source.
const maxSources = 1000

// inFlight is how many sources a cycle reads at a time.
const inFlight = 64

// startServer starts a Redis with a user for each source.
func startServer(ctx context.Context) (*servers.Redis, error) {
	acl := make([]string, maxSources)
	for i := range acl {
		acl[i] = fmt.Sprintf("user u%d on nopass ~* +@all", i)
	}
	return servers.StartRedis(ctx, servers.RedisOptions{ACL: acl})
}

// fill makes n lists of three items each, in place of all that there is.
func fill(ctx context.Context, r *servers.Redis, n int) error {
	pipe := r.Client().Pipeline()
	pipe.FlushAll(ctx)
	for i := range n {
		pipe.RPush(ctx, key(i), 1, 2, 3)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("making lists: %w", err)
	}
	return nil
}

func key(i int) string { return "list" + strconv.Itoa(i) }

// fleet is an engine that reads triggers of a size.
type fleet struct {
	engine *poll.Engine
	// subs is a subscription of each source.
	subs []*poll.Subscription
	end  func() error
}

// sink counts the first reading.
type sink struct {
	once  sync.Once
	first *sync.WaitGroup
}

func (s *sink) Put(scalers.Reading) { s.once.Do(s.first.Done) }

// newFleet subscribes to the lists of a server, and waits until all are read. They
// are not due again while it is measured.
func newFleet(ctx context.Context, r *servers.Redis, n size) (*fleet, error) {
	leader := poll.NewLeader("benchmark")
	leader.Elect()
	engine := poll.New(poll.Options{Ownership: leader})
	running, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- engine.Run(running) }()
	f := &fleet{engine: engine, end: func() error { cancel(); return <-done }}
	var first sync.WaitGroup
	first.Add(n.triggers)
	for i := range n.triggers {
		s, err := trigger(r.Addr(), i, i%n.sources)
		if err != nil {
			return nil, errors.Join(err, f.end())
		}
		subs := engine.Set(object(i), []poll.Member{{Scaler: s, Interval: 10_000 * time.Hour, Sink: &sink{first: &first}}})
		if i < n.sources {
			f.subs = append(f.subs, subs...)
		}
	}
	first.Wait()
	return f, nil
}

func object(i int) poll.Key {
	return poll.Key{Kind: "ScaledObject", Namespace: "team" + strconv.Itoa(i%50), Name: "orders" + strconv.Itoa(i)}
}

// trigger decodes the trigger of a list.
func trigger(addr string, list, source int) (*scalers.Scaler, error) {
	s, _, err := scalers.Decode("redis", param.Input{
		Metadata: map[string]string{"address": addr, "listName": key(list), "listLength": "5", "username": "u" + strconv.Itoa(source)},
		Auth:     map[string]string{"password": "none"},
	}, scalers.Setting{PollingInterval: 30 * time.Second})
	return s, err
}

// cycle reads every trigger once.
func (f *fleet) cycle(ctx context.Context) error {
	next := make(chan *poll.Subscription)
	errs := make(chan error, inFlight)
	for range inFlight {
		go func() {
			var failed error
			for s := range next {
				failed = errors.Join(failed, s.Refresh(ctx))
			}
			errs <- failed
		}()
	}
	for _, s := range f.subs {
		next <- s
	}
	close(next)
	var failed error
	for range inFlight {
		failed = errors.Join(failed, <-errs)
	}
	return failed
}

// bare counts the lists by the client alone, in one pipeline.
func bare(ctx context.Context, c *redis.Client, n int) error {
	pipe := c.Pipeline()
	for i := range n {
		pipe.LLen(ctx, key(i))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("counting lists: %w", err)
	}
	return nil
}

// commands is how many commands that count lists the server has done.
func commands(ctx context.Context, r *servers.Redis) (int, error) {
	return statistic(ctx, r, "commandstats", "cmdstat_llen:calls=", ",")
}

// received is how many requests the server has read: those that came together are
// one.
func received(ctx context.Context, r *servers.Redis) (int, error) {
	return statistic(ctx, r, "stats", "total_reads_processed:", "\r")
}

// statistic is a number of the server's, which stands between two texts; 0 where it
// has none.
func statistic(ctx context.Context, r *servers.Redis, section, before, after string) (int, error) {
	info, err := r.Client().Info(ctx, section).Result()
	if err != nil {
		return 0, fmt.Errorf("asking for statistics: %w", err)
	}
	_, rest, found := strings.Cut(info, before)
	if !found {
		return 0, nil
	}
	n, _, _ := strings.Cut(rest, after)
	return strconv.Atoi(n) //nolint:wrapcheck // it names the text
}
