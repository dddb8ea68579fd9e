package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// clientName marks the connections of this program, which are not counted.
const clientName = "fleet-benchmark"

// callLimit bounds a call to Redis, an adapter or the API server.
const callLimit = 30 * time.Second

// newRedis makes a client of a Redis server and makes sure that it answers.
func newRedis(ctx context.Context, address string) (*redis.Client, error) {
	c := redis.NewClient(&redis.Options{
		Addr: address, ClientName: clientName, DisableIdentity: true, PoolSize: 4,
		DialTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	if err := c.Ping(ctx).Err(); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("reaching Redis at %s: %w", address, err)
	}
	return c, nil
}

// redisCounters is what a server has counted since it began.
type redisCounters struct {
	// calls are commands by name, without those of this program.
	calls map[string]int64
	// events are the times that the server found something to read on a
	// connection: a pipeline is one, or a few when it is long.
	events int64
}

// ownCommands are those that this program sends while it looks on.
var ownCommands = map[string]bool{"info": true, "client|list": true, "client": true, "ping": true, "rpush": true, "del": true}

// countersOf reads the text of INFO all.
func countersOf(info string) (redisCounters, error) {
	c := redisCounters{calls: map[string]int64{}}
	found := false
	for line := range strings.Lines(info) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		name, isCommand := strings.CutPrefix(key, "cmdstat_")
		switch {
		case isCommand && !ownCommands[name]:
			calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
			n, err := strconv.ParseInt(calls, 10, 64)
			if err != nil {
				return c, fmt.Errorf("reading how often %s was called: %w", name, err)
			}
			c.calls[name] = n
		case key == "total_reads_processed":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return c, fmt.Errorf("reading %s: %w", key, err)
			}
			c.events = n
		case key == "redis_version":
			found = true
		}
	}
	if !found {
		return c, fmt.Errorf("reading INFO of Redis: %w", errNoSuchNumber)
	}
	return c, nil
}

// sources of a number: the commands that triggers read with.
var readCommands = map[string]bool{
	"llen": true, "scard": true, "hlen": true, "zcard": true, "type": true, "exists": true, "get": true, "lrange": true,
	"xlen": true, "xpending": true, "xinfo|groups": true, "xinfo|stream": true,
	"eval": true, "evalsha": true, "eval_ro": true, "evalsha_ro": true,
}

// since is how many commands, and how many of them reads, came after before. A
// script is one read; what it calls is not counted again.
func (c redisCounters) since(before redisCounters) (commands, reads int64) {
	scripts := int64(0)
	for name, n := range c.calls {
		n -= before.calls[name]
		commands += n
		if strings.HasPrefix(name, "eval") {
			scripts += n
		}
		if readCommands[name] {
			reads += n
		}
	}
	if scripts > 0 {
		reads = scripts
	}
	return commands, reads
}

// foreignClients counts the lines of CLIENT LIST that are not this program's.
func foreignClients(list string) int {
	n := 0
	for line := range strings.Lines(list) {
		if strings.TrimSpace(line) != "" && !strings.Contains(line, " name="+clientName+" ") {
			n++
		}
	}
	return n
}

func (b *bench) redisCounters(ctx context.Context) (redisCounters, error) {
	text, err := b.redis.Info(ctx, "all").Result()
	if err != nil {
		return redisCounters{}, fmt.Errorf("asking Redis for INFO: %w", err)
	}
	return countersOf(text)
}

func (b *bench) redisConnections(ctx context.Context) (int, error) {
	text, err := b.redis.ClientList(ctx).Result()
	if err != nil {
		return 0, fmt.Errorf("asking Redis for CLIENT LIST: %w", err)
	}
	return foreignClients(text), nil
}

// fill makes each list hold that many items.
func (b *bench) fill(ctx context.Context, lists []string, items int) error {
	const batch = 500
	values := make([]any, items)
	for i := range values {
		values[i] = i
	}
	for from := 0; from < len(lists); from += batch {
		pipe := b.redis.Pipeline()
		for _, list := range lists[from:min(from+batch, len(lists))] {
			pipe.Del(ctx, list)
			if items > 0 {
				pipe.RPush(ctx, list, values...)
			}
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("filling lists: %w", err)
		}
	}
	return nil
}

// push adds one item to each list.
func (b *bench) push(ctx context.Context, lists []string) error {
	pipe := b.redis.Pipeline()
	for _, list := range lists {
		pipe.RPush(ctx, list, "one more")
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("pushing to lists: %w", err)
	}
	return nil
}
