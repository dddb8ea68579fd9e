package store_test

import (
	"errors"
	"maps"
	"net"
	"strings"
	"testing"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// conform holds the trigger of a list and that of a stream to the suite beside
// their server, whose data are lost when it ends and are put back by fill.
func conform(t *testing.T, listType, streamType, address string, more m, stop, start, fill func() error) {
	if err := fill(); err != nil {
		t.Fatal(err)
	}
	for typ, metadata := range triggers(listType, streamType) {
		failing := 0 // as many as is usual
		if typ == streamType {
			failing = 2_000 // by the connections of the other
		}
		t.Run(typ, func(t *testing.T) {
			scalertest.Conform(t, scalertest.Conformance{
				Type: typ, Address: address, Want: scalers.Number(3), Failing: failing,
				At: func(address string) param.Input {
					all := m{"address": address}
					maps.Copy(all, metadata)
					maps.Copy(all, more)
					return param.Input{Metadata: all}
				},
				Stop:  stop,
				Start: func() error { return errors.Join(start(), fill()) },
			})
		})
	}
}

// triggers are what reads three items, and three entries.
func triggers(listType, streamType string) map[string]m {
	return map[string]m{
		listType: {"listName": "orders"}, streamType: {"stream": "events", "consumerGroup": "g", "lagCount": "1"},
	}
}

// filler puts three items and three entries into the server.
func filler(t *testing.T, server func(key string) *servers.Redis) func() error {
	return func() error {
		list, stream := server("orders").Client(), server("events").Client()
		errs := []error{
			list.Del(t.Context(), "orders").Err(), list.RPush(t.Context(), "orders", 1, 2, 3).Err(),
			stream.Del(t.Context(), "events").Err(), stream.Do(t.Context(), "XGROUP", "CREATE", "events", "g", "0", "MKSTREAM").Err(),
		}
		for range 3 {
			errs = append(errs, stream.Do(t.Context(), "XADD", "events", "*", "a", "1").Err())
		}
		return errors.Join(errs...)
	}
}

func TestRedisConforms(t *testing.T) {
	r := scalertest.Redis(t, servers.RedisOptions{})
	conform(t, "redis", "redis-streams", r.Addr(), nil,
		r.Kill, func() error { return r.Start(t.Context()) }, filler(t, func(string) *servers.Redis { return r }))
}

func TestRedisClusterConforms(t *testing.T) {
	c := scalertest.RedisCluster(t, servers.RedisClusterOptions{})
	each := func(f func(*servers.Redis) error) func() error {
		return func() error {
			var errs []error
			for _, node := range c.Nodes {
				errs = append(errs, f(node))
			}
			return errors.Join(errs...)
		}
	}
	start := each(func(r *servers.Redis) error { return r.Start(t.Context()) })
	conform(t, "redis-cluster", "redis-cluster-streams", c.Addrs()[0], nil, each((*servers.Redis).Kill),
		func() error { return errors.Join(start(), c.Settle(t.Context())) },
		filler(t, func(key string) *servers.Redis { return c.Nodes[slotOf(t, c, key)*3/16384] }))
}

func TestRedisSentinelConforms(t *testing.T) {
	s := scalertest.RedisSentinels(t, servers.RedisSentinelOptions{})
	conform(t, "redis-sentinel", "redis-sentinel-streams", s.Addrs()[0], m{"sentinelMaster": servers.RedisPrimary},
		s.Sentinels[0].Kill, func() error { return s.Sentinels[0].Start(t.Context()) },
		filler(t, func(string) *servers.Redis { return s.Servers[0] }))
}

// What is behind a sentinel, or a node of a cluster that names others, fails and
// comes back as what is named by the user does.
func TestRedisConformsBehindOthers(t *testing.T) {
	r := scalertest.Redis(t, servers.RedisOptions{})
	fill := filler(t, func(string) *servers.Redis { return r })
	if err := fill(); err != nil {
		t.Fatal(err)
	}
	for typ, metadata := range triggers("redis-sentinel", "redis-cluster-streams") {
		t.Run(typ, func(t *testing.T) {
			fronts := m{}
			scalertest.Conform(t, scalertest.Conformance{
				Type: typ, Address: r.Addr(), Want: scalers.Number(3), Failing: 3_000,
				At: func(address string) param.Input {
					host, port, _ := net.SplitHostPort(address)
					if fronts[address] == "" {
						naming := strings.NewReplacer("{{HOST}}", host, "{{PORT}}", port)
						fronts[address] = scripted(t, m{"SENTINEL": naming.Replace(selfPrimary), "CLUSTER SLOTS": naming.Replace(selfSlots)})
					}
					all := m{"address": fronts[address]}
					if typ == "redis-sentinel" {
						all["sentinelMaster"] = "mymaster"
					}
					maps.Copy(all, metadata)
					return param.Input{Metadata: all}
				},
				Stop:  r.Kill,
				Start: func() error { return errors.Join(r.Start(t.Context()), fill()) },
			})
		})
	}
}
