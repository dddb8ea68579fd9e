package store_test

import (
	"strings"
	"testing"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

func TestRedisParameterFaults(t *testing.T) {
	ca, err := servers.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue("client")
	if err != nil {
		t.Fatal(err)
	}
	other, err := ca.Issue("other")
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := pair.EncryptedKey("pw")
	if err != nil {
		t.Fatal(err)
	}
	good := m{"listName": "orders", "address": "h:1"}
	for name, tc := range map[string]struct {
		reason   string
		metadata m // nil values of good are taken away by ""
		auth     m
		names    []string
	}{
		"no list":             {"the key is needed", m{"listName": ""}, nil, []string{"listName"}},
		"no address":          {"a server is needed", m{"address": ""}, nil, []string{"address"}},
		"no list nor address": {"faults of single parameters come first", m{"listName": "", "address": ""}, nil, []string{"listName"}},
		"no port":             {"an address has a port", m{"address": "host"}, nil, []string{"host:port"}},
		"one of two bad":      {"every address has a port", m{"address": "a:1,b"}, nil, []string{`"b"`}},
		"empty address":       {"a comma too many", m{"address": "a:1,,"}, nil, []string{"address"}},
		"host alone":          {"a host has a port", m{"address": "", "host": "h"}, nil, []string{"host", "port"}},
		"port alone":          {"a port has a host", m{"address": "", "port": "1"}, nil, []string{"host", "port"}},
		"two hosts, one port": {"each host has a port", m{"address": "", "hosts": "a,b", "ports": "1"}, nil, []string{"hosts", "ports"}},
		"length 0":            {"the target divides", m{"listLength": "0"}, nil, []string{"listLength"}},
		"length negative":     {"the target divides", m{"listLength": "-1"}, nil, []string{"listLength"}},
		"length text":         {"the target is a number", m{"listLength": "five"}, nil, []string{"listLength", "five"}},
		"length fraction":     {"the target is an integer", m{"listLength": "1.5"}, nil, []string{"listLength", "1.5"}},
		"activation text":     {"the activation is a number", m{"activationListLength": "x"}, nil, []string{"activationListLength"}},
		"database text":       {"a database is a number", m{"databaseIndex": "zero"}, nil, []string{"databaseIndex"}},
		"database negative":   {"a database is not negative", m{"databaseIndex": "-1"}, nil, []string{"databaseIndex"}},
		"unsafeSsl text":      {"a flag is true or false", m{"unsafeSsl": "maybe"}, nil, []string{"unsafeSsl"}},
		"enableTLS text":      {"a flag is true or false", m{"enableTLS": "enable"}, nil, []string{"enableTLS"}},
		"tls text":            {"enable or disable", nil, m{"tls": "true"}, []string{"tls"}},
		"tls twice":           {"one of the two", m{"enableTLS": "true"}, m{"tls": "enable"}, []string{"enableTLS", "tls"}},
		"ca no PEM":           {"a certificate is PEM", m{"enableTLS": "true"}, m{"ca": "x"}, []string{"ca"}},
		"cert alone":          {"a certificate has a key", m{"enableTLS": "true"}, m{"cert": pair.Cert}, []string{"cert", "key"}},
		"key alone":           {"a key has a certificate", m{"enableTLS": "true"}, m{"key": pair.Key}, []string{"cert", "key"}},
		"cert no PEM":         {"a certificate is PEM", m{"enableTLS": "true"}, m{"cert": "x", "key": pair.Key}, []string{"cert"}},
		"key no PEM":          {"a key is PEM", m{"enableTLS": "true"}, m{"cert": pair.Cert, "key": "x"}, []string{"key"}},
		"key of another":      {"the key is that of the certificate", m{"enableTLS": "true"}, m{"cert": pair.Cert, "key": other.Key}, []string{"cert", "key"}},
		"password missing":    {"an encrypted key has a password", m{"enableTLS": "true"}, m{"cert": pair.Cert, "key": encrypted}, []string{"key"}},
		"password wrong":      {"the password opens the key", m{"enableTLS": "true"}, m{"cert": pair.Cert, "key": encrypted, "keyPassword": "no"}, []string{"keyPassword"}},
		"password for plain":  {"a plain key has no password", m{"enableTLS": "true"}, m{"cert": pair.Cert, "key": pair.Key, "keyPassword": "pw"}, []string{"key"}},
		"key garbled":         {"a key is PEM", m{"enableTLS": "true"}, m{"cert": pair.Cert, "key": "x", "keyPassword": "pw"}, []string{"key"}},
		"all at once":         {"every fault is told", m{"databaseIndex": "-1", "listLength": "0", "unsafeSsl": "x"}, nil, []string{"databaseIndex", "listLength", "unsafeSsl"}},
		"rules at once":       {"every broken rule is told", m{"address": "host", "enableTLS": "x"}, m{"ca": "x"}, []string{"host:port", "enableTLS", "ca"}},
	} {
		t.Run(name, func(t *testing.T) {
			in := param.Input{Metadata: m{}, Auth: tc.auth}
			for _, from := range []m{good, tc.metadata} {
				for k, v := range from {
					in.Metadata[k] = v
				}
			}
			s, _, err := scalers.Decode("redis", in, scalers.Setting{})
			if err == nil {
				t.Fatalf("%s: it decodes as %+v", tc.reason, s)
			}
			if class := scalers.ClassOf(err); class != scalers.Configuration {
				t.Errorf("%s: the error is of class %s", tc.reason, class)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: the error is more than a line: %q", tc.reason, err)
			}
			for _, name := range tc.names {
				if !strings.Contains(err.Error(), name) {
					t.Errorf("%s: the error does not name %s: %v", tc.reason, name, err)
				}
			}
			for _, secret := range []string{pair.Key, encrypted} {
				if strings.Contains(err.Error(), secret) {
					t.Error("the error holds a key")
				}
			}
		})
	}
}

func TestRedisNotices(t *testing.T) {
	_, notices, err := scalers.Decode("redis", param.Input{Metadata: m{
		"listName": "orders", "address": "h:1", "metricName": "mine", "listlength": "7",
	}}, scalers.Setting{})
	if err != nil || len(notices) != 2 || notices[0].Key != "listlength" || notices[1].Key != "metricName" {
		t.Errorf("got notices %v, %v; want one for each key that has no effect", notices, err)
	}
}

// What is not used to connect must not make another connection.
func TestRedisSources(t *testing.T) {
	base := list(t, "h:1", "orders", nil, nil)
	for name, other := range map[string]*scalers.Scaler{
		"another key":     list(t, "h:1", "other", nil, nil),
		"another target":  list(t, "h:1", "orders", m{"listLength": "9"}, nil),
		"TLS off":         list(t, "h:1", "orders", m{"enableTLS": "false", "unsafeSsl": "true"}, nil),
		"a second server": list(t, "h:1,b:2", "orders", nil, nil),
	} {
		if other.Source.Fingerprint != base.Source.Fingerprint {
			t.Errorf("%s makes another source", name)
		}
	}
	for name, other := range map[string]*scalers.Scaler{
		"another server":   list(t, "b:1", "orders", nil, nil),
		"another user":     list(t, "h:1", "orders", m{"username": "u"}, nil),
		"another password": list(t, "h:1", "orders", nil, m{"password": "p"}),
		"another database": list(t, "h:1", "orders", m{"databaseIndex": "1"}, nil),
		"TLS":              list(t, "h:1", "orders", m{"enableTLS": "true"}, nil),
		"unsafe TLS":       list(t, "h:1", "orders", m{"enableTLS": "true", "unsafeSsl": "true"}, nil),
	} {
		if other.Source.Fingerprint == base.Source.Fingerprint {
			t.Errorf("%s makes no other source", name)
		}
		if other.Fingerprint == base.Fingerprint {
			t.Errorf("%s makes no other configuration", name)
		}
	}
	a, b := list(t, "h:1", "orders", nil, m{"password": "p"}), list(t, "h:1", "orders", m{"password": "p"}, nil)
	if a.Fingerprint != b.Fingerprint {
		t.Error("where a value comes from makes another configuration")
	}
}
