package servers_test

import (
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// withTLS is an authority's files for a server.
func withTLS(t *testing.T) *servers.TLSFiles {
	t.Helper()
	ca, err := servers.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	files, err := ca.WriteServer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestRedisClusterWorks(t *testing.T) {
	for name, o := range map[string]servers.RedisClusterOptions{
		"open":                  {},
		"TLS, users, replicas":  {TLS: withTLS(t), Password: "se cret", ACL: []string{"user reader on >pw ~* +llen"}, Replicas: 1},
		"one node, all or none": {Primaries: 1, Whole: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			c := scalertest.RedisCluster(t, o)
			t.Logf("it took %s", time.Since(began))
			info, err := c.Nodes[0].Client().ClusterInfo(t.Context()).Result()
			if err != nil {
				t.Fatal(err)
			}
			t.Log(info)
		})
	}
}

func TestRedisSentinelsFailOver(t *testing.T) {
	for name, o := range map[string]servers.RedisSentinelOptions{
		"open, three":            {Sentinels: 3},
		"TLS, users and killing": {TLS: withTLS(t), Password: "se cret", ACL: []string{"user reader on >pw ~* +llen"}, SentinelPassword: "other"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			s := scalertest.RedisSentinels(t, o)
			t.Logf("starting took %s", time.Since(began))
			was, err := s.Primary(t.Context())
			if err != nil || was != s.Servers[0] {
				t.Fatalf("the primary is not the first server: %v", err)
			}
			began = time.Now()
			if o.TLS == nil {
				err = s.Failover(t.Context())
			} else {
				err = was.Kill()
			}
			if err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				if is, err := s.Primary(t.Context()); err == nil && is == s.Servers[1] {
					break
				}
				if time.Now().After(end) {
					t.Fatal("the replica does not become the primary")
				}
			}
			t.Logf("failing over took %s", time.Since(began))
		})
	}
}
