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

// redisClusterSource is a Redis Cluster as one user.
type redisClusterSource struct {
	Addresses []string
	Login     redisLogin
}

// String names the addresses that the cluster is found at.
func (s redisClusterSource) String() string {
	return "redis cluster " + strings.Join(s.Addresses, ",")
}

// Open prepares the connection; the first read dials.
func (s redisClusterSource) Open(context.Context) (redisConn, error) {
	return &redisClusterConn{seeds: s.Addresses, links: newRedisLinks(s.Login)}, nil
}

// redisClusterConn is one connection to each node that has keys to read. It sends
// each query to the node that serves the key's slot. What a node does not answer
// is an error of its queries alone, be they all that is asked: other triggers of
// the cluster may have their keys elsewhere.
//
// The client's own cluster mode is not used: it asks any node for a slot that
// none serves, dials and asks again by itself, and reloads slots behind the
// caller's back.
type redisClusterConn struct {
	seeds []string
	links *redisLinks

	mu sync.Mutex
	// slots is where keys are; nil when it must be asked for. known is what was
	// answered last, and asked when.
	slots, known *redisSlots
	asked        time.Time
	// origin is the node that was asked last, "" when there is none.
	origin string
}

// slotsAge is how old slots may get. A node that a key moves away from does not
// tell what becomes of it.
const slotsAge = 10 * time.Second

// maxHops is how often a query may be sent on to another node.
const maxHops = 4

// redisBatch is the queries that one node is sent.
type redisBatch struct {
	// address is the node's, asking that the slots are being moved to it.
	redisHop
	queries []*redisQuery
}

// redisHop is where a query is sent to.
type redisHop struct {
	address string
	asking  bool
}

func (c *redisClusterConn) send(ctx context.Context, queries []*redisQuery) error {
	slots, fresh, err := c.where(ctx)
	batches := slots.route(queries)
	// A node that was not read before may have left its address to another server
	// since the slots were asked for.
	if err == nil && !fresh && !c.linked(batches) {
		c.forget(slots)
		slots, _, err = c.where(ctx)
		batches = slots.route(queries)
	}
	if err != nil {
		fail(queries, err)
		return err
	}
	for range maxHops {
		c.sendAll(ctx, batches)
		if batches = redirected(batches); len(batches) == 0 {
			break
		}
	}
	if slices.ContainsFunc(queries, func(q *redisQuery) bool { return outdated(q.Err()) }) {
		c.forget(slots)
	}
	return nil
}

// outdated tells whether an error may come of slots that changed.
func outdated(err error) bool {
	var reply redis.Error
	return err != nil && (!errors.As(err, &reply) || redis.HasErrorPrefix(err, "MOVED") || redis.HasErrorPrefix(err, "CLUSTERDOWN"))
}

// sendAll sends the batches at the same time.
func (c *redisClusterConn) sendAll(ctx context.Context, batches []redisBatch) {
	var wait sync.WaitGroup
	for _, b := range batches {
		wait.Go(func() { c.sendBatch(ctx, b) })
	}
	wait.Wait()
}

func (c *redisClusterConn) sendBatch(ctx context.Context, b redisBatch) {
	var err error
	if b.asking {
		err = c.sendAsking(ctx, b)
	} else {
		err = c.links.send(ctx, b.address, b.queries)
	}
	for _, q := range b.queries {
		if err != nil && q.Err() != nil && errors.Is(q.Err(), err) {
			q.SetErr(redisErrorAt("node "+b.address, err))
		}
	}
}

// sendAsking sends queries about keys that are being moved to the node. What the
// node tells of them is not relied on.
func (c *redisClusterConn) sendAsking(ctx context.Context, b redisBatch) error {
	cmds := make([]redis.Cmder, 0, 2*len(b.queries))
	for _, q := range b.queries {
		cmds = append(cmds, redis.NewStatusCmd(ctx, "asking"), q.Cmd)
	}
	_, err := c.links.sendAll(ctx, b.address, cmds)
	for i, q := range b.queries {
		q.tracked = false
		if asking := cmds[2*i].Err(); asking != nil && err == nil { // without it the node sends the query back
			q.SetErr(asking)
		}
	}
	return err
}

// redirected are the queries whose nodes named others.
func redirected(batches []redisBatch) []redisBatch {
	var next []redisBatch
	for _, b := range batches {
		for _, q := range b.queries {
			if hop, ok := hopOf(q.Err(), b.address); ok {
				next = addTo(next, hop, q)
			}
		}
	}
	return next
}

// hopOf is the node that the error of a node names, if any.
func hopOf(err error, from string) (redisHop, bool) {
	address, moved := redis.IsMovedError(err)
	asking := false
	if !moved {
		address, asking = redis.IsAskError(err)
	}
	if !moved && !asking {
		return redisHop{}, false
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return redisHop{}, false
	}
	if host == "" { // the one that was asked, by which it does not know itself
		host, _, _ = net.SplitHostPort(from)
	}
	return redisHop{net.JoinHostPort(host, port), asking}, true
}

// addTo adds a query to the batch of its node.
func addTo(batches []redisBatch, to redisHop, q *redisQuery) []redisBatch {
	for i := range batches {
		if batches[i].redisHop == to {
			batches[i].queries = append(batches[i].queries, q)
			return batches
		}
	}
	return append(batches, redisBatch{to, []*redisQuery{q}})
}

// linked tells whether all nodes are connected to.
func (c *redisClusterConn) linked(batches []redisBatch) bool {
	for _, b := range batches {
		if !c.links.has(b.address) {
			return false
		}
	}
	return true
}

// where returns where keys are, and whether that was asked for now.
func (c *redisClusterConn) where(ctx context.Context) (slots *redisSlots, fresh bool, err error) {
	now := scalers.Now(ctx)
	c.mu.Lock()
	slots, seeds := c.slots, c.seeds
	young := now.Sub(c.asked) < slotsAge
	if c.origin != "" {
		seeds = append([]string{c.origin}, seeds...)
	}
	c.mu.Unlock()
	if slots != nil && young {
		return slots, false, nil
	}
	asked, origin, err := firstAnswer(ctx, seeds, c.askSlots)
	switch {
	case err != nil && slots != nil: // they may still be good
		return slots, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("asking for the slots of the cluster: %w", err)
	}
	c.links.keep(asked.has)
	c.mu.Lock()
	moved := c.known != nil && !slices.Equal(c.known.ranges, asked.ranges)
	c.slots, c.known, c.origin, c.asked = asked, asked, origin, now
	c.mu.Unlock()
	if moved { // who had a key may not be who will hear of it
		c.links.tell()
	}
	return asked, true, nil
}

// forget has the slots asked for before the next read.
func (c *redisClusterConn) forget(slots *redisSlots) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.slots == slots {
		c.slots = nil
	}
}

func (c *redisClusterConn) askSlots(ctx context.Context, address string) (*redisSlots, error) {
	cmd := redis.NewCmd(ctx, "cluster", "slots")
	_, _ = c.links.sendAll(ctx, address, []redis.Cmder{cmd}) // it is with the command
	switch err := cmd.Err(); {
	case err == nil:
		return newRedisSlots(cmd.Val(), address)
	case redis.HasErrorPrefix(err, "NOPERM"):
		return nil, scalers.AuthenticationError("the user lacks a right: allow it CLUSTER SLOTS: %w", err)
	case redis.HasErrorPrefix(err, "This instance has cluster support disabled"):
		return nil, scalers.ConfigurationError("the server is no node of a cluster: use the redis or redis-streams trigger: %w", err)
	default:
		return nil, redisError(err)
	}
}

// Tell has changed called with the keys that changed after they were read.
func (c *redisClusterConn) Tell(changed func(keys ...string)) { c.links.changed = changed }

// Close closes the connections to all nodes.
func (c *redisClusterConn) Close() error { return c.links.Close() }
