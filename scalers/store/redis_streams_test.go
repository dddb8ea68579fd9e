package store_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// stream is a redis-streams trigger.
func stream(t testing.TB, addr, key string, metadata, auth m) *scalers.Scaler {
	t.Helper()
	all := m{"address": addr, "stream": key}
	maps.Copy(all, metadata)
	return decode(t, "redis-streams", all, auth)
}

// lagOf and pendingOf are the metadata of the two modes of a group.
func lagOf(group string) m     { return m{"consumerGroup": group, "lagCount": "10"} }
func pendingOf(group string) m { return m{"consumerGroup": group} }

// add adds entries 1-1 to n-1 to a stream.
func add(t testing.TB, r *servers.Redis, key string, from, to int) {
	t.Helper()
	pipe := r.Client().Pipeline()
	for i := from; i <= to; i++ {
		pipe.Do(t.Context(), "XADD", key, fmt.Sprintf("%d-1", i), "a", "1")
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestRedisStreamsCount(t *testing.T) {
	t.Parallel()
	r := scalertest.Redis(t, servers.RedisOptions{})
	add(t, r, "orders", 1, 8)
	do(t, r, "XGROUP CREATE orders start 0", "XGROUP CREATE orders end $", "XGROUP CREATE empty g 0 MKSTREAM", "RPUSH list a",
		"XREADGROUP GROUP start c COUNT 5 STREAMS orders >", "XACK orders start 1-1 2-1")
	for _, tc := range []struct {
		key      string
		metadata m
		want     string
	}{
		{"orders", nil, "8"},
		{"orders", m{"lagCount": "3"}, "8"},
		{"orders", lagOf("start"), "3"},
		{"orders", pendingOf("start"), "3"},
		{"orders", m{"consumerGroup": "start", "lagCount": "0"}, "3"},
		{"orders", lagOf("end"), "0"},
		{"orders", pendingOf("end"), "0"},
		{"orders", lagOf("none"), "8"},
		{"orders", pendingOf("none"), "configuration"},
		{"empty", nil, "0"},
		{"empty", lagOf("g"), "0"},
		{"empty", pendingOf("g"), "0"},
		{"missing", nil, "0"},
		{"missing", lagOf("g"), "0"},
		{"missing", pendingOf("g"), "0"},
		{"list", nil, "configuration"},
		{"list", lagOf("g"), "configuration"},
		{"list", pendingOf("g"), "configuration"},
	} {
		s := stream(t, r.Addr(), tc.key, tc.metadata, nil)
		out, err := read(t, scalertest.Open(t, s), s)
		if err != nil || counts(out)[0] != tc.want {
			t.Errorf("%s with %v is read as %v, %v; want %s", tc.key, tc.metadata, out, err, tc.want)
		}
	}
}

// All triggers of a server are one round trip, and those that need more take
// theirs together.
func TestRedisStreamsAreReadTogether(t *testing.T) {
	t.Parallel()
	r := scalertest.Redis(t, servers.RedisOptions{ACL: []string{"user reader on >pw ~* +@all"}})
	auth := m{"username": "reader", "password": "pw"}
	add(t, r, "orders", 1, 8)
	do(t, r, "XGROUP CREATE orders g 0", "XREADGROUP GROUP g c COUNT 3 STREAMS orders >", "RPUSH list a b")
	const delay = 100 * time.Millisecond
	addr := slowLink(t, r.Addr(), delay)
	kinds := []m{nil, lagOf("g"), pendingOf("g")}
	var batch []*scalers.Scaler
	var want []string
	for i := range 300 {
		batch = append(batch, stream(t, addr, "orders", kinds[i%3], auth))
		want = append(want, []string{"8", "5", "3"}[i%3])
	}
	conn := scalertest.Open(t, batch[0])
	trips := func(want ...string) int {
		fastest := time.Hour // the machine may have other things to do
		for range 3 {
			began := time.Now()
			wantCounts(t, conn, batch, want...)
			fastest = min(fastest, time.Since(began))
		}
		return int(fastest / (2 * delay))
	}
	wantCounts(t, conn, batch, want...) // connects
	if n := trips(want...); n != 1 {
		t.Errorf("reading takes %d round trips, want 1", n)
	}
	for range 100 {
		batch = append(batch, stream(t, addr, "orders", lagOf("none"), auth), stream(t, addr, "none", pendingOf("none"), auth))
		want = append(want, "8", "0")
	}
	if n := trips(want...); n != 2 {
		t.Errorf("reading groups that are not there takes %d round trips, want 2", n)
	}
	if clients := clientList(t, r); strings.Count(clients, "user=reader") != 1 {
		t.Errorf("want one connection:\n%s", clients)
	}
	if batch[0].Source.Fingerprint != list(t, addr, "list", nil, auth).Source.Fingerprint {
		t.Error("lists and streams of a server are two sources")
	}
}

func clientList(t testing.TB, r *servers.Redis) string {
	t.Helper()
	clients, err := r.Client().ClientList(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	return clients
}

// Where the server cannot tell the lag it is counted, and never read as 0.
func TestRedisStreamsLagThatTheServerCannotTell(t *testing.T) {
	t.Parallel()
	r := scalertest.Redis(t, servers.RedisOptions{})
	for name, tc := range map[string]struct {
		reason   string
		entries  int
		commands []string
		want     string
	}{
		"created in the middle": {"the group begins at some entry", 50, []string{"XGROUP CREATE KEY g 20-1"}, "30"},
		"created in the middle, told where": {
			"the server knows by itself", 300, []string{"XGROUP CREATE KEY g 150-1 ENTRIESREAD 150"}, "150",
		},
		"near the end":       {"few are ahead", 400, []string{"XGROUP CREATE KEY g 390-1"}, "10"},
		"near the beginning": {"few are behind", 400, []string{"XGROUP CREATE KEY g 10-1"}, "390"},
		"far from both":      {"it is the most that it can be", 400, []string{"XGROUP CREATE KEY g 150-1"}, "300"},
		"deleted ahead": {
			"one that is not read yet was deleted", 50, []string{"XGROUP CREATE KEY g 0", "XREADGROUP GROUP g c COUNT 20 STREAMS KEY >", "XDEL KEY 30-1"}, "29",
		},
		"deleted far ahead": {
			"those that were added since, of which one is gone", 400,
			[]string{"XGROUP CREATE KEY g 0", "XREADGROUP GROUP g c COUNT 150 STREAMS KEY >", "XDEL KEY 390-1"}, "250",
		},
		"deleted when done": {
			"of those that consumers have, the last is done first", 50,
			[]string{"XGROUP CREATE KEY g 0", "XREADGROUP GROUP g c COUNT 20 STREAMS KEY >", "XACK KEY g 20-1", "XDEL KEY 20-1"}, "30",
		},
		"beyond the end": {"the group was set to an entry that will be", 50, []string{"XGROUP CREATE KEY g 99-1"}, "0"},
		"all deleted":    {"nothing is left", 3, []string{"XGROUP CREATE KEY g 1-1", "XDEL KEY 1-1 2-1 3-1"}, "0"},
		"trimmed":        {"the oldest are gone", 50, []string{"XGROUP CREATE KEY g 10-1", "XTRIM KEY MAXLEN 20"}, "20"},
	} {
		t.Run(name, func(t *testing.T) {
			key := strings.ReplaceAll(name, " ", "-")
			add(t, r, key, 1, tc.entries)
			for _, command := range tc.commands {
				do(t, r, strings.ReplaceAll(command, "KEY", key))
			}
			s := stream(t, r.Addr(), key, lagOf("g"), nil)
			out, err := read(t, scalertest.Open(t, s), s)
			if err != nil || counts(out)[0] != tc.want {
				info, _ := r.Client().Do(t.Context(), "XINFO", "GROUPS", key).Result()
				t.Errorf("%s: read %v, %v; want %s; the server says %v", tc.reason, out, err, tc.want, info)
			}
		})
	}
}

func TestRedisStreamsRights(t *testing.T) {
	t.Parallel()
	r := scalertest.Redis(t, servers.RedisOptions{ACL: []string{
		"user length on >pw ~* resetchannels -@all +xlen", "user pending on >pw ~* -@all +xpending +exists",
		"user lag on >pw ~* -@all +xinfo|groups +xlen", "user counted on >pw ~* -@all +xinfo|groups +xinfo|stream +xrange +xlen",
		"user nothing on >pw ~* -@all",
	}})
	add(t, r, "orders", 1, 9)
	do(t, r, "XGROUP CREATE orders g 0", "XGROUP CREATE orders middle 4-1")
	for name, tc := range map[string]struct {
		user, key string
		metadata  m
		want      string // a number, or what is said to be missing
	}{
		"length":               {"length", "orders", nil, "9"},
		"pending":              {"pending", "orders", pendingOf("g"), "0"},
		"pending, no stream":   {"pending", "none", pendingOf("g"), "0"},
		"lag":                  {"lag", "orders", lagOf("g"), "9"},
		"lag, no group":        {"lag", "orders", lagOf("none"), "9"},
		"lag to count":         {"counted", "orders", lagOf("middle"), "5"},
		"lag, not to count":    {"lag", "orders", lagOf("middle"), "allow it XRANGE"},
		"nothing for length":   {"nothing", "orders", nil, `allow it XLEN on key "orders"`},
		"nothing for pending":  {"nothing", "orders", pendingOf("g"), "allow it XPENDING"},
		"nothing for lag":      {"nothing", "orders", lagOf("g"), "allow it XINFO GROUPS"},
		"lag, not for pending": {"lag", "orders", pendingOf("g"), "allow it XPENDING"},
	} {
		t.Run(name, func(t *testing.T) {
			s := stream(t, r.Addr(), tc.key, tc.metadata, m{"username": tc.user, "password": "pw"})
			out, err := read(t, scalertest.Open(t, s), s)
			if err = errors.Join(err, out[0].Err); err == nil && counts(out)[0] != tc.want {
				t.Errorf("read %v, want %s", out, tc.want)
			}
			if err != nil && (scalers.ClassOf(err) != scalers.Authentication || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestRedisStreamsOfAClusterAndOfSentinels(t *testing.T) {
	t.Parallel()
	c := scalertest.RedisCluster(t, servers.RedisClusterOptions{})
	s := scalertest.RedisSentinels(t, servers.RedisSentinelOptions{})
	var batches [2][]*scalers.Scaler
	for i := range 3 {
		key := keyAt(t, c, i)
		for _, r := range []*servers.Redis{c.Nodes[i], s.Servers[0]} {
			add(t, r, key, 1, 9)
			do(t, r, "XGROUP CREATE "+key+" g 0", "XREADGROUP GROUP g c COUNT 2 STREAMS "+key+" >", "XGROUP CREATE "+key+" middle 3-1")
		}
		for _, metadata := range []m{nil, lagOf("g"), pendingOf("g"), lagOf("middle"), lagOf("none"), pendingOf("none")} {
			all := m{"stream": key, "addresses": c.Addrs()[0]}
			maps.Copy(all, metadata)
			batches[0] = append(batches[0], decode(t, "redis-cluster-streams", all, nil))
			all["addresses"], all["sentinelMaster"] = s.Addrs()[0], servers.RedisPrimary
			batches[1] = append(batches[1], decode(t, "redis-sentinel-streams", all, nil))
		}
	}
	for _, batch := range batches {
		conn := scalertest.Open(t, batch[0])
		want := []string{"9", "7", "2", "6", "9", "configuration"}
		for range 2 {
			wantCounts(t, conn, batch, append(append(want[:6:6], want...), want...)...)
		}
	}
}

func TestRedisStreamsParameters(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		metadata m
		target   float64
	}{
		"length":                {m{}, 5},
		"length given":          {m{"streamLength": "7", "pendingEntriesCount": "8", "lagCount": "9"}, 7},
		"pending":               {m{"consumerGroup": "g"}, 5},
		"pending given":         {m{"consumerGroup": "g", "streamLength": "7", "pendingEntriesCount": "8"}, 8},
		"lag":                   {m{"consumerGroup": "g", "pendingEntriesCount": "0", "lagCount": "9"}, 9},
		"lag of 0 is pending":   {m{"consumerGroup": "g", "lagCount": "0"}, 5},
		"activation everywhere": {m{"activationLagCount": "4"}, 5},
	} {
		s := stream(t, "h:1", "a/b", tc.metadata, nil)
		if s.Target != tc.target || scalers.MetricName(1, s.Stem) != "s1-redis-streams-a-b" {
			t.Errorf("%s: the target is %v, want %v; the metric is %s", name, s.Target, tc.target, s.Stem)
		}
		if want := len(tc.metadata["activationLagCount"]) * 4; s.Activation != float64(want) {
			t.Errorf("%s: the activation is %v", name, s.Activation)
		}
	}
	for key, metadata := range map[string]m{
		"streamLength": {"streamLength": "0"}, "pendingEntriesCount": {"consumerGroup": "g", "pendingEntriesCount": "0"},
		"lagCount": {"consumerGroup": "g", "lagCount": "-3"}, "stream": {"stream": ""}, "address": {"address": ""},
	} {
		in := param.Input{Metadata: m{"stream": "s", "address": "h:1"}}
		maps.Copy(in.Metadata, metadata)
		if _, _, err := scalers.Decode("redis-streams", in, scalers.Setting{}); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%v: got %v, want a fault of %s", metadata, err, key)
		}
	}
	in := param.Input{Metadata: m{"stream": "s", "address": "h:1", "streamLength": "0"}}
	if _, _, err := scalers.Decode("redis-streams", in, scalers.Setting{Formula: true}); err != nil {
		t.Errorf("with a formula the target may be 0: %v", err)
	}
	// Triggers that differ in the target alone are one read, whichever mode.
	a, b := stream(t, "h:1", "s", m{"streamLength": "3"}, nil), stream(t, "h:1", "s", m{"streamLength": "4"}, nil)
	c := stream(t, "h:1", "s", pendingOf("g"), nil)
	if diff := cmp.Diff(a.Query, b.Query); diff != "" || c.Query == a.Query || stream(t, "h:1", "s", lagOf("g"), nil).Query == c.Query {
		t.Error("what is read is not told apart by what is counted")
	}
}
