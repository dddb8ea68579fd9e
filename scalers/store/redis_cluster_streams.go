package store

import (
	"time"

	"github.com/freshet-io/freshet/scalers"
)

func init() {
	scalers.Register(scalers.Kind[redisConn, *RedisClusterStream]{
		Types: []string{"redis-cluster-streams"}, Category: "store", Since: "0.1.0", Label: "redisStreamsScaler",
		Example: map[string]string{
			"addresses": "node-0.redis:6379,node-1.redis:6379,node-2.redis:6379",
			"stream":    "orders", "consumerGroup": "workers", "lagCount": "10",
		},
		ReadAll: readSteps[*RedisClusterStream],
		Idle:    time.Second,
	})
}

// RedisClusterStream scales on a stream of a Redis Cluster as the redis-streams
// trigger does. Beside the rights that it needs, the user needs that to CLUSTER
// SLOTS and, while slots move from node to node, to ASKING.
type RedisClusterStream struct {
	// What is counted.
	RedisStreamEntries
	// Any nodes of the cluster, which know the others.
	RedisServer
}

// Validate checks the rules that span parameters.
func (s *RedisClusterStream) Validate() error { return s.validate(&s.RedisServer) }

// Source is the cluster.
func (s *RedisClusterStream) Source() scalers.Source[redisConn] { return s.cluster() }
