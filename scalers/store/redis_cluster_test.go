package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/poll"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// decode is a trigger of the type.
func decode(t testing.TB, typ string, metadata, auth m) *scalers.Scaler {
	t.Helper()
	s, notices, err := scalers.Decode(typ, param.Input{Metadata: metadata, Auth: auth}, scalers.Setting{})
	if err != nil || len(notices) > 0 {
		t.Fatal(err, notices)
	}
	return s
}

// clusterList is a redis-cluster trigger that counts key.
func clusterList(t testing.TB, addrs, key string, metadata, auth m) *scalers.Scaler {
	t.Helper()
	all := m{"addresses": addrs, "listName": key}
	maps.Copy(all, metadata)
	return decode(t, "redis-cluster", all, auth)
}

// keyAt returns a key of the cluster's node, which are three.
func keyAt(t testing.TB, c *servers.RedisCluster, node int) string {
	t.Helper()
	for i := range 1000 {
		key := fmt.Sprintf("key%d", i)
		if slot := slotOf(t, c, key); slot*3/16384 == node {
			return key
		}
	}
	t.Fatal("no key was found")
	return ""
}

func slotOf(t testing.TB, c *servers.RedisCluster, key string) int {
	t.Helper()
	slot, err := c.Nodes[len(c.Nodes)-1].Client().ClusterKeySlot(t.Context(), key).Result()
	if err != nil {
		t.Fatal(err)
	}
	return int(slot)
}

// do does commands at a server.
func do(t testing.TB, r *servers.Redis, commands ...string) {
	t.Helper()
	for _, command := range commands {
		var words []any
		for _, word := range strings.Fields(command) {
			words = append(words, word)
		}
		if err := r.Client().Do(t.Context(), words...).Err(); err != nil {
			t.Fatalf("%s: %v", command, err)
		}
	}
}

// eventually calls f until it is nil, for 20 seconds at most.
func eventually(t testing.TB, f func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// wantCounts reads the batch and wants the numbers, or the classes of errors.
func wantCounts(t testing.TB, conn scalers.Conn, batch []*scalers.Scaler, want ...string) {
	t.Helper()
	out, err := read(t, conn, batch...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, counts(out)); diff != "" {
		t.Errorf("(-want +got)\n%s\n%+v", diff, out)
	}
}

func TestRedisCluster(t *testing.T) {
	t.Parallel()
	c := scalertest.RedisCluster(t, servers.RedisClusterOptions{ACL: []string{
		"user reader on >pw ~* -@all +llen +type +scard +zcard +xlen +cluster|slots +asking",
		"user mute on >pw ~* -@all +llen +type +cluster|slots",
	}})
	t.Run("reads every node", func(t *testing.T) { clusterReadsEveryNode(t, c) })
	t.Run("shares connections", func(t *testing.T) { clusterSharesConnections(t, c) })
	t.Run("is no server", func(t *testing.T) { clusterIsNoServer(t, c) })
	t.Run("seeds that do not answer", func(t *testing.T) { clusterSeedsThatDoNotAnswer(t, c) })
	t.Run("a hole", func(t *testing.T) { clusterWithAHole(t, c) })
	t.Run("a slot that moves", func(t *testing.T) { clusterFollowsSlots(t, c) }) // whose keys are at another node from then on
}

func clusterReadsEveryNode(t *testing.T, c *servers.RedisCluster) {
	const lists = 500
	var batch []*scalers.Scaler
	var want []string
	seeds := c.Addrs()[1] + ",127.0.0.1:1"
	for i := range lists {
		key := fmt.Sprintf("k%d", i)
		if i%3 == 0 {
			key = fmt.Sprintf("a{tag%d}b{c}", i)
		}
		node := c.Nodes[slotOf(t, c, key)*3/16384]
		switch i % 5 {
		case 0:
			do(t, node, "RPUSH "+key+" a b c")
			want = append(want, "3")
		case 1:
			do(t, node, "SADD "+key+" a b")
			want = append(want, "2")
		case 2:
			do(t, node, "ZADD "+key+" 1 a")
			want = append(want, "1")
		case 3:
			do(t, node, "SET "+key+" 9")
			want = append(want, "configuration")
		default:
			want = append(want, "0")
		}
		batch = append(batch, clusterList(t, seeds, key, nil, m{"username": "reader", "password": "pw"}))
	}
	conn := scalertest.Open(t, batch[0])
	for range 3 {
		wantCounts(t, conn, batch, want...)
	}
	wantOneConnection(t, c)
	for i, node := range c.Nodes {
		errs, err := node.Client().Info(t.Context(), "errorstats").Result()
		if err != nil || strings.Contains(errs, "MOVED") {
			t.Errorf("node %d was asked for keys of others: %s, %v", i, errs, err)
		}
	}
}

// wantOneConnection wants the user reader to have one connection to each node.
func wantOneConnection(t *testing.T, c *servers.RedisCluster) {
	t.Helper()
	for i, node := range c.Nodes {
		if clients := clientList(t, node); strings.Count(clients, "user=reader") != 1 {
			t.Errorf("want one connection to node %d:\n%s", i, clients)
		}
	}
}

// The engine makes one connection to each node too, however many groups are read
// at once.
func clusterSharesConnections(t *testing.T, c *servers.RedisCluster) {
	engine := scalertest.Engine(t, poll.Options{PerSource: 8})
	auth := m{"username": "reader", "password": "pw"}
	var all []*last
	for i := range 60 {
		s := clusterList(t, c.Addrs()[0], fmt.Sprintf("list%d", i), nil, auth)
		if i%2 == 0 {
			s = decode(t, "redis-cluster-streams", m{"addresses": c.Addrs()[0], "stream": fmt.Sprintf("stream%d", i)}, auth)
		}
		all = append(all, set(engine, fmt.Sprint(i), time.Duration(i%6+1)*20*time.Millisecond, s))
	}
	for _, l := range all {
		began := time.Now()
		l.Until(t, "readings", func(r scalers.Reading) bool { return r.Err == nil && r.At.After(began) })
	}
	wantOneConnection(t, c)
}

func clusterFollowsSlots(t *testing.T, c *servers.RedisCluster) {
	key := keyAt(t, c, 0)
	from, to := c.Nodes[0], c.Nodes[1]
	slot := slotOf(t, c, key)
	moving, staying, missing := "{"+key+"}moving", "{"+key+"}staying", "{"+key+"}missing"
	other := "{" + keyAt(t, c, 2) + "}other"
	do(t, from, "DEL "+key, "RPUSH "+moving+" a b", "RPUSH "+staying+" a b c")
	do(t, c.Nodes[2], "RPUSH "+other+" a")
	var batch, mute []*scalers.Scaler
	for _, k := range []string{moving, staying, missing, other} {
		batch = append(batch, clusterList(t, from.Addr(), k, nil, m{"username": "reader", "password": "pw"}))
		mute = append(mute, clusterList(t, from.Addr(), k, nil, m{"username": "mute", "password": "pw"}))
	}
	conn, muteConn := scalertest.Open(t, batch[0]), scalertest.Open(t, mute[0])
	wantCounts(t, conn, batch, "2", "3", "0", "1")
	wantCounts(t, muteConn, mute, "2", "3", "0", "1")

	ids := make([]string, len(c.Nodes))
	for i, node := range c.Nodes {
		id, err := node.Client().ClusterMyID(t.Context()).Result()
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = id
	}
	do(t, to, fmt.Sprintf("CLUSTER SETSLOT %d IMPORTING %s", slot, ids[0]))
	do(t, from, fmt.Sprintf("CLUSTER SETSLOT %d MIGRATING %s", slot, ids[1]))
	host, port, _ := strings.Cut(to.Addr(), ":")
	do(t, from, "MIGRATE "+host+" "+port+" "+moving+" 0 5000")
	for range 2 {
		wantCounts(t, conn, batch, "2", "3", "0", "1")
		wantCounts(t, muteConn, mute, "authentication", "3", "authentication", "1")
	}
	do(t, from, "MIGRATE "+host+" "+port+" "+staying+" 0 5000")
	for _, node := range []*servers.Redis{to, from, c.Nodes[2]} {
		do(t, node, fmt.Sprintf("CLUSTER SETSLOT %d NODE %s", slot, ids[1]))
	}
	for range 2 {
		wantCounts(t, conn, batch, "2", "3", "0", "1")
		wantCounts(t, muteConn, mute, "2", "3", "0", "1")
	}
}

// What one node does not answer is an error of its keys alone.
func clusterWithAHole(t *testing.T, c *servers.RedisCluster) {
	keys := []string{keyAt(t, c, 0), keyAt(t, c, 1), keyAt(t, c, 2)}
	var batch []*scalers.Scaler
	for i, key := range keys {
		do(t, c.Nodes[i], "DEL "+key, "RPUSH "+key+" a b c")
		batch = append(batch, clusterList(t, strings.Join(c.Addrs(), ","), key, nil, nil))
	}
	conn := scalertest.Open(t, batch[0])
	wantCounts(t, conn, batch, "3", "3", "3")
	slot := slotOf(t, c, keys[1])
	for _, node := range c.Nodes {
		do(t, node, fmt.Sprintf("CLUSTER DELSLOTS %d", slot))
	}
	for range 3 { // by a connection that knew the slot, and by one that never did
		wantCounts(t, conn, batch, "3", "unavailable", "3")
		wantCounts(t, scalertest.Open(t, batch[0]), batch, "3", "unavailable", "3")
	}
	out, err := read(t, conn, batch[1])
	if err != nil || out[0].Err == nil || !strings.Contains(out[0].Err.Error(), fmt.Sprint(slot)) {
		t.Errorf("the hole alone is read as %+v, %v; want an error that is not about other keys", out, err)
	}
	do(t, c.Nodes[1], fmt.Sprintf("CLUSTER ADDSLOTS %d", slot))
	eventually(t, func() error { return wantAll(t, conn, batch, 3) })
}

// wantAll is nil when all of the batch have the number. Any other number is a
// fault of the test.
func wantAll(t testing.TB, conn scalers.Conn, batch []*scalers.Scaler, want float64) error {
	t.Helper()
	out, err := read(t, conn, batch...)
	for i, r := range out {
		if err == nil && r.Err == nil && r.Value.Metric != want {
			t.Errorf("result %d is %v, want %v or an error", i, r.Value.Metric, want)
		}
		err = errors.Join(err, r.Err)
	}
	return err
}

func clusterIsNoServer(t *testing.T, c *servers.RedisCluster) {
	single := scalertest.Redis(t, servers.RedisOptions{})
	wantError(t, clusterList(t, single.Addr(), "list", nil, nil), scalers.Configuration, "no node of a cluster")
	wantError(t, list(t, c.Nodes[1].Addr(), keyAt(t, c, 2), nil, nil), scalers.Unavailable, "redis-cluster")
	wantError(t, list(t, c.Nodes[1].Addr(), "other{"+keyAt(t, c, 1)+"}", nil, nil), 0, "")
	_, notices, err := scalers.Decode("redis-cluster", param.Input{Metadata: m{
		"address": "h:1", "listName": "orders", "databaseIndex": "3", "sentinelMaster": "x",
	}}, scalers.Setting{})
	if err != nil || len(notices) != 2 || notices[0].Key != "databaseIndex" {
		t.Errorf("got notices %v, %v; want that a cluster has no databases", notices, err)
	}
}

// Seeds that hang must not keep the others from being asked.
func clusterSeedsThatDoNotAnswer(t *testing.T, c *servers.RedisCluster) {
	hung := fakeServer(t, func(net.Conn) {})
	s := clusterList(t, "127.0.0.1:1,"+hung+","+c.Addrs()[0], "list", nil, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	out := make([]scalers.Result, 1)
	if err := scalers.Read(ctx, scalertest.Open(t, s), []*scalers.Scaler{s}, out); err != nil || out[0].Err != nil {
		t.Errorf("read %v, %v", out, err)
	}
}
