package store

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/freshet-io/freshet/scalers"
)

func init() {
	scalers.Register(scalers.Kind[*redisConn, *RedisList]{
		Types: []string{"redis"}, Category: "store", Since: "0.1.0", Label: "redisScaler",
		Example: map[string]string{"address": "redis.default.svc:6379", "listName": "orders", "listLength": "5"},
		ReadAll: readRedisLists,
	})
}

// RedisList scales on the number of items in a Redis list, set, hash or sorted
// set. A key that does not exist holds 0 items.
type RedisList struct {
	// Key of the list, set, hash or sorted set whose items are counted.
	Key string `param:"listName"`
	// Items that one replica should handle.
	Length int64 `param:"listLength" default:"5" role:"target"`
	// Number of items above which the workload leaves zero.
	ActivationLength int64 `param:"activationListLength,optional" role:"activation"`
	// The server to read.
	RedisServer

	// shape is how the key was counted last.
	shape atomic.Uint32
}

// Validate checks the server's parameters and that the target can divide.
func (l *RedisList) Validate() error {
	var target error
	if l.Length <= 0 {
		target = errors.New("parameter listLength must be at least 1: it is the number of items one replica handles")
	}
	return errors.Join(l.RedisServer.Validate(), target)
}

// Source is the Redis server.
func (l *RedisList) Source() scalers.Source[*redisConn] { return l.source() }

// Stem names the key.
func (l *RedisList) Stem() string { return "redis-" + l.Key }

// Read counts the items of one key.
func (l *RedisList) Read(ctx context.Context, c *redisConn) (scalers.Value, error) {
	var out [1]scalers.Result
	if err := readRedisLists(ctx, c, []*RedisList{l}, out[:]); err != nil {
		return scalers.Value{}, err
	}
	return out[0].Value, out[0].Err
}

// shape is the type of a key.
type shape uint32

const (
	asList shape = iota
	asSet
	asHash
	asSortedSet
)

var shapes = map[string]shape{"none": asList, "list": asList, "set": asSet, "hash": asHash, "zset": asSortedSet}

// count asks for the number of items of a key of that shape.
func (s shape) count(ctx context.Context, p redis.Pipeliner, key string) *redis.IntCmd {
	switch s {
	case asSet:
		return p.SCard(ctx, key)
	case asHash:
		return p.HLen(ctx, key)
	case asSortedSet:
		return p.ZCard(ctx, key)
	default:
		return p.LLen(ctx, key)
	}
}

// readRedisLists counts every key by the shape it had last, in one round trip.
// Keys that turn out to have another shape take two more, all of them together.
func readRedisLists(ctx context.Context, c *redisConn, lists []*RedisList, out []scalers.Result) error {
	defer c.cutWith(ctx)()
	all := make([]int, len(lists))
	for i := range all {
		all[i] = i
	}
	changed, err := countRedisKeys(ctx, c, lists, all, out)
	if err != nil || len(changed) == 0 {
		return err
	}
	learnt, err := learnShapes(ctx, c, lists, changed, out)
	if err != nil || len(learnt) == 0 {
		return err
	}
	_, err = countRedisKeys(ctx, c, lists, learnt, out)
	return err
}

// countRedisKeys fills out at the places of which and returns those whose key
// is of another shape.
func countRedisKeys(ctx context.Context, c *redisConn, lists []*RedisList, which []int, out []scalers.Result) ([]int, error) {
	pipe := c.Pipeline()
	replies := make([]*redis.IntCmd, len(which))
	for n, i := range which {
		replies[n] = shape(lists[i].shape.Load()).count(ctx, pipe, lists[i].Key)
	}
	if err := execPipeline(ctx, pipe); err != nil {
		return nil, err
	}
	var changed []int
	for n, i := range which {
		count, err := replies[n].Result()
		out[i] = scalers.Result{Value: scalers.Number(float64(count)), Err: err}
		if err == nil && count < 0 {
			out[i].Err = scalers.UnavailableError("the server counts %d items", count)
		}
		if err != nil {
			out[i].Err = redisError(err)
			if redis.HasErrorPrefix(err, "WRONGTYPE") {
				changed = append(changed, i)
			}
		}
	}
	return changed, nil
}

// learnShapes asks for the types of the keys at the places of which and returns
// the places that it learnt. Types that have no count are an error of their
// trigger.
func learnShapes(ctx context.Context, c *redisConn, lists []*RedisList, which []int, out []scalers.Result) ([]int, error) {
	pipe := c.Pipeline()
	replies := make([]*redis.StatusCmd, len(which))
	for n, i := range which {
		replies[n] = pipe.Type(ctx, lists[i].Key)
	}
	if err := execPipeline(ctx, pipe); err != nil {
		return nil, err
	}
	var learnt []int
	for n, i := range which {
		name, err := replies[n].Result()
		s, ok := shapes[name]
		switch {
		case err != nil:
			out[i].Err = redisError(err)
		case !ok:
			out[i].Err = scalers.ConfigurationError(
				"key %q is of type %s: the redis trigger counts lists, sets, hashes and sorted sets", lists[i].Key, name)
		default:
			lists[i].shape.Store(uint32(s))
			learnt = append(learnt, i)
		}
	}
	return learnt, nil
}

// execPipeline sends the commands. Its error is what concerns all of them:
// replies of the server to single commands are left to these.
func execPipeline(ctx context.Context, pipe redis.Pipeliner) error {
	cmds, err := pipe.Exec(ctx)
	if err == nil {
		return nil
	}
	// A connection that could not log in leaves the commands without an error
	// and without an answer: only one that failed itself shows that they were sent.
	sent, answered := false, false
	for _, cmd := range cmds {
		sent = sent || cmd.Err() != nil
		answered = answered || cmd.Err() == nil || ofKey(cmd.Err())
	}
	var reply redis.Error
	if sent && answered && errors.As(err, &reply) {
		return nil
	}
	return redisError(err)
}

// ofKey tells whether a reply is about the key asked for, not the server.
func ofKey(err error) bool {
	return redis.HasErrorPrefix(err, "WRONGTYPE") || redis.HasErrorPrefix(err, "NOPERM")
}
