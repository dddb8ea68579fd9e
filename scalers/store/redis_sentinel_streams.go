package store

import (
	"time"

	"github.com/freshet-io/freshet/scalers"
)

func init() {
	scalers.Register(scalers.Kind[redisConn, *RedisSentinelStream]{
		Types: []string{"redis-sentinel-streams"}, Category: "store", Since: "0.1.0", Label: "redisStreamsScaler",
		Example: map[string]string{
			"addresses": "sentinel-0.redis:26379,sentinel-1.redis:26379", "sentinelMaster": "mymaster",
			"stream": "orders", "consumerGroup": "workers", "lagCount": "10",
		},
		ReadAll: readSteps[*RedisSentinelStream],
		Idle:    time.Second,
	})
}

// RedisSentinelStream scales on a stream as the redis-streams trigger does, at the
// Redis server that Redis Sentinel names as the primary at the moment. The user
// needs the rights that the redis-streams trigger needs, and a user of the
// sentinels that to SENTINEL GET-MASTER-ADDR-BY-NAME.
type RedisSentinelStream struct {
	// What is counted.
	RedisStreamEntries
	// The sentinels, and the user at the server.
	RedisServer
	// The database that has the stream.
	RedisDatabase
	// What the sentinels are asked.
	Sentinel RedisSentinel
}

// Validate checks the rules that span parameters.
func (s *RedisSentinelStream) Validate() error { return s.validate(&s.RedisServer) }

// Source is the primary behind the sentinels.
func (s *RedisSentinelStream) Source() scalers.Source[redisConn] {
	return s.behind(s.Sentinel, s.Database)
}
