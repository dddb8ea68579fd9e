package store_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
	_ "github.com/freshet-io/freshet/scalers/store"
)

type m = map[string]string

// list is a redis trigger that counts key at the address; more parameters come
// from metadata and the authentication.
func list(t testing.TB, addr, key string, metadata, auth m) *scalers.Scaler {
	t.Helper()
	all := m{"address": addr, "listName": key}
	maps.Copy(all, metadata)
	maps.DeleteFunc(all, func(_, v string) bool { return v == "" })
	s, _, err := scalers.Decode("redis", param.Input{Metadata: all, Auth: auth}, scalers.Setting{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// read reads scalers of one source in one call, within a deadline that no
// healthy server needs.
func read(t testing.TB, conn scalers.Conn, batch ...*scalers.Scaler) ([]scalers.Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	out := make([]scalers.Result, len(batch))
	return out, scalers.Read(ctx, conn, batch, out)
}

// counts are the numbers that were read, or the classes of their errors.
func counts(results []scalers.Result) []string {
	texts := make([]string, len(results))
	for i, r := range results {
		if texts[i] = fmt.Sprint(r.Value.Metric); r.Err != nil {
			texts[i] = scalers.ClassOf(r.Err).String()
		} else if r.Value.Activity != r.Value.Metric {
			texts[i] += " and activity " + fmt.Sprint(r.Value.Activity)
		}
	}
	return texts
}

// fill puts one key of every type into the server.
func fill(t testing.TB, r *servers.Redis) {
	t.Helper()
	pipe := r.Client().Pipeline()
	ctx := t.Context()
	pipe.RPush(ctx, "list", "a", "b", "c")
	pipe.SAdd(ctx, "set", "a", "b")
	pipe.HSet(ctx, "hash", "a", 1, "b", 2, "c", 3, "d", 4)
	pipe.Do(ctx, "ZADD", "zset", 1, "a", 2, "b", 3, "c", 4, "d", 5, "e")
	pipe.Set(ctx, "string", "17", 0)
	pipe.Do(ctx, "XADD", "stream", "*", "a", "1")
	if _, err := pipe.Exec(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestRedisCountsEveryShape(t *testing.T) {
	r := scalertest.Redis(t, servers.RedisOptions{})
	fill(t, r)
	keys := []string{"list", "set", "hash", "zset", "missing", "string", "stream", "list"}
	want := []string{"3", "2", "4", "5", "0", "configuration", "configuration", "3"}
	batch := make([]*scalers.Scaler, len(keys))
	for i, key := range keys {
		batch[i] = list(t, r.Addr(), key, nil, nil)
	}
	conn := scalertest.Open(t, batch[0])
	for round := range 3 {
		out, err := read(t, conn, batch...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, counts(out)); diff != "" {
			t.Errorf("round %d: (-want +got)\n%s", round, diff)
		}
	}
	for i, s := range batch { // and each alone
		out, err := read(t, conn, s)
		if err != nil {
			t.Fatal(err)
		}
		if got := counts(out)[0]; got != want[i] {
			t.Errorf("%s alone is read as %s, want %s", keys[i], got, want[i])
		}
	}
}

func TestRedisFollowsAKeyThatChangesItsShape(t *testing.T) {
	r := scalertest.Redis(t, servers.RedisOptions{})
	ctx := t.Context()
	s, other := list(t, r.Addr(), "key", nil, nil), list(t, r.Addr(), "other", nil, nil)
	conn := scalertest.Open(t, s)
	if err := r.Client().RPush(ctx, "other", 1).Err(); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		do   []any
		want string
	}{
		{[]any{"RPUSH", "key", 1, 2, 3}, "3"},
		{[]any{"SADD", "key", 1, 2}, "2"},
		{[]any{"HSET", "key", "a", 1}, "1"},
		{[]any{"ZADD", "key", 1, "a", 2, "b"}, "2"},
		{[]any{"SET", "key", "text"}, "configuration"},
		{[]any{"SADD", "key", 1, 2, 3, 4}, "4"},
		{[]any{"XADD", "key", "*", "a", 1}, "configuration"},
		{[]any{"RPUSH", "key", 1}, "1"},
		{nil, "0"},
	} {
		if err := r.Client().Del(ctx, "key").Err(); err != nil {
			t.Fatal(err)
		}
		if step.do != nil {
			if err := r.Client().Do(ctx, step.do...).Err(); err != nil {
				t.Fatal(err)
			}
		}
		out, err := read(t, conn, s, other)
		if err != nil {
			t.Fatal(err)
		}
		if got := counts(out); got[0] != step.want || got[1] != "1" {
			t.Errorf("after %v: read %v, want %s and 1", step.do, got, step.want)
		}
	}
}

func TestRedisKeysMayHoldAnything(t *testing.T) {
	r := scalertest.Redis(t, servers.RedisOptions{})
	for _, key := range []string{"a b", "ключ", "a\r\nb", "{tag}:list", `"'\`, strings.Repeat("k", 10_000), "%s"} {
		if err := r.Client().RPush(t.Context(), key, 1, 2).Err(); err != nil {
			t.Fatal(err)
		}
		s := list(t, r.Addr(), key, nil, nil)
		out, err := read(t, scalertest.Open(t, s), s)
		if err != nil || counts(out)[0] != "2" {
			t.Errorf("key %.20q is read as %v, %v", key, out, err)
		}
	}
}

func TestRedisDatabases(t *testing.T) {
	r := scalertest.Redis(t, servers.RedisOptions{})
	if err := r.Client().RPush(t.Context(), "orders", 1).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Client().TxPipelined(t.Context(), func(p redis.Pipeliner) error {
		p.Do(t.Context(), "SELECT", 3)
		p.RPush(t.Context(), "orders", 1, 2, 3)
		p.Do(t.Context(), "SELECT", 0)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for index, want := range map[string]string{"": "1", "0": "1", "3": "3", "15": "0"} {
		s := list(t, r.Addr(), "orders", m{"databaseIndex": index}, nil)
		out, err := read(t, scalertest.Open(t, s), s)
		if err != nil || counts(out)[0] != want {
			t.Errorf("database %q is read as %v, %v; want %s", index, out, err, want)
		}
	}
	beyond := list(t, r.Addr(), "orders", m{"databaseIndex": "16"}, nil)
	wantClass(t, beyond, scalers.Configuration)
	if a, b := list(t, r.Addr(), "orders", m{"databaseIndex": "3"}, nil), list(t, r.Addr(), "orders", nil, nil); a.Source.Fingerprint == b.Source.Fingerprint {
		t.Error("two databases are one source")
	}
}

// wantClass reads s and wants an error of the class and no number.
func wantClass(t *testing.T, s *scalers.Scaler, want scalers.Class) {
	t.Helper()
	conn, err := s.Source.Open(t.Context())
	if err == nil {
		defer func() { _ = conn.Close() }()
		var out []scalers.Result
		if out, err = read(t, conn, s); err == nil {
			err = out[0].Err
		}
		if err == nil {
			t.Errorf("read %v, want an error of class %s", out[0].Value, want)
			return
		}
	}
	if got := scalers.ClassOf(err); got != want {
		t.Errorf("the error is of class %s, want %s: %v", got, want, err)
	}
	if text := err.Error(); strings.Contains(text, "\n") || text == "" {
		t.Errorf("the error is not one line: %q", text)
	}
}

func TestRedisFormsOfAddress(t *testing.T) {
	r := scalertest.Redis(t, servers.RedisOptions{})
	if err := r.Client().RPush(t.Context(), "orders", 1, 2).Err(); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	var first *scalers.Scaler
	for name, in := range map[string]param.Input{
		"address":              {Metadata: m{"address": r.Addr()}},
		"addresses, the first": {Metadata: m{"addresses": r.Addr() + ", nowhere.invalid:1"}},
		"host and port":        {Metadata: m{"host": host, "port": port}},
		"hosts and ports":      {Metadata: m{"hosts": host + ",nowhere.invalid", "ports": port + ",1"}},
		"addressFromEnv":       {Metadata: m{"addressFromEnv": "REDIS"}, Env: m{"REDIS": r.Addr()}},
		"hostFromEnv":          {Metadata: m{"hostFromEnv": "HOST", "portFromEnv": "PORT"}, Env: m{"HOST": host, "PORT": port}},
		"authentication":       {Auth: m{"address": r.Addr()}},
		"authentication, host": {Auth: m{"host": host, "port": port}},
	} {
		if in.Metadata == nil {
			in.Metadata = m{}
		}
		in.Metadata["listName"] = "orders"
		s, notices, err := scalers.Decode("redis", in, scalers.Setting{})
		if err != nil || len(notices) > 0 {
			t.Errorf("%s: %v, notices %v", name, err, notices)
			continue
		}
		if first == nil {
			first = s
		}
		if s.Source.Fingerprint != first.Source.Fingerprint {
			t.Errorf("%s: it is another source than the other forms are", name)
		}
		out, err := read(t, scalertest.Open(t, s), s)
		if err != nil || counts(out)[0] != "2" {
			t.Errorf("%s: read %v, %v", name, out, err)
		}
	}
}

func TestRedisTargetAndStem(t *testing.T) {
	s := list(t, "h:1", "a/b.c", nil, nil)
	if s.Target != 5 || s.Activation != 0 || scalers.MetricName(2, s.Stem) != "s2-redis-a-b-c" {
		t.Errorf("target %v, activation %v, metric %s", s.Target, s.Activation, scalers.MetricName(2, s.Stem))
	}
	s = list(t, "h:1", "k", m{"listLength": "20", "activationListLength": "7"}, nil)
	if s.Target != 20 || s.Activation != 7 {
		t.Errorf("target %v, activation %v", s.Target, s.Activation)
	}
}

// stats is a number of INFO.
func stats(t testing.TB, r *servers.Redis, section, name string) int {
	t.Helper()
	info, err := r.Client().Info(t.Context(), section).Result()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(info) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if key != name {
			continue
		}
		if rest, ok := strings.CutPrefix(value, "calls="); ok {
			value, _, _ = strings.Cut(rest, ",")
		}
		n, err := strconv.Atoi(value)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return 0
}
