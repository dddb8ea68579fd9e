package external_test

import (
	"strings"
	"testing"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	trusted, client, clientPair := authority(t)
	stranger, _, strangerPair := authority(t)
	for name, tc := range map[string]struct {
		requireClient  bool
		plain          bool // the server speaks no TLS
		metadata, auth m
		words          string // a part of the error; "" is none
	}{
		"authority":          {auth: m{"caCert": trusted.PEM}},
		"unsafe":             {metadata: m{"enableTLS": "true", "unsafeSsl": "true"}},
		"not trusted":        {metadata: m{"enableTLS": "true"}, words: "check caCert"},
		"another authority":  {auth: m{"caCert": stranger.PEM}, words: "check caCert"},
		"without TLS":        {words: "set enableTLS"},
		"TLS to a plain one": {plain: true, auth: m{"caCert": trusted.PEM}, words: "whether the scaler speaks TLS"},
		"client": {
			requireClient: true,
			auth:          m{"caCert": trusted.PEM, "tlsClientCert": clientPair.Cert, "tlsClientKey": clientPair.Key},
		},
		"client alone asks for TLS": {
			requireClient: true, metadata: m{"unsafeSsl": "true"},
			auth: m{"tlsClientCert": clientPair.Cert, "tlsClientKey": clientPair.Key},
		},
		"no client": {requireClient: true, auth: m{"caCert": trusted.PEM}, words: "GetMetricSpec"},
		"another client": {
			requireClient: true,
			auth:          m{"caCert": trusted.PEM, "tlsClientCert": strangerPair.Cert, "tlsClientKey": strangerPair.Key},
			words:         "GetMetricSpec", // hangs up before or after it says why
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := *client
			files.RequireClient = tc.requireClient
			options := servers.ExternalOptions{TLS: &files}
			if tc.plain {
				options.TLS = nil
			}
			server := start(t, options)
			server.Set("worker", of("q", 5, 7))
			r := read(t, decode(t, "external", "worker", server.Addr(), tc.metadata, tc.auth))
			switch {
			case tc.words == "" && (r.Err != nil || r.Value.Series[0].Value != 7):
				t.Errorf("got %+v, %v", r.Value, r.Err)
			case tc.words != "" && (r.Err == nil || !strings.Contains(r.Err.Error(), tc.words) || scalers.ClassOf(r.Err) != scalers.Unavailable):
				t.Errorf("got %+v and an error of class %s: %v", r.Value, scalers.ClassOf(r.Err), r.Err)
			}
			if r.Err != nil && strings.Contains(r.Err.Error(), "PRIVATE KEY") {
				t.Errorf("the error shows a key: %v", r.Err)
			}
		})
	}
}

// authority makes one, with a server's files and a client's pair.
func authority(t *testing.T) (*servers.Authority, *servers.TLSFiles, servers.Pair) {
	t.Helper()
	a, err := servers.NewAuthority("authority")
	if err != nil {
		t.Fatal(err)
	}
	files, err := a.WriteServer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := a.Issue("client")
	if err != nil {
		t.Fatal(err)
	}
	return a, files, pair
}
