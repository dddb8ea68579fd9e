package store_test

import (
	"testing"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

func TestRedisConforms(t *testing.T) {
	server := scalertest.Redis(t, servers.RedisOptions{})
	fill := func() error { return server.Client().RPush(t.Context(), "orders", 1, 2, 3).Err() }
	if err := fill(); err != nil {
		t.Fatal(err)
	}
	scalertest.Conform(t, scalertest.Conformance{
		Type: "redis", Address: server.Addr(), Want: scalers.Number(3),
		At: func(address string) param.Input {
			return param.Input{Metadata: m{"address": address, "listName": "orders"}}
		},
		Stop: server.Kill,
		Start: func() error {
			if err := server.Start(t.Context()); err != nil {
				return err
			}
			return fill()
		},
	})
}
