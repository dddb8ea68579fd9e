package store_test

import (
	"strings"
	"testing"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// wantCount reads s and wants the number.
func wantCount(t *testing.T, s *scalers.Scaler, want string) {
	t.Helper()
	conn, err := s.Source.Open(t.Context())
	if err != nil {
		t.Errorf("opening: %v", err)
		return
	}
	defer func() { _ = conn.Close() }()
	out, err := read(t, conn, s)
	if err == nil {
		err = out[0].Err
	}
	if err != nil || counts(out)[0] != want {
		t.Errorf("read %v, %v; want %s", out[0].Value, err, want)
	}
}

func TestRedisPasswords(t *testing.T) {
	r := scalertest.Redis(t, servers.RedisOptions{
		Password: "pass word", ACL: []string{"user reader on >readers ~* +@all", "user off off >readers ~* +@all"},
	})
	fill(t, r)
	for name, auth := range map[string]m{
		"default": {"password": "pass word"}, "default by name": {"username": "default", "password": "pass word"},
		"user": {"username": "reader", "password": "readers"},
	} {
		t.Run(name, func(t *testing.T) { wantCount(t, list(t, r.Addr(), "list", nil, auth), "3") })
	}
	for name, auth := range map[string]m{
		"none": nil, "wrong": {"password": "wrong"}, "wrong for user": {"username": "reader", "password": "wrong"},
		"no such user": {"username": "nobody", "password": "readers"}, "disabled user": {"username": "off", "password": "readers"},
		"user without password": {"username": "reader"},
	} {
		t.Run(name, func(t *testing.T) {
			wantClass(t, list(t, r.Addr(), "list", nil, auth), scalers.Authentication)
		})
	}
}

func TestRedisPasswordThatTheServerDoesNotAskFor(t *testing.T) {
	r := scalertest.Redis(t, servers.RedisOptions{})
	fill(t, r)
	// With HELLO, an open server takes any password of the user default.
	wantCount(t, list(t, r.Addr(), "list", nil, m{"password": "any"}), "3")
	wantClass(t, list(t, r.Addr(), "list", nil, m{"username": "nobody", "password": "any"}), scalers.Authentication)
}

func TestRedisRights(t *testing.T) {
	const counting = "+llen +scard +hlen +zcard +type"
	r := scalertest.Redis(t, servers.RedisOptions{ACL: []string{
		"user counter on >pw ~* resetchannels -@all " + counting,
		"user selector on >pw ~* -@all +select " + counting,
		"user lists on >pw ~list -@all +llen",
		"user nothing on >pw ~* -@all",
	}})
	fill(t, r)
	as := func(user, key string, metadata m) *scalers.Scaler {
		return list(t, r.Addr(), key, metadata, m{"username": user, "password": "pw"})
	}
	for name, tc := range map[string]struct {
		reason string
		s      *scalers.Scaler
		want   string
		class  scalers.Class
	}{
		"counter, list":    {"counting needs no right but to count", as("counter", "list", nil), "3", 0},
		"counter, zset":    {"and, for what is no list, to ask for the type", as("counter", "zset", nil), "5", 0},
		"counter, select":  {"another database needs the right to select it", as("counter", "list", m{"databaseIndex": "1"}), "", scalers.Authentication},
		"selector":         {"with which it is read", as("selector", "list", m{"databaseIndex": "1"}), "0", 0},
		"lists, list":      {"one key may be enough", as("lists", "list", nil), "3", 0},
		"lists, other key": {"another key is not allowed", as("lists", "set", nil), "", scalers.Authentication},
		"nothing":          {"nothing is allowed", as("nothing", "list", nil), "", scalers.Authentication},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			if tc.want == "" {
				wantClass(t, tc.s, tc.class)
				return
			}
			wantCount(t, tc.s, tc.want)
		})
	}
}

// One key that the user may not read must not cost the others their numbers.
func TestRedisRightsAreOfSingleKeys(t *testing.T) {
	r := scalertest.Redis(t, servers.RedisOptions{ACL: []string{"user some on >pw ~list ~zset -@all +llen +zcard +type"}})
	fill(t, r)
	auth := m{"username": "some", "password": "pw"}
	var batch []*scalers.Scaler
	for _, key := range []string{"set", "list", "zset", "hash"} {
		batch = append(batch, list(t, r.Addr(), key, nil, auth))
	}
	out, err := read(t, scalertest.Open(t, batch[0]), batch...)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(counts(out), " "); got != "authentication 3 5 authentication" {
		t.Errorf("read %s", got)
	}
	all, err := read(t, scalertest.Open(t, batch[0]), batch[0], batch[3]) // none may be read
	if err != nil {
		t.Fatalf("rights to keys concern the whole connection: %v", err)
	}
	if got := strings.Join(counts(all), " "); got != "authentication authentication" {
		t.Errorf("read %s", got)
	}
}

func TestRedisTLS(t *testing.T) {
	ca, err := servers.NewAuthority("ours")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := servers.NewAuthority("stranger")
	if err != nil {
		t.Fatal(err)
	}
	files, err := ca.WriteServer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	asking := *files
	asking.RequireClient = true
	open, strict := scalertest.Redis(t, servers.RedisOptions{TLS: files}), scalertest.Redis(t, servers.RedisOptions{TLS: &asking})
	fill(t, open)
	fill(t, strict)
	pair, err := ca.Issue("client")
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := stranger.Issue("client")
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := pair.EncryptedKey("key password")
	if err != nil {
		t.Fatal(err)
	}
	localhost := strings.Replace(open.Addr(), "127.0.0.1", "localhost", 1)
	on := m{"enableTLS": "true"}
	for name, tc := range map[string]struct {
		reason   string
		addr     string
		metadata m
		auth     m
		fails    bool
	}{
		"ca":                 {"the authority is trusted", open.Addr(), on, m{"ca": ca.PEM}, false},
		"ca, by name":        {"the certificate is for localhost too", localhost, on, m{"ca": ca.PEM}, false},
		"tls enable":         {"TLS may be asked for in the authentication", open.Addr(), nil, m{"tls": "enable", "ca": ca.PEM}, false},
		"unsafeSsl":          {"nothing is checked", open.Addr(), m{"enableTLS": "true", "unsafeSsl": "true"}, nil, false},
		"wrong ca":           {"another authority is trusted", open.Addr(), on, m{"ca": stranger.PEM}, true},
		"system's":           {"the system does not know the authority", open.Addr(), on, nil, true},
		"no TLS":             {"the server speaks nothing else", open.Addr(), nil, nil, true},
		"tls disable":        {"the server speaks nothing else", open.Addr(), nil, m{"tls": "disable", "ca": ca.PEM}, true},
		"client":             {"the server knows the client's authority", strict.Addr(), on, m{"ca": ca.PEM, "cert": pair.Cert, "key": pair.Key}, false},
		"client, Cert":       {"cert has another name", strict.Addr(), on, m{"ca": ca.PEM, "Cert": pair.Cert, "key": pair.Key}, false},
		"client, encrypted":  {"the password opens the key", strict.Addr(), on, m{"ca": ca.PEM, "cert": pair.Cert, "key": encrypted, "keyPassword": "key password"}, false},
		"client, unsafeSsl":  {"a client may show itself to anyone", strict.Addr(), m{"enableTLS": "true", "unsafeSsl": "true"}, m{"cert": pair.Cert, "key": pair.Key}, false},
		"no client":          {"the server wants a certificate", strict.Addr(), on, m{"ca": ca.PEM}, true},
		"a stranger's":       {"the server does not know the client's authority", strict.Addr(), on, m{"ca": ca.PEM, "cert": foreign.Cert, "key": foreign.Key}, true},
		"no server with TLS": {"TLS to nobody", "127.0.0.1:1", on, m{"ca": ca.PEM}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			s := list(t, tc.addr, "list", tc.metadata, tc.auth)
			if tc.fails {
				wantClass(t, s, scalers.Unavailable)
				return
			}
			wantCount(t, s, "3")
		})
	}
}

// A connection that cannot log in, or select its database, concerns every
// trigger: it is an error of the whole, which the engine backs off from.
func TestRedisLoginConcernsTheWholeConnection(t *testing.T) {
	r := scalertest.Redis(t, servers.RedisOptions{Password: "right"})
	for name, tc := range map[string]struct {
		metadata, auth m
		class          scalers.Class
	}{
		"wrong password": {nil, m{"password": "wrong"}, scalers.Authentication},
		"no password":    {nil, nil, scalers.Authentication},
		"database":       {m{"databaseIndex": "99"}, m{"password": "right"}, scalers.Configuration},
	} {
		t.Run(name, func(t *testing.T) {
			var batch []*scalers.Scaler
			for _, key := range []string{"a", "b", "c"} {
				batch = append(batch, list(t, r.Addr(), key, tc.metadata, tc.auth))
			}
			out, err := read(t, scalertest.Open(t, batch[0]), batch...)
			if err == nil || scalers.ClassOf(err) != tc.class {
				t.Errorf("got %v and %v, want an error of class %s for all", counts(out), err, tc.class)
			}
		})
	}
}
