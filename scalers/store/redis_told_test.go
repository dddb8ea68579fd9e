package store_test

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// seldom is an interval that does not come round in a test: what is read is read
// because the server told.
const seldom = 10 * time.Hour

// TestRedisTells has every kind of key wake its trigger, and go back to sleep.
func TestRedisTells(t *testing.T) {
	t.Parallel()
	single := scalertest.Redis(t, servers.RedisOptions{})
	cluster := scalertest.RedisCluster(t, servers.RedisClusterOptions{})
	sentinels := scalertest.RedisSentinels(t, servers.RedisSentinelOptions{})
	nodes := make([]string, len(cluster.Nodes))
	for i, n := range cluster.Nodes {
		nodes[i] = n.Addr()
	}
	for _, tc := range []struct {
		suffix, streams string
		at              m
		owner           func(key string) *servers.Redis
	}{
		{"redis", "redis-streams", m{"address": single.Addr()}, func(string) *servers.Redis { return single }},
		{"redis-cluster", "redis-cluster-streams", m{"addresses": strings.Join(nodes, ",")}, func(key string) *servers.Redis {
			return cluster.Nodes[slotOf(t, cluster, key)*3/16384]
		}},
		{"redis-sentinel", "redis-sentinel-streams", m{"addresses": sentinels.Addrs()[0], "sentinelMaster": servers.RedisPrimary},
			func(string) *servers.Redis { return sentinels.Servers[0] }},
	} {
		engine := scalertest.Engine(t, poll.Options{})
		for name, shape := range map[string]struct {
			metadata   m
			add, empty string
		}{
			"list":       {m{"listName": "l"}, "RPUSH l a", "DEL l"},
			"set":        {m{"listName": "s"}, "SADD s a", "SREM s a"},
			"hash":       {m{"listName": "h"}, "HSET h a b", "HDEL h a"},
			"sorted set": {m{"listName": "z"}, "ZADD z 1 a", "ZREM z a"},
			"stream":     {m{"stream": "x"}, "XADD x 1-* a b", "XTRIM x MAXLEN 0"},
			"lag":        {m{"stream": "g", "consumerGroup": "workers", "lagCount": "5"}, "XADD g 1-* a b", "DEL g"},
		} {
			t.Run(tc.suffix+"/"+name, func(t *testing.T) {
				t.Parallel()
				typ, metadata := tc.suffix, maps.Clone(shape.metadata)
				if metadata["stream"] != "" {
					typ = tc.streams
				}
				maps.Copy(metadata, tc.at)
				l := set(engine, name, seldom, decode(t, typ, metadata, nil))
				l.Until(t, "the first reading", counted(0))
				server := tc.owner(metadata["listName"] + metadata["stream"])
				for round := range 3 {
					do(t, server, shape.add)
					if r := l.Until(t, "the change", counted(1)); !r.Active {
						t.Errorf("round %d: the reading is %+v", round, r)
					}
					do(t, server, shape.empty)
					if err := l.sub.Refresh(t.Context()); err != nil { // the schedule would
						t.Fatal(err)
					}
					l.Until(t, "the end", counted(0))
				}
			})
		}
	}
}

// TestRedisThatMayNotTell reads an idle key every second where the user may not ask
// the server to tell.
func TestRedisThatMayNotTell(t *testing.T) {
	t.Parallel()
	r := scalertest.Redis(t, servers.RedisOptions{ACL: []string{
		"user untold on >pw ~* -@all +llen", "user told on >pw ~* -@all +llen +client|tracking",
	}})
	for user, tells := range map[string]bool{"untold": false, "told": true} {
		engine := scalertest.Engine(t, poll.Options{})
		l := set(engine, user, 30*time.Second, list(t, r.Addr(), user, nil, m{"username": user, "password": "pw"}))
		l.Until(t, "the first reading", counted(0))
		before := stats(t, r, "commandstats", "cmdstat_llen")
		time.Sleep(3 * time.Second)
		if n := stats(t, r, "commandstats", "cmdstat_llen") - before; (n < 2) != tells {
			t.Errorf("%s: in 3 seconds the key was read %d times", user, n)
		}
		engine.Remove(poll.Key{Kind: "ScaledObject", Name: user})
	}
}

// TestRedisThatCannotTell reads servers that know the command, and do not speak the
// protocol in which they can tell.
func TestRedisThatCannotTell(t *testing.T) {
	t.Parallel()
	hello := "*4\r\n$5\r\nproto\r\n:%d\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
	for name, tc := range map[string]struct {
		replies m
		want    scalers.Told
	}{
		"no HELLO":      {nil, scalers.ToldNothing},
		"protocol 2":    {m{"HELLO": fmt.Sprintf(hello, 2)}, scalers.ToldNothing},
		"no tracking":   {m{"HELLO": fmt.Sprintf(hello, 3), "CLIENT": "-ERR unknown subcommand\r\n"}, scalers.ToldNothing},
		"it all":        {m{"HELLO": fmt.Sprintf(hello, 3)}, scalers.ToldAll},
		"it all, error": {m{"HELLO": fmt.Sprintf(hello, 3), "LLEN": "-LOADING\r\n"}, scalers.ToldNothing},
	} {
		replies := m{"LLEN": ":0\r\n"}
		maps.Copy(replies, tc.replies)
		s := list(t, scripted(t, replies), "orders", nil, nil)
		out := make([]scalers.Result, 1)
		_ = scalers.Read(t.Context(), scalertest.Open(t, s), []*scalers.Scaler{s}, out) // one case fails
		if out[0].Told != tc.want {
			t.Errorf("%s: got %v, want %v", name, out[0].Told, tc.want)
		}
	}
}

// TestRedisIdleListsCostNothing reads a thousand empty lists of a server that tells:
// one in forty each interval.
func TestRedisIdleListsCostNothing(t *testing.T) {
	t.Parallel()
	r := scalertest.Redis(t, servers.RedisOptions{})
	engine := scalertest.Engine(t, poll.Options{})
	const interval, lists, intervals = 500 * time.Millisecond, 1000, 4
	all := make([]*last, lists)
	for i := range all {
		all[i] = set(engine, fmt.Sprint(i), interval, list(t, r.Addr(), fmt.Sprintf("list%d", i), nil, nil))
	}
	for _, l := range all {
		l.Until(t, "the first readings", counted(0))
	}
	time.Sleep(interval)
	before := stats(t, r, "commandstats", "cmdstat_llen")
	time.Sleep(intervals * interval)
	if n := stats(t, r, "commandstats", "cmdstat_llen") - before; n == 0 || n > (intervals+1)*lists/40 {
		t.Errorf("in %d intervals lists were read %d times, want %d each", intervals, n, lists/40)
	}
	for i, l := range all {
		if age := time.Since(l.Reading().At); age > 20*interval {
			t.Fatalf("the reading of list%d is %s old", i, age)
		}
	}
}

// cutter forwards connections to a server and cuts them when told to, be it in the
// middle of a message.
type cutter struct {
	addr string
	mu   sync.Mutex
	open []net.Conn
}

func newCutter(t *testing.T, server string) *cutter {
	c := &cutter{}
	c.addr = fakeServer(t, func(client net.Conn) {
		up, err := net.Dial("tcp", server)
		if err != nil {
			_ = client.Close()
			return
		}
		c.mu.Lock()
		c.open = append(c.open, client, up)
		c.mu.Unlock()
		go func() {
			_, _ = io.Copy(up, client)
			_ = up.Close()
		}()
		small := make([]byte, 5) // so that a cut falls into messages
		_, _ = io.CopyBuffer(struct{ io.Writer }{client}, struct{ io.Reader }{up}, small)
		_ = client.Close()
	})
	return c
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.open {
		_ = conn.Close()
	}
	c.open = nil
}

// TestRedisLosesNoWakeUp cuts the connection at random moments about a push: the
// trigger wakes each time, though its interval never comes round.
func TestRedisLosesNoWakeUp(t *testing.T) {
	t.Parallel()
	r := scalertest.Redis(t, servers.RedisOptions{})
	c := newCutter(t, r.Addr())
	engine := scalertest.Engine(t, poll.Options{FirstBackoff: 5 * time.Millisecond, MostBackoff: 50 * time.Millisecond})
	const lists, pushes = 20, 120
	all := make([]*last, lists)
	for i := range all {
		all[i] = set(engine, fmt.Sprint(i), seldom, list(t, c.addr, fmt.Sprintf("list%d", i), nil, nil))
	}
	for _, l := range all {
		l.Until(t, "the first readings", counted(0))
	}
	for n := range pushes {
		i := rand.IntN(lists)
		key := fmt.Sprintf("list%d", i)
		var wait sync.WaitGroup
		for range 1 + rand.IntN(3) {
			late := time.Duration(rand.IntN(20_000)) * time.Microsecond
			wait.Go(func() {
				time.Sleep(late)
				c.cut()
			})
		}
		time.Sleep(time.Duration(rand.IntN(20_000)) * time.Microsecond)
		do(t, r, "RPUSH "+key+" a")
		wait.Wait()
		all[i].Until(t, fmt.Sprintf("push %d, to %s", n, key), counted(1))
		do(t, r, "DEL "+key)
		eventually(t, func() error { return all[i].sub.Refresh(t.Context()) })
		all[i].Until(t, "the end", counted(0))
	}
	for i, l := range all {
		if r := l.Reading(); scalers.ClassOf(r.Err) == scalers.Configuration {
			t.Errorf("list%d: %v", i, r.Err)
		}
	}
}

// TestRedisClusterTellsOfKeysThatMove moves a key that does not exist to another
// node, which is the one that tells of it from then on.
func TestRedisClusterTellsOfKeysThatMove(t *testing.T) {
	t.Parallel()
	c := scalertest.RedisCluster(t, servers.RedisClusterOptions{})
	engine := scalertest.Engine(t, poll.Options{})
	key := keyAt(t, c, 0)
	l := set(engine, "o", 2*time.Second, clusterList(t, c.Nodes[0].Addr(), key, nil, nil))
	for i := range 200 { // of which one in forty is read each time
		set(engine, fmt.Sprint(i), 2*time.Second, clusterList(t, c.Nodes[0].Addr(), fmt.Sprintf("other%d", i), nil, nil))
	}
	l.Until(t, "the first reading", counted(0))
	slot := slotOf(t, c, key)
	id, err := c.Nodes[1].Client().Do(t.Context(), "CLUSTER", "MYID").Text()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 0, 2} {
		do(t, c.Nodes[n], fmt.Sprintf("CLUSTER SETSLOT %d NODE %s", slot, id))
	}
	do(t, c.Nodes[1], "RPUSH "+key+" a")
	l.Until(t, "the key at its new node", counted(1))
}
