package store

import (
	"github.com/redis/go-redis/v9"

	"github.com/freshet-io/freshet/scalers"
)

// shape is the type of a key: of a list unless it turned out to be another.
type shape = uint32

const (
	asList shape = iota
	asSet
	asHash
	asSortedSet
)

// shapes are the types that have a count, by their names at the server. A key
// that does not exist is counted as a list.
var shapes = map[string]shape{"none": asList, "list": asList, "set": asSet, "hash": asHash, "zset": asSortedSet}

// counters are the commands that count, by shape.
var counters = [...]string{asList: "llen", asSet: "scard", asHash: "hlen", asSortedSet: "zcard"}

// begin counts the items by the shape that the key had last. A key that turns
// out to have another takes two steps more.
func (l *RedisItems) begin() *redisStep { return l.first.take(l.count) }

// count is the step that counts by the shape.
func (l *RedisItems) count() *redisStep {
	return step(l.counting(), func(answers []*redisQuery) (float64, *redisStep, error) {
		count, err := answers[0].count()
		if err != nil && redis.HasErrorPrefix(answers[0].Err(), "WRONGTYPE") {
			return 0, l.learn(), nil
		}
		return count, nil, err
	})
}

// ChangeKey is the key.
func (l *RedisItems) ChangeKey() string { return l.Key }

// told: every change to a key is told.
func (l *RedisItems) told() scalers.Told { return scalers.ToldAll }

// counting is the command that counts the items.
func (l *RedisItems) counting() *redisQuery {
	return ask(l.Key, counters[l.shape.Load()], l.Key)
}

// learn asks for the type of the key and counts by it.
func (l *RedisItems) learn() *redisStep {
	return step(ask(l.Key, "type", l.Key), func(answers []*redisQuery) (float64, *redisStep, error) {
		if err := answers[0].fault(); err != nil {
			return 0, nil, err
		}
		name, ok := answers[0].Val().(string)
		if !ok {
			return 0, nil, scalers.UnavailableError("the server answers TYPE with no name")
		}
		known, ok := shapes[name]
		if !ok {
			return 0, nil, scalers.ConfigurationError(
				"key %q is of type %.100s: the redis triggers count lists, sets, hashes and sorted sets, and redis-streams streams", l.Key, name)
		}
		l.shape.Store(known)
		return 0, step(l.counting(), func(answers []*redisQuery) (float64, *redisStep, error) {
			count, err := answers[0].count()
			return count, nil, err
		}), nil
	})
}
