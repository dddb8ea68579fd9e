package store

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/freshet-io/freshet/scalers"
)

func init() {
	scalers.Register(scalers.Kind[redisConn, *RedisList]{
		Types: []string{"redis"}, Category: "store", Since: "0.1.0", Label: "redisScaler",
		Example: map[string]string{"address": "redis.default.svc:6379", "listName": "orders", "listLength": "5"},
		ReadAll: readSteps[*RedisList],
		Idle:    time.Second,
	})
}

// RedisList scales on the number of items in a Redis list, set, hash or sorted
// set. A key that does not exist holds 0 items. The user needs the right to LLEN
// or, for what is no list, to TYPE and to SCARD, HLEN or ZCARD. With the right to
// CLIENT TRACKING, Redis 6 and newer tell of changes.
type RedisList struct {
	// What is counted.
	RedisItems
	// The server to read.
	RedisServer
	// The database that has the key.
	RedisDatabase
}

// Source is the Redis server.
func (l *RedisList) Source() scalers.Source[redisConn] { return l.standalone(l.Database) }

// RedisItems is a key whose items are counted.
type RedisItems struct {
	// Key of the list, set, hash or sorted set whose items are counted.
	Key string `param:"listName"`
	// Items that one replica should handle.
	Length int64 `param:"listLength" default:"5" min:"1" role:"target"`
	// Number of items above which the workload leaves zero.
	ActivationLength int64 `param:"activationListLength,optional" role:"activation"`

	// shape is how the key was counted last.
	shape atomic.Uint32
	first firstStep
}

// Stem names the key.
func (l *RedisItems) Stem() string { return "redis-" + l.Key }

// Read counts the items of one key.
func (l *RedisItems) Read(ctx context.Context, c redisConn) (scalers.Value, error) {
	return readStep(ctx, c, l)
}
