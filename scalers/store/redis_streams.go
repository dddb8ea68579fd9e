package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/freshet-io/freshet/scalers"
)

func init() {
	scalers.Register(scalers.Kind[redisConn, *RedisStream]{
		Types: []string{"redis-streams"}, Category: "store", Since: "0.1.0", Label: "redisStreamsScaler",
		Example: map[string]string{
			"address": "redis.default.svc:6379", "stream": "orders", "consumerGroup": "workers", "lagCount": "10",
		},
		ReadAll: readSteps[*RedisStream],
		Idle:    time.Second,
	})
}

// RedisStream scales on the lag or the pending entries of a consumer group of a
// Redis stream, or on the length of the stream. With consumerGroup and lagCount
// the entries are counted that the group was not given yet (lag), with
// consumerGroup alone those that it was given and did not acknowledge (pending),
// without it all. A stream that does not exist holds 0 entries.
//
// The lag needs Redis 7. For a group that does not exist yet it is the length of
// the stream. Where the server cannot tell it, as when entries ahead of the group
// were deleted or the group was created in the middle of the stream, the entries
// are counted; where at least 100 lie on each side of its place, the lag is the
// most that it can be.
//
// The user needs the right to XLEN for the length, to XPENDING and EXISTS for
// pending, and to XINFO GROUPS and XLEN for the lag, as well as to XINFO STREAM and
// XRANGE where the lag has to be counted. With the right to CLIENT TRACKING, Redis 6
// and newer tell of entries that are added.
type RedisStream struct {
	// What is counted.
	RedisStreamEntries
	// The server to read.
	RedisServer
	// The database that has the stream.
	RedisDatabase
}

// Validate checks the rules that span parameters.
func (s *RedisStream) Validate() error { return s.validate(&s.RedisServer) }

// Source is the Redis server.
func (s *RedisStream) Source() scalers.Source[redisConn] { return s.standalone(s.Database) }

// RedisStreamEntries is a stream whose entries are counted.
type RedisStreamEntries struct {
	// Key of the stream.
	Stream string `param:"stream"`
	// Consumer group whose lag or pending entries are counted; without it the
	// entries of the stream are.
	Group string `param:"consumerGroup,optional"`
	// Entries not yet given to the group that one replica should handle; without
	// it, or with 0, pending entries are counted. It is the target with
	// consumerGroup, and has no effect without it.
	LagCount int64 `param:"lagCount,optional"`
	// Pending entries that one replica should handle: the target with consumerGroup
	// and without lagCount.
	PendingCount int64 `param:"pendingEntriesCount" default:"5" role:"target"`
	// Entries of the stream that one replica should handle: the target without
	// consumerGroup.
	Length int64 `param:"streamLength" default:"5" role:"target"`
	// Number of entries above which the workload leaves zero, whichever are counted.
	ActivationCount int64 `param:"activationLagCount" default:"0" role:"activation"`

	formula bool
	first   firstStep
}

// Bind notes whether a formula stands in for the target.
func (s *RedisStreamEntries) Bind(setting scalers.Setting) error {
	s.formula = setting.Formula
	return nil
}

// counts is which entries are counted.
func (s *RedisStreamEntries) counts() streamCount {
	switch {
	case s.Group == "":
		return allEntries
	case s.LagCount != 0:
		return lagOfGroup
	default:
		return pendingOfGroup
	}
}

// Target is that of the entries that are counted.
func (s *RedisStreamEntries) Target() float64 {
	switch s.counts() {
	case lagOfGroup:
		return float64(s.LagCount)
	case pendingOfGroup:
		return float64(s.PendingCount)
	default:
		return float64(s.Length)
	}
}

func (s *RedisStreamEntries) validate(server *RedisServer) error {
	var target error
	if s.Target() < 1 && !s.formula {
		target = fmt.Errorf("parameter %s is %v, and must be at least 1: it is the number of entries one replica handles",
			[...]string{allEntries: "streamLength", pendingOfGroup: "pendingEntriesCount", lagOfGroup: "lagCount"}[s.counts()], s.Target())
	}
	return errors.Join(server.Validate(), target)
}

// Stem names the stream.
func (s *RedisStreamEntries) Stem() string { return "redis-streams-" + s.Stream }

// Read counts the entries of one stream.
func (s *RedisStreamEntries) Read(ctx context.Context, c redisConn) (scalers.Value, error) {
	return readStep(ctx, c, s)
}
