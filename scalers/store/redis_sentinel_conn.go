package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/freshet-io/freshet/scalers"
)

// redisSentinelSource is the primary that sentinels know by a name.
type redisSentinelSource struct {
	// Addresses are of sentinels, which are asked by the login Asking.
	Addresses []string
	Asking    redisLogin
	Master    string
	Login     redisLogin
}

// String names the primary, its sentinels and the database.
func (s redisSentinelSource) String() string {
	return fmt.Sprintf("redis primary %s of sentinels %s, database %d", s.Master, strings.Join(s.Addresses, ","), s.Login.Database)
}

// Open prepares the connection; the first read dials.
func (s redisSentinelSource) Open(context.Context) (redisConn, error) {
	return &redisSentinelConn{
		source: s, sentinels: newRedisLinks(s.Asking), servers: newRedisLinks(s.Login), order: s.Addresses,
	}, nil
}

// redisSentinelConn is one connection to a sentinel, which every read asks for
// the primary, and one to the primary.
//
// The client's own failover mode is not used: it follows the sentinels by a
// goroutine that outlives the call.
type redisSentinelConn struct {
	source    redisSentinelSource
	sentinels *redisLinks
	servers   *redisLinks

	mu sync.Mutex
	// order is in which sentinels are asked: the one that answered last first.
	order []string
}

func (c *redisSentinelConn) send(ctx context.Context, queries []*redisQuery) error {
	address, err := c.primary(ctx)
	if err != nil {
		fail(queries, err)
		return err
	}
	hello := redis.NewCmd(ctx, "hello")
	if err := c.servers.send(ctx, address, queries, hello); err != nil {
		for _, q := range queries {
			if errors.Is(q.Err(), err) {
				q.SetErr(redisErrorAt("primary "+address, err))
			}
		}
	}
	// Servers before Redis 6 do not tell their role.
	if role := fieldsOf(hello.Val())["role"]; hello.Err() == nil && (role == "replica" || role == "slave") {
		fail(queries, scalers.UnavailableError("%s, which sentinels name as the primary, is a replica: a failover is under way", address))
	}
	return ofServer(queries)
}

// primary asks the sentinels for the address of the primary.
func (c *redisSentinelConn) primary(ctx context.Context) (string, error) {
	c.mu.Lock()
	order := c.order
	c.mu.Unlock()
	address, sentinel, err := firstAnswer(ctx, order, c.askSentinel)
	if err != nil {
		return "", fmt.Errorf("asking for the primary: %w", err)
	}
	c.servers.keep(func(a string) bool { return a == address })
	c.sentinels.keep(func(a string) bool { return a == sentinel })
	if sentinel != order[0] {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.order = append([]string{sentinel}, slices.DeleteFunc(slices.Clone(c.source.Addresses), func(a string) bool { return a == sentinel })...)
	}
	return address, nil
}

func (c *redisSentinelConn) askSentinel(ctx context.Context, sentinel string) (string, error) {
	cmd := redis.NewCmd(ctx, "sentinel", "get-master-addr-by-name", c.source.Master)
	_, _ = c.sentinels.sendAll(ctx, sentinel, []redis.Cmder{cmd}) // it is with the command
	switch err := cmd.Err(); {
	case errors.Is(err, redis.Nil):
		return "", scalers.ConfigurationError("it knows no primary named %q: check parameter sentinelMaster", c.source.Master)
	case redis.HasErrorPrefix(err, "NOPERM"):
		return "", scalers.AuthenticationError("the user lacks a right: allow it SENTINEL GET-MASTER-ADDR-BY-NAME: %w", err)
	case err != nil && strings.Contains(err.Error(), "unknown command"):
		return "", scalers.ConfigurationError("the server is no sentinel: check parameter address: %w", err)
	case err != nil:
		return "", sentinelError(err)
	}
	parts, _ := cmd.Val().([]any)
	if len(parts) == 2 {
		host, ok1 := parts[0].(string)
		port, ok2 := parts[1].(string)
		if ok1 && ok2 && host != "" && port != "" {
			return net.JoinHostPort(host, port), nil
		}
	}
	return "", scalers.UnavailableError("its answer is no address")
}

// sentinelError is redisError that names the parameters of sentinels.
func sentinelError(err error) error {
	classed := redisError(err)
	var reply redis.Error
	if scalers.ClassOf(classed) == scalers.Authentication && errors.As(err, &reply) {
		return scalers.AuthenticationError("the sentinel refused the credentials: check parameters sentinelUsername and sentinelPassword: %w", reply)
	}
	return classed
}

// Tell has changed called with the keys that changed after they were read.
func (c *redisSentinelConn) Tell(changed func(keys ...string)) { c.servers.changed = changed }

// Close closes the connections.
func (c *redisSentinelConn) Close() error { return errors.Join(c.servers.Close(), c.sentinels.Close()) }

// firstAnswer asks one address after the other, each within an equal part of the
// time that is left, until one answers. The error is the first that waiting does
// not help against, else the first.
func firstAnswer[T any](ctx context.Context, addresses []string, ask func(ctx context.Context, address string) (T, error)) (answer T, from string, err error) {
	for i, address := range addresses {
		one, cancel := ctx, context.CancelFunc(func() {})
		if end, ok := ctx.Deadline(); ok {
			one, cancel = context.WithTimeout(ctx, time.Until(end)/time.Duration(len(addresses)-i))
		}
		var failed error
		answer, failed = ask(one, address)
		cancel()
		if failed == nil {
			return answer, address, nil
		}
		if failed = redisErrorAt(address, failed); err == nil || scalers.ClassOf(err) == scalers.Unavailable && scalers.ClassOf(failed) != scalers.Unavailable {
			err = failed
		}
		if ctx.Err() != nil {
			break
		}
	}
	return answer, "", err
}

// fieldsOf is an answer that is a map, which older protocols give as a list.
func fieldsOf(answer any) map[string]any {
	fields := map[string]any{}
	switch v := answer.(type) {
	case map[any]any:
		for key, value := range v {
			if name, ok := key.(string); ok {
				fields[name] = value
			}
		}
	case []any:
		for i := 0; i+1 < len(v); i += 2 {
			if name, ok := v[i].(string); ok {
				fields[name] = v[i+1]
			}
		}
	}
	return fields
}
