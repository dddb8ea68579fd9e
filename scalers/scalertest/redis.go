package scalertest

import (
	"os"
	"testing"

	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// RedisCluster starts a cluster that ends with the test. Where redis-server is
// not installed the test is skipped or, in CI, fails.
func RedisCluster(t testing.TB, o servers.RedisClusterOptions) *servers.RedisCluster {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	c, err := servers.StartRedisCluster(t.Context(), o)
	endWith(t, c, err)
	return c
}

// RedisSentinels starts a primary, its replica and sentinels that end with the
// test. Where redis-server is not installed the test is skipped or, in CI, fails.
func RedisSentinels(t testing.TB, o servers.RedisSentinelOptions) *servers.RedisSentinels {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := servers.StartRedisSentinels(t.Context(), o)
	endWith(t, s, err)
	return s
}

// endWith stops servers when the test ends. It skips or fails the test when they
// could not be started.
func endWith(t testing.TB, s interface{ Stop() error }, err error) {
	t.Helper()
	switch {
	case servers.IsNotInstalled(err) && os.Getenv("CI") == "":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
}
