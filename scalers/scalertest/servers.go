package scalertest

import (
	"os"
	"testing"

	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// started ties a server to a test, with which it ends. Where its program is not
// installed the test is skipped or, in CI, fails.
func started[S interface{ Stop() error }](t testing.TB, server S, err error) S {
	t.Helper()
	switch {
	case servers.IsNotInstalled(err) && os.Getenv("CI") == "":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// folder is where a server keeps its data: dir, or one that ends with the test.
func folder(t testing.TB, dir string) string {
	if dir == "" {
		return t.TempDir()
	}
	return dir
}

// Redis starts a server that ends with the test.
func Redis(t testing.TB, o servers.RedisOptions) *servers.Redis {
	t.Helper()
	o.Dir = folder(t, o.Dir)
	s, err := servers.StartRedis(t.Context(), o)
	return started(t, s, err)
}

// Prometheus starts a server that ends with the test.
func Prometheus(t testing.TB, o servers.PrometheusOptions) *servers.Prometheus {
	t.Helper()
	o.Dir = folder(t, o.Dir)
	s, err := servers.StartPrometheus(t.Context(), o)
	return started(t, s, err)
}

// Azurite starts a server that ends with the test.
func Azurite(t testing.TB, o servers.AzuriteOptions) *servers.Azurite {
	t.Helper()
	o.Dir = folder(t, o.Dir)
	s, err := servers.StartAzurite(t.Context(), o)
	return started(t, s, err)
}

// Kafka starts a cluster that ends with the test.
func Kafka(t testing.TB, o servers.KafkaOptions) *servers.Kafka {
	t.Helper()
	o.Dir = folder(t, o.Dir)
	s, err := servers.StartKafka(t.Context(), o)
	return started(t, s, err)
}

// RedisCluster starts a cluster that ends with the test.
func RedisCluster(t testing.TB, o servers.RedisClusterOptions) *servers.RedisCluster {
	t.Helper()
	o.Dir = folder(t, o.Dir)
	s, err := servers.StartRedisCluster(t.Context(), o)
	return started(t, s, err)
}

// RedisSentinels starts a primary, its replica and sentinels that end with the
// test.
func RedisSentinels(t testing.TB, o servers.RedisSentinelOptions) *servers.RedisSentinels {
	t.Helper()
	o.Dir = folder(t, o.Dir)
	s, err := servers.StartRedisSentinels(t.Context(), o)
	return started(t, s, err)
}

// RabbitMQ starts a server that ends with the test.
func RabbitMQ(t testing.TB, o servers.RabbitMQOptions) *servers.RabbitMQ {
	t.Helper()
	o.Dir = folder(t, o.Dir)
	s, err := servers.StartRabbitMQ(t.Context(), o)
	return started(t, s, err)
}

// Vault starts a server that ends with the test.
func Vault(t testing.TB) *servers.Vault {
	t.Helper()
	s, err := servers.StartVault(t.Context(), t.TempDir())
	return started(t, s, err)
}

// AWS starts a server that ends with the test.
func AWS(t testing.TB) *servers.AWS {
	t.Helper()
	s, err := servers.StartAWS(t.Context(), t.TempDir())
	return started(t, s, err)
}

// External starts an external scaler that ends with the test.
func External(t testing.TB, o servers.ExternalOptions) *servers.External {
	t.Helper()
	s, err := servers.StartExternal(o)
	return started(t, s, err)
}
