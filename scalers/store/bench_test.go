package store_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// BenchmarkDecode makes a scaler of a trigger's parameters, which happens at
// each change of an object.
func BenchmarkDecode(b *testing.B) {
	ca, err := servers.NewAuthority("bench")
	if err != nil {
		b.Fatal(err)
	}
	for name, in := range map[string]param.Input{
		"metadata": {Metadata: m{"address": "redis.shop.svc:6379", "listName": "orders", "listLength": "10"}},
		"authentication": {
			Metadata: m{"addressFromEnv": "REDIS", "listName": "orders", "activationListLength": "3"},
			Env:      m{"REDIS": "redis.shop.svc:6379"}, Auth: m{"username": "u", "password": "p"},
		},
		"TLS":    {Metadata: m{"address": "h:1", "listName": "orders", "enableTLS": "true"}, Auth: m{"ca": ca.PEM}},
		"faults": {Metadata: m{"listLength": "many", "databaseIndex": "first", "address": "h:1"}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s, _, err := scalers.Decode("redis", in, scalers.Setting{})
				if (err != nil) != (name == "faults") || (s == nil) != (name == "faults") {
					b.Fatal(s, err)
				}
			}
		})
	}
}

// BenchmarkRead reads 1,000 keys of a real server in one call, beside the bare
// pipeline of the client that it is made of.
func BenchmarkRead(b *testing.B) {
	const lists = 1000
	r := scalertest.Redis(b, servers.RedisOptions{})
	pipe := r.Client().Pipeline()
	keys := make([]string, lists)
	for i := range keys {
		keys[i] = fmt.Sprintf("list%d", i)
		pipe.RPush(b.Context(), keys[i], 1, 2, 3)
		pipe.SAdd(b.Context(), fmt.Sprintf("set%d", i), 1, 2, 3)
	}
	if _, err := pipe.Exec(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Run("bare-pipeline", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			pipe := r.Client().Pipeline()
			for _, key := range keys {
				pipe.LLen(b.Context(), key)
			}
			if _, err := pipe.Exec(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, key := range map[string]string{"1000-lists": "list%d", "1000-sets": "set%d", "1000-missing-keys": "none%d"} {
		b.Run(name, func(b *testing.B) {
			batch := make([]*scalers.Scaler, lists)
			for i := range batch {
				batch[i] = list(b, r.Addr(), fmt.Sprintf(key, i), nil, nil)
			}
			conn := scalertest.Open(b, batch[0])
			out := make([]scalers.Result, lists)
			b.ReportAllocs()
			for b.Loop() {
				if err := scalers.Read(b.Context(), conn, batch, out); err != nil {
					b.Fatal(err)
				}
			}
			for _, result := range out {
				if result.Err != nil {
					b.Fatal(result.Err)
				}
			}
		})
	}
}

// BenchmarkConnect opens a connection and reads one list with it.
func BenchmarkConnect(b *testing.B) {
	ca, err := servers.NewAuthority("bench")
	if err != nil {
		b.Fatal(err)
	}
	files, err := ca.WriteServer(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	for name, tc := range map[string]struct {
		server   servers.RedisOptions
		metadata m
		auth     m
	}{
		"plain": {}, "password": {server: servers.RedisOptions{Password: "p"}, auth: m{"password": "p"}},
		"TLS": {server: servers.RedisOptions{TLS: files}, metadata: m{"enableTLS": "true"}, auth: m{"ca": ca.PEM}},
	} {
		b.Run(name, func(b *testing.B) {
			r := scalertest.Redis(b, tc.server)
			metadata := m{}
			maps.Copy(metadata, tc.metadata)
			s := list(b, r.Addr(), "orders", metadata, tc.auth)
			out := make([]scalers.Result, 1)
			b.ReportAllocs()
			for b.Loop() {
				conn, err := s.Source.Open(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				if err := scalers.Read(b.Context(), conn, []*scalers.Scaler{s}, out); err != nil {
					b.Fatal(err)
				}
				if err := conn.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
