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

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/poll"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// sentinelList is a redis-sentinel trigger that counts key.
func sentinelList(t testing.TB, addrs, key string, metadata, auth m) *scalers.Scaler {
	t.Helper()
	all := m{"addresses": addrs, "listName": key, "sentinelMaster": servers.RedisPrimary}
	maps.Copy(all, metadata)
	return decode(t, "redis-sentinel", all, auth)
}

func TestRedisSentinel(t *testing.T) {
	t.Parallel()
	s := scalertest.RedisSentinels(t, servers.RedisSentinelOptions{
		ACL: []string{"user reader on >pw ~* resetchannels -@all +llen +type +scard +zcard +xlen +select"}, SentinelACL: []string{"user reader on >pw resetchannels -@all +sentinel|get-master-addr-by-name"},
	})
	fill(t, s.Servers[0])
	auth := m{"username": "reader", "password": "pw", "sentinelUsername": "reader", "sentinelPassword": "pw"}
	t.Run("500 triggers are one connection", func(t *testing.T) {
		engine := scalertest.Engine(t, poll.Options{PerSource: 8})
		var all []*last
		for i := range 500 {
			key := fmt.Sprint("missing", i)
			if i < 3 {
				key = []string{"list", "set", "zset"}[i]
			}
			trigger := sentinelList(t, s.Addrs()[0], key, nil, auth)
			if i%50 == 3 {
				trigger = decode(t, "redis-sentinel-streams", m{
					"addresses": s.Addrs()[0], "sentinelMaster": servers.RedisPrimary, "stream": fmt.Sprint(i),
				}, auth)
			}
			all = append(all, set(engine, fmt.Sprint(i), 20*time.Millisecond, trigger))
		}
		for i, l := range all {
			want := 0.0
			if i < 3 {
				want = []float64{3, 2, 5}[i]
			}
			l.Until(t, "readings", counted(want))
		}
		for what, r := range map[string]*servers.Redis{"primary": s.Servers[0], "sentinel": s.Sentinels[0]} {
			if clients := clientList(t, r); strings.Count(clients, "user=reader") != 1 {
				t.Errorf("want one connection to the %s:\n%s", what, clients)
			}
		}
	})
	for name, tc := range map[string]struct {
		metadata, auth m
		class          scalers.Class
		text           string
	}{
		"another database":        {m{"databaseIndex": "3"}, nil, 0, ""},
		"no such database":        {m{"databaseIndex": "99"}, nil, scalers.Configuration, "DB index"},
		"wrong password":          {nil, m{"password": "no"}, scalers.Authentication, "parameters username and password"},
		"wrong sentinel password": {nil, m{"sentinelPassword": "no"}, scalers.Authentication, "parameters sentinelUsername and sentinelPassword"},
		"unknown primary":         {m{"sentinelMaster": "other"}, nil, scalers.Configuration, `"other"`},
		"no sentinel":             {m{"addresses": s.Servers[0].Addr()}, m{"sentinelUsername": "reader"}, scalers.Configuration, "no sentinel"},
		"a sentinel that is gone": {m{"addresses": "127.0.0.1:1," + s.Addrs()[0]}, nil, 0, ""},
		"none is there":           {m{"addresses": "127.0.0.1:1,127.0.0.1:2"}, nil, scalers.Unavailable, "refused"},
		"one that hangs":          {m{"addresses": fakeServer(t, func(net.Conn) {}) + "," + s.Addrs()[0]}, nil, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with := maps.Clone(auth)
			maps.Copy(with, tc.auth)
			if tc.metadata["addresses"] == s.Servers[0].Addr() { // as whom may ask it anything
				with["sentinelUsername"], with["sentinelPassword"] = "", ""
			}
			trigger := sentinelList(t, s.Addrs()[0], "missing", tc.metadata, with)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			out := make([]scalers.Result, 1)
			err := errors.Join(scalers.Read(ctx, scalertest.Open(t, trigger), []*scalers.Scaler{trigger}, out), out[0].Err)
			switch {
			case tc.text == "" && (err != nil || out[0].Value.Metric != 0):
				t.Errorf("read %v, %v; want 0", out, err)
			case tc.text != "" && (err == nil || scalers.ClassOf(err) != tc.class || !strings.Contains(err.Error(), tc.text)):
				t.Errorf("got %v, %v; want an error of class %s with %q", out, err, tc.class, tc.text)
			}
		})
	}
}

// However the primary is replaced, readings follow, and are an error until then.
func TestRedisSentinelFollowsAFailover(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(s *servers.RedisSentinels) error{
		"asked for":              func(s *servers.RedisSentinels) error { return s.Failover(t.Context()) },
		"as the primary is gone": func(s *servers.RedisSentinels) error { return s.Servers[0].Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scalertest.RedisSentinels(t, servers.RedisSentinelOptions{Sentinels: 3})
			do(t, s.Servers[0], "RPUSH orders a b c", "WAIT 1 5000")
			trigger := sentinelList(t, strings.Join(s.Addrs(), ","), "orders", nil, nil)
			engine := scalertest.Engine(t, poll.Options{FirstBackoff: 20 * time.Millisecond, MostBackoff: 100 * time.Millisecond})
			wrong := make(chan scalers.Reading, 1)
			watch := sinkFunc(func(r scalers.Reading) {
				if r.Err == nil && r.Value.Metric != 3 && r.Value.Metric != 5 {
					select {
					case wrong <- r:
					default:
					}
				}
			})
			engine.Set(poll.Key{Name: "watch"}, []poll.Member{{Scaler: trigger, Interval: 10 * time.Millisecond, Sink: watch}})
			l := set(engine, "o", 10*time.Millisecond, trigger)
			l.Until(t, "the count", counted(3))
			began := time.Now()
			if err := replace(s); err != nil {
				t.Fatal(err)
			}
			eventually(t, func() error { return s.Servers[1].Client().RPush(t.Context(), "orders", 4, 5).Err() })
			promoted := time.Now()
			l.Until(t, "the count of the new primary", counted(5))
			t.Logf("the replica was the primary after %s, and read after %s", promoted.Sub(began), time.Since(began))
			select {
			case r := <-wrong:
				t.Errorf("in between it was read as %+v", r)
			default:
			}
			eventually(t, func() error { return s.Agree(t.Context(), s.Servers[1]) })
			if err := s.Sentinels[0].Kill(); err != nil {
				t.Fatal(err)
			}
			killed := time.Now()
			l.Until(t, "the count by another sentinel", func(r scalers.Reading) bool { return r.At.After(killed.Add(50*time.Millisecond)) && counted(5)(r) })
		})
	}
}

// sinkFunc is a sink of readings.
type sinkFunc func(scalers.Reading)

func (f sinkFunc) Put(r scalers.Reading) { f(r) }

func TestRedisSentinelTLS(t *testing.T) {
	t.Parallel()
	ca, err := servers.NewAuthority("ours")
	if err != nil {
		t.Fatal(err)
	}
	files, err := ca.WriteServer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := scalertest.RedisSentinels(t, servers.RedisSentinelOptions{TLS: files, Password: "secret", SentinelPassword: "other"})
	both := m{"password": "secret", "sentinelPassword": "other"}
	for name, tc := range map[string]struct {
		metadata m
		ca       string
		text     string
	}{
		"trusted":  {m{"enableTLS": "true"}, ca.PEM, ""},
		"by name":  {m{"enableTLS": "true", "addresses": strings.Replace(s.Addrs()[0], "127.0.0.1", "localhost", 1)}, ca.PEM, ""},
		"unsafe":   {m{"enableTLS": "true", "unsafeSsl": "true"}, "", ""},
		"strange":  {m{"enableTLS": "true"}, "", "certificate"},
		"not used": {nil, "", "closed the connection"},
	} {
		t.Run(name, func(t *testing.T) {
			auth := maps.Clone(both)
			auth["ca"] = tc.ca
			wantError(t, sentinelList(t, s.Addrs()[0], "list", tc.metadata, auth), scalers.Unavailable, tc.text)
		})
	}
}

// A server that sentinels still name as the primary, and that is none any more.
func TestRedisSentinelThatIsBehind(t *testing.T) {
	t.Parallel()
	primary := scalertest.Redis(t, servers.RedisOptions{})
	replica := scalertest.Redis(t, servers.RedisOptions{})
	host, port, _ := strings.Cut(primary.Addr(), ":")
	do(t, primary, "RPUSH orders a b")
	do(t, replica, "REPLICAOF "+host+" "+port)
	_, port, _ = strings.Cut(replica.Addr(), ":")
	sentinel := scripted(t, m{"SENTINEL": "*2\r\n+127.0.0.1\r\n+" + port + "\r\n"})
	trigger := sentinelList(t, sentinel, "orders", nil, nil)
	wantError(t, trigger, scalers.Unavailable, "replica")
	do(t, replica, "REPLICAOF NO ONE")
	do(t, replica, "DEL orders")
	wantError(t, trigger, 0, "")
}

func TestRedisSentinelSources(t *testing.T) {
	t.Parallel()
	base := sentinelList(t, "h:1", "orders", nil, nil)
	stream := decode(t, "redis-sentinel-streams", m{"addresses": "h:1", "sentinelMaster": servers.RedisPrimary, "stream": "s"}, nil)
	if stream.Source.Fingerprint != base.Source.Fingerprint {
		t.Error("streams make another source")
	}
	for name, metadata := range map[string]m{
		"another sentinel": {"addresses": "h:2"}, "another primary": {"sentinelMaster": "x"}, "another database": {"databaseIndex": "1"},
		"another user": {"username": "u"}, "another sentinel user": {"sentinelUsername": "u"}, "TLS": {"enableTLS": "true"},
	} {
		if sentinelList(t, "h:1", "orders", metadata, nil).Source.Fingerprint == base.Source.Fingerprint {
			t.Errorf("%s makes no other source", name)
		}
	}
	in := param.Input{Metadata: m{"address": "h:1", "listName": "orders", "sentinelMasterFromEnv": "M"}, Env: m{"M": servers.RedisPrimary}}
	s, _, err := scalers.Decode("redis-sentinel", in, scalers.Setting{})
	if err != nil || s.Source.Fingerprint != base.Source.Fingerprint {
		t.Errorf("the primary's name from a variable makes another source: %v", err)
	}
	delete(in.Metadata, "sentinelMasterFromEnv")
	if _, _, err := scalers.Decode("redis-sentinel", in, scalers.Setting{}); err == nil || !strings.Contains(err.Error(), "sentinelMaster") {
		t.Errorf("without the primary's name: %v", err)
	}
}
