package store

import (
	"github.com/redis/go-redis/v9"

	"github.com/freshet-io/freshet/scalers"
)

// streamCount is which entries of a stream are counted.
type streamCount uint8

const (
	allEntries streamCount = iota
	pendingOfGroup
	lagOfGroup
)

func (s *RedisStreamEntries) begin() *redisStep {
	switch s.counts() {
	case lagOfGroup:
		return s.first.take(s.lag)
	case pendingOfGroup:
		return s.first.take(s.pending)
	default:
		return s.first.take(s.length)
	}
}

// ChangeKey is the stream.
func (s *RedisStreamEntries) ChangeKey() string { return s.Stream }

// told: entries that are added are told, but not that a group is put back, or is
// given entries.
func (s *RedisStreamEntries) told() scalers.Told {
	switch s.counts() {
	case allEntries:
		return scalers.ToldAll
	case lagOfGroup:
		return scalers.ToldMost
	default:
		return scalers.ToldNothing
	}
}

// length counts all entries.
func (s *RedisStreamEntries) length() *redisStep {
	return step(ask(s.Stream, "xlen", s.Stream), func(answers []*redisQuery) (float64, *redisStep, error) {
		count, err := answers[0].count()
		return count, nil, err
	})
}

// pending counts the entries that the group did not acknowledge. That there is no
// group may mean that there is no stream.
func (s *RedisStreamEntries) pending() *redisStep {
	return step(ask(s.Stream, "xpending", s.Stream, s.Group), func(answers []*redisQuery) (float64, *redisStep, error) {
		if redis.HasErrorPrefix(answers[0].Err(), "NOGROUP") {
			return 0, s.exists(), nil
		}
		if err := answers[0].fault(); err != nil {
			return 0, nil, err
		}
		summary, _ := answers[0].Val().([]any) // the count, the ends, the consumers
		if len(summary) != 4 {
			return 0, nil, errBadStream
		}
		count, err := natural(summary[0])
		return count, nil, err
	})
}

func (s *RedisStreamEntries) exists() *redisStep {
	return step(ask(s.Stream, "exists", s.Stream), func(answers []*redisQuery) (float64, *redisStep, error) {
		n, err := answers[0].count()
		if err == nil && n > 0 {
			err = scalers.ConfigurationError("stream %q has no group %q: check parameter consumerGroup, or create it as the consumers do", s.Stream, s.Group)
		}
		return 0, nil, err
	})
}

// lag counts the entries that the group was not given.
func (s *RedisStreamEntries) lag() *redisStep {
	return step(ask(s.Stream, "xinfo", "groups", s.Stream), func(answers []*redisQuery) (float64, *redisStep, error) {
		if isNoSuchKey(answers[0].Err()) {
			return 0, nil, nil
		}
		if err := answers[0].fault(); err != nil {
			return 0, nil, err
		}
		groups, ok := answers[0].Val().([]any)
		if !ok {
			return 0, nil, errBadStream
		}
		for _, entry := range groups {
			group := fieldsOf(entry)
			if _, ok := group["name"].(string); !ok {
				return 0, nil, errBadStream
			}
			lag, told := group["lag"]
			switch {
			case !told:
				return 0, nil, scalers.ConfigurationError("the server does not tell the lag of groups: parameter lagCount needs Redis 7 or newer")
			case group["name"] != s.Group:
				continue
			}
			if n, ok := lag.(int64); ok && n >= 0 {
				return float64(n), nil, nil
			}
			if _, ok := lag.(int64); lag != nil && !ok {
				return 0, nil, errBadStream
			}
			return s.countLag(group)
		}
		return 0, s.length(), nil
	})
}

var errBadStream = scalers.UnavailableError("the server's answer about the stream cannot be read")

// maxCounted bounds how many entries are counted on either side of where the
// group is: they come with all they hold.
const maxCounted = 100

// countLag counts the entries after the one that the group was given last, where
// the server cannot tell how many there are: where the group was created in the
// middle of the stream, or entries after its place were deleted. Beyond
// maxCounted it is the most that they can be.
func (s *RedisStreamEntries) countLag(group map[string]any) (float64, *redisStep, error) {
	last, ok := group["last-delivered-id"].(string)
	if !ok || last == "" {
		return 0, nil, errBadStream
	}
	return 0, &redisStep{queries: []*redisQuery{
		ask(s.Stream, "xrange", s.Stream, "("+last, "+", "count", maxCounted),
		ask(s.Stream, "xrange", s.Stream, "-", last, "count", maxCounted),
		ask(s.Stream, "xinfo", "stream", s.Stream),
	}, then: func(answers []*redisQuery) (float64, *redisStep, error) {
		if isNoSuchKey(answers[2].Err()) { // it went away meanwhile
			return 0, nil, nil
		}
		var counted [2]int
		for i := range counted {
			if err := answers[i].fault(); err != nil {
				return 0, nil, err
			}
			entries, ok := answers[i].Val().([]any)
			if !ok {
				return 0, nil, errBadStream
			}
			counted[i] = len(entries)
		}
		after, before := counted[0], counted[1]
		if after < maxCounted {
			return float64(after), nil, nil
		}
		if err := answers[2].fault(); err != nil {
			return 0, nil, err
		}
		stream := fieldsOf(answers[2].Val())
		length, err := natural(stream["length"])
		if err != nil {
			return 0, nil, err
		}
		most := max(length-float64(before), float64(after))
		added, ok1 := stream["entries-added"].(int64)
		read, ok2 := group["entries-read"].(int64)
		if before == maxCounted && ok1 && ok2 { // all that came after it, be they deleted
			most = min(most, max(float64(added-read), float64(after)))
		}
		return most, nil, nil
	}}, nil
}
