package store

import (
	"time"

	"github.com/freshet-io/freshet/scalers"
)

func init() {
	scalers.Register(scalers.Kind[redisConn, *RedisSentinelList]{
		Types: []string{"redis-sentinel"}, Category: "store", Since: "0.1.0", Label: "redisScaler",
		Example: map[string]string{
			"addresses": "sentinel-0.redis:26379,sentinel-1.redis:26379", "sentinelMaster": "mymaster", "listName": "orders", "listLength": "5",
		},
		ReadAll: readSteps[*RedisSentinelList],
		Idle:    time.Second,
	})
}

// RedisSentinelList scales on the number of items in a list, set, hash or sorted
// set of the Redis server that Redis Sentinel names as the primary at the moment.
// A key that does not exist holds 0 items. The user needs the rights that the
// redis trigger needs, and a user of the sentinels that to SENTINEL
// GET-MASTER-ADDR-BY-NAME.
type RedisSentinelList struct {
	// What is counted.
	RedisItems
	// The sentinels, and the user at the server.
	RedisServer
	// The database that has the key.
	RedisDatabase
	// What the sentinels are asked.
	Sentinel RedisSentinel
}

// Source is the primary behind the sentinels.
func (l *RedisSentinelList) Source() scalers.Source[redisConn] {
	return l.behind(l.Sentinel, l.Database)
}
