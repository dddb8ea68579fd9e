package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

func TestRedisClusterNodeGoneAndBack(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{false, true} {
		t.Run(fmt.Sprintf("all or none %v", whole), func(t *testing.T) {
			t.Parallel()
			c := scalertest.RedisCluster(t, servers.RedisClusterOptions{Whole: whole})
			var batch []*scalers.Scaler
			for i, node := range c.Nodes {
				do(t, node, "RPUSH "+keyAt(t, c, i)+" a b c")
				batch = append(batch, clusterList(t, strings.Join(c.Addrs(), ","), keyAt(t, c, i), nil, nil))
			}
			gone := keyAt(t, c, 0)
			conn := scalertest.Open(t, batch[0])
			wantCounts(t, conn, batch, "3", "3", "3")
			if err := c.Nodes[0].Kill(); err != nil {
				t.Fatal(err)
			}
			wantCounts(t, conn, batch, "unavailable", "3", "3")
			if whole { // the others notice, and refuse to answer
				eventually(t, func() error {
					out, err := read(t, conn, batch...)
					if got := strings.Join(counts(out), " "); err == nil && got != "unavailable unavailable unavailable" {
						err = errors.New("want that the cluster is down, got " + got)
					}
					return err
				})
			} else {
				wantCounts(t, conn, batch, "unavailable", "3", "3")
				wantCounts(t, scalertest.Open(t, batch[0]), batch, "unavailable", "3", "3")
				wantOthersRead(t, c, batch[0])
			}
			if err := c.Nodes[0].Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			eventually(t, func() error { return c.Nodes[0].Client().RPush(t.Context(), gone, 1, 2, 3).Err() })
			if whole {
				conn = scalertest.Open(t, batch[0])
			}
			eventually(t, func() error { return wantAll(t, conn, batch, 3) })
		})
	}
}

// wantOthersRead wants that a trigger whose node is gone does not keep others of
// the cluster, which are read apart from it, from being read.
func wantOthersRead(t *testing.T, c *servers.RedisCluster, gone *scalers.Scaler) {
	t.Helper()
	engine := scalertest.Engine(t, poll.Options{FirstBackoff: 10 * time.Second})
	down := set(engine, "gone", 20*time.Millisecond, gone)
	down.Until(t, "the failure", failed(scalers.Unavailable))
	stream := m{"stream": "{" + keyAt(t, c, 1) + "}stream", "addresses": strings.Join(c.Addrs(), ",")}
	up := set(engine, "there", 20*time.Millisecond, decode(t, "redis-cluster-streams", stream, nil))
	for range 5 {
		began := time.Now()
		up.Until(t, "readings", func(r scalers.Reading) bool { return r.Err == nil && r.At.After(began) })
		down.Until(t, "failures", func(r scalers.Reading) bool { return r.Err != nil && r.At.After(began) })
	}
}

func TestRedisClusterFollowsAFailover(t *testing.T) {
	t.Parallel()
	c := scalertest.RedisCluster(t, servers.RedisClusterOptions{Replicas: 1})
	var batch []*scalers.Scaler
	for i, node := range c.Nodes[:3] {
		do(t, node, "RPUSH "+keyAt(t, c, i)+" a b c", "WAIT 1 5000")
		batch = append(batch, clusterList(t, c.Nodes[1].Addr(), keyAt(t, c, i), nil, nil))
	}
	conn := scalertest.Open(t, batch[0])
	wantCounts(t, conn, batch, "3", "3", "3")
	if err := c.Nodes[0].Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	wantCounts(t, conn, batch, "unavailable", "3", "3")
	eventually(t, func() error { return wantAll(t, conn, batch, 3) })
	t.Logf("it took %s", time.Since(killed))
}

func TestRedisClusterAccess(t *testing.T) {
	t.Parallel()
	ca, err := servers.NewAuthority("ours")
	if err != nil {
		t.Fatal(err)
	}
	files, err := ca.WriteServer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := scalertest.RedisCluster(t, servers.RedisClusterOptions{TLS: files, Password: "secret", ACL: []string{
		"user reader on >pw ~list* resetchannels -@all +llen +cluster|slots", "user blind on >pw ~* -@all +llen", "user idle on >pw ~* -@all +cluster|slots",
	}})
	addrs := strings.Join(c.Addrs(), ",")
	named := strings.ReplaceAll(addrs, "127.0.0.1", "localhost")
	on := m{"enableTLS": "true"}
	as := func(user, password string) m { return m{"ca": ca.PEM, "username": user, "password": password} }
	for name, tc := range map[string]struct {
		s     *scalers.Scaler
		class scalers.Class
		text  string // "" wants the number 0
	}{
		"minimal rights":   {clusterList(t, addrs, "list", on, as("reader", "pw")), 0, ""},
		"by name":          {clusterList(t, named, "list", on, as("reader", "pw")), 0, ""},
		"password":         {clusterList(t, addrs, "list", on, m{"ca": ca.PEM, "password": "secret"}), 0, ""},
		"wrong password":   {clusterList(t, addrs, "list", on, as("reader", "wrong")), scalers.Authentication, "username and password"},
		"no password":      {clusterList(t, addrs, "list", on, m{"ca": ca.PEM}), scalers.Authentication, "username and password"},
		"no right to know": {clusterList(t, addrs, "list", on, as("blind", "pw")), scalers.Authentication, "CLUSTER SLOTS"},
		"no right to read": {clusterList(t, addrs, "list", on, as("idle", "pw")), scalers.Authentication, "LLEN"},
		"not this key":     {clusterList(t, addrs, "other", on, as("reader", "pw")), scalers.Authentication, `"other"`},
		"strange CA":       {clusterList(t, addrs, "list", on, m{"password": "secret"}), scalers.Unavailable, "certificate"},
		"no TLS":           {clusterList(t, addrs, "list", nil, m{"password": "secret"}), scalers.Unavailable, "closed the connection"},
	} {
		t.Run(name, func(t *testing.T) { wantError(t, tc.s, tc.class, tc.text) })
	}
}

// wantError reads s and wants an error of the class that holds the text or, when
// that is "", the number 0.
func wantError(t *testing.T, s *scalers.Scaler, class scalers.Class, text string) {
	t.Helper()
	out, err := read(t, scalertest.Open(t, s), s)
	if err == nil {
		err = out[0].Err
	}
	switch {
	case text == "" && (err != nil || counts(out)[0] != "0"):
		t.Errorf("read %v, %v; want 0", out, err)
	case text == "":
	case err == nil || scalers.ClassOf(err) != class || !strings.Contains(err.Error(), text):
		t.Errorf("read %v, %v, of class %s; want an error of class %s with %q", out, err, scalers.ClassOf(err), class, text)
	case strings.Contains(err.Error(), "\n"):
		t.Errorf("the error is more than a line: %v", err)
	}
}
