package store

import (
	"time"

	"github.com/freshet-io/freshet/scalers"
)

func init() {
	scalers.Register(scalers.Kind[redisConn, *RedisClusterList]{
		Types: []string{"redis-cluster"}, Category: "store", Since: "0.1.0", Label: "redisScaler",
		Example: map[string]string{
			"addresses": "node-0.redis:6379,node-1.redis:6379,node-2.redis:6379", "listName": "orders", "listLength": "5",
		},
		ReadAll: readSteps[*RedisClusterList],
		Idle:    time.Second,
	})
}

// RedisClusterList scales on the number of items in a list, set, hash or sorted
// set of a Redis Cluster, which has only one database. A key that does not exist
// holds 0 items. Beside the rights that the redis trigger needs, the user needs
// that to CLUSTER SLOTS and, while slots move from node to node, to ASKING.
type RedisClusterList struct {
	// What is counted.
	RedisItems
	// Any nodes of the cluster, which know the others.
	RedisServer
}

// Source is the cluster.
func (l *RedisClusterList) Source() scalers.Source[redisConn] { return l.cluster() }
