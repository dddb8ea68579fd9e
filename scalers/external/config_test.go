package external_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

func TestParameters(t *testing.T) {
	authority, err := servers.NewAuthority("a")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue("client")
	if err != nil {
		t.Fatal(err)
	}
	other, err := authority.Issue("other")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		metadata, auth m
		faults         []string // parts of the error; none is no error
	}{
		"address":           {metadata: m{"scalerAddress": "scaler.shop:9090"}},
		"no port":           {metadata: m{"scalerAddress": "scaler.shop"}},
		"IPv6":              {metadata: m{"scalerAddress": "[::1]:9090"}},
		"resolver":          {metadata: m{"scalerAddress": "dns:///scaler.shop:9090"}},
		"no address":        {faults: []string{"parameter scalerAddress is missing"}},
		"no host":           {metadata: m{"scalerAddress": ":9090"}, faults: []string{"scalerAddress", "host:port"}},
		"a URL":             {metadata: m{"scalerAddress": "http://scaler:9090"}, faults: []string{"scalerAddress", "host:port"}},
		"a path":            {metadata: m{"scalerAddress": "scaler:9090/x"}, faults: []string{"scalerAddress", "host:port"}},
		"a socket":          {metadata: m{"scalerAddress": "unix:///run/x.sock"}, faults: []string{"scalerAddress", "host:port"}},
		"other keys":        {metadata: m{"scalerAddress": "s:1", "queue": "orders", "tokenFromEnv": "TOKEN"}},
		"no bool":           {metadata: m{"scalerAddress": "s:1", "enableTLS": "maybe"}, faults: []string{"enableTLS", "maybe"}},
		"removed":           {metadata: m{"scalerAddress": "s:1", "tlsCertFile": "/x"}, faults: []string{"tlsCertFile", "removed", "caCert"}},
		"client cert":       {metadata: m{"scalerAddress": "s:1"}, auth: m{"tlsClientCert": pair.Cert, "tlsClientKey": pair.Key}},
		"cert without key":  {metadata: m{"scalerAddress": "s:1"}, auth: m{"tlsClientCert": pair.Cert}, faults: []string{"tlsClientCert and tlsClientKey go together"}},
		"key without cert":  {metadata: m{"scalerAddress": "s:1"}, auth: m{"tlsClientKey": pair.Key}, faults: []string{"tlsClientCert and tlsClientKey go together"}},
		"key of another":    {metadata: m{"scalerAddress": "s:1"}, auth: m{"tlsClientCert": pair.Cert, "tlsClientKey": other.Key}, faults: []string{"tlsClientCert and tlsClientKey are not"}},
		"no authority":      {metadata: m{"scalerAddress": "s:1"}, auth: m{"caCert": "x"}, faults: []string{"caCert"}},
		"all faults":        {metadata: m{"scalerAddress": "a/b"}, auth: m{"caCert": "x", "tlsClientKey": "y"}, faults: []string{"scalerAddress", "caCert", "tlsClientKey"}},
		"TLS in metadata":   {metadata: m{"scalerAddress": "s:1", "caCert": "told to the scaler"}},
		"unsafe without it": {metadata: m{"scalerAddress": "s:1", "unsafeSsl": "true"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, kind := range []string{"external", "external-push"} {
				_, notices, err := scalers.Decode(kind, param.Input{Metadata: tc.metadata, Auth: tc.auth}, setting("worker"))
				if len(notices) > 0 {
					t.Errorf("%s: there are the notices %+v", kind, notices)
				}
				if (err == nil) != (len(tc.faults) == 0) {
					t.Fatalf("%s: got %v, want faults %q", kind, err, tc.faults)
				}
				for _, part := range tc.faults {
					if !strings.Contains(err.Error(), part) || scalers.ClassOf(err) != scalers.Configuration {
						t.Errorf("%s: the error lacks %q: %v", kind, part, err)
					}
				}
			}
		})
	}
}

// Triggers share a connection when they speak to one address in one way, whatever
// they ask.
func TestSources(t *testing.T) {
	base := decode(t, "external", "worker", "scaler:9090", nil, nil)
	for name, tc := range map[string]struct {
		s      *scalers.Scaler
		shared bool
	}{
		"another object":      {decode(t, "external", "other", "scaler:9090", m{"queue": "x"}, nil), true},
		"the pushing kind":    {decode(t, "external-push", "worker", "scaler:9090", nil, nil), true},
		"the resolver named":  {decode(t, "external", "worker", "dns:///scaler:9090", nil, nil), true},
		"unsafe without TLS":  {decode(t, "external", "worker", "scaler:9090", m{"unsafeSsl": "true"}, nil), true},
		"another address":     {decode(t, "external", "worker", "scaler:9091", nil, nil), false},
		"with TLS":            {decode(t, "external", "worker", "scaler:9090", m{"enableTLS": "true"}, nil), false},
		"with TLS and unsafe": {decode(t, "external", "worker", "scaler:9090", m{"enableTLS": "true", "unsafeSsl": "true"}, nil), false},
	} {
		if shared := tc.s.Source.Fingerprint == base.Source.Fingerprint; shared != tc.shared {
			t.Errorf("%s: shared is %v", name, shared)
		}
		if tc.s.Query == base.Query && name != "unsafe without TLS" {
			t.Errorf("%s: it is the same read", name)
		}
	}
}

// The values of variables are told to the scaler and to nobody else, and take
// part in the trigger's identity.
func TestVariablesStaySecret(t *testing.T) {
	const text = "S3NT1N3L"
	in := param.Input{
		Metadata: m{"scalerAddress": "scaler:9090", "tokenFromEnv": "TOKEN", "noneFromEnv": "NONE"},
		Env:      m{"TOKEN": text},
	}
	s, _, err := scalers.Decode("external", in, setting("worker"))
	if err != nil {
		t.Fatal(err)
	}
	if seen := fmt.Sprintf("%v %+v %#v %s", s, s, s, s.Source.Name); strings.Contains(seen, text) {
		t.Errorf("it can be read in %s", seen)
	}
	in.Env = m{"TOKEN": "another"}
	other, _, err := scalers.Decode("external", in, setting("worker"))
	if err != nil || other.Query == s.Query {
		t.Errorf("with another value it is the same read, %v", err)
	}
	in.Env = m{"TOKEN": "\xff\xfe" + text}
	_, _, err = scalers.Decode("external", in, setting("worker"))
	if err == nil || strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), "tokenFromEnv") {
		t.Errorf("a value that is not text: %v", err)
	}
}

func TestWhatTheScalerIsTold(t *testing.T) {
	server := start(t, servers.ExternalOptions{})
	server.Set("worker", metric{Name: "queue", Target: 5, Value: 1})
	in := param.Input{
		Metadata: m{
			"scalerAddress": server.Addr(), "enableTLS": "false", "queue": "orders", "empty": "",
			"tokenFromEnv": "TOKEN", "goneFromEnv": "GONE", "blankFromEnv": "BLANK",
		},
		Env:  m{"TOKEN": "t0k3n", "BLANK": "", "OTHER": "x"},
		Auth: m{"password": "hidden", "caCert": ""},
	}
	s, _, err := scalers.Decode("external", in, setting("worker"))
	if err != nil {
		t.Fatal(err)
	}
	if r := read(t, s); r.Err != nil {
		t.Fatal(r.Err)
	}
	got := server.Seen("worker")
	want := m{"scalerAddress": server.Addr(), "enableTLS": "false", "queue": "orders", "empty": "", "tokenFromEnv": "t0k3n"}
	if got.GetNamespace() != "shop" || !maps.Equal(got.GetScalerMetadata(), want) {
		t.Errorf("it was told of %s with %q, want %q", got.GetNamespace(), got.GetScalerMetadata(), want)
	}
}
