package conn_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// tlsServer is a server signed by the authority. It may want a certificate of it.
func tlsServer(t testing.TB, ca *servers.Authority, wants bool, f http.HandlerFunc) string {
	t.Helper()
	pair, err := ca.Issue("server")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair([]byte(pair.Cert), []byte(pair.Key))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(f)
	s.Config.ErrorLog = quiet
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	if wants {
		s.TLS.ClientAuth, s.TLS.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		s.TLS.ClientCAs.AppendCertsFromPEM([]byte(ca.PEM))
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

func authority(t testing.TB) *servers.Authority {
	t.Helper()
	ca, err := servers.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// Authorities count without any mode; in mode tls all of the block does.
func TestHTTPTLS(t *testing.T) {
	ca := authority(t)
	pair, err := ca.Issue("client")
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := pair.EncryptedKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	open := tlsServer(t, ca, false, func(http.ResponseWriter, *http.Request) {})
	closed := tlsServer(t, ca, true, func(http.ResponseWriter, *http.Request) {})
	key, locked, password := param.NewSecret(pair.Key), param.NewSecret(encrypted), param.NewSecret(secret)
	for name, tc := range map[string]struct {
		address string
		auth    conn.HTTPAuth
		good    bool
	}{
		"nothing":                  {open, conn.HTTPAuth{}, false},
		"ca":                       {open, conn.HTTPAuth{TLS: conn.TLS{CA: ca.PEM}}, true},
		"ca of another":            {open, conn.HTTPAuth{TLS: conn.TLS{CA: authority(t).PEM}}, false},
		"unsafe":                   {open, conn.HTTPAuth{TLS: conn.TLS{UnsafeSSL: true}}, true},
		"ca, no certificate":       {closed, conn.HTTPAuth{TLS: conn.TLS{CA: ca.PEM, Cert: pair.Cert, Key: key}}, false},
		"tls":                      {closed, conn.HTTPAuth{Modes: []string{"tls"}, TLS: conn.TLS{CA: ca.PEM, Cert: pair.Cert, Key: key}}, true},
		"tls, unsafe":              {closed, conn.HTTPAuth{Modes: []string{"tls"}, TLS: conn.TLS{UnsafeSSL: true, Cert: pair.Cert, Key: key}}, true},
		"tls, key with a password": {closed, conn.HTTPAuth{Modes: []string{"tls"}, TLS: conn.TLS{CA: ca.PEM, Cert: pair.Cert, Key: locked, KeyPassword: password}}, true},
	} {
		if _, err := get(t, tc.address, tc.auth, nil); (err == nil) != tc.good {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := get(t, open, conn.HTTPAuth{}, nil); err == nil || scalers.ClassOf(err) != scalers.Unavailable || !strings.Contains(err.Error(), "parameter ca") {
		t.Errorf("an unknown authority: got %v", err)
	}
	wrong := conn.HTTPAuth{Modes: []string{"tls"}, TLS: conn.TLS{Cert: pair.Cert, Key: locked, KeyPassword: param.NewSecret("x")}}
	if err := wrong.Validate(); err == nil || !strings.Contains(err.Error(), "keyPassword") {
		t.Errorf("a wrong password: got %v", err)
	}
}

// TestDefaults is not parallel: the defaults are the program's.
func TestDefaults(t *testing.T) {
	before := conn.Defaults
	t.Cleanup(func() { conn.Defaults = before })
	ca := authority(t)
	address := tlsServer(t, ca, false, func(http.ResponseWriter, *http.Request) {})
	dir := t.TempDir()
	inner := filepath.Join(dir, "..data")
	if err := os.Mkdir(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(inner, "ca.crt"), []byte(ca.PEM), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join("..data", "ca.crt"), filepath.Join(dir, "ca.crt")); err != nil {
		t.Fatal(err)
	}
	var err error
	if conn.Defaults.RootCAs, err = conn.RootCAs(dir, filepath.Join(dir, "missing")); err != nil {
		t.Fatal(err)
	}
	if _, err := get(t, address, conn.HTTPAuth{}, nil); err != nil {
		t.Errorf("an authority of the folder is not trusted: %v", err)
	}
	if _, err := get(t, address, conn.HTTPAuth{TLS: conn.TLS{CA: authority(t).PEM}}, nil); err == nil {
		t.Error("parameter ca does not take the place of the default")
	}
	i := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	i.Config.ErrorLog = quiet
	i.TLS = &tls.Config{MaxVersion: tls.VersionTLS12}
	i.StartTLS()
	defer i.Close()
	unsafe := conn.HTTPAuth{TLS: conn.TLS{UnsafeSSL: true}}
	if _, err := get(t, i.URL, unsafe, nil); err != nil {
		t.Error(err)
	}
	if conn.Defaults.MinTLS, err = conn.MinTLS("TLS13"); err != nil {
		t.Fatal(err)
	}
	if _, err := get(t, i.URL, unsafe, nil); err == nil || scalers.ClassOf(err) != scalers.Unavailable {
		t.Errorf("TLS 1.2 is spoken although TLS 1.3 is the floor: %v", err)
	}
}

func TestRootCAs(t *testing.T) {
	if roots, err := conn.RootCAs(t.TempDir(), "/missing"); roots != nil || err != nil {
		t.Errorf("without files: got %v, %v", roots, err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"good.pem": authority(t).PEM, "bad.pem": "no PEM", ".hidden": "no PEM"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots, err := conn.RootCAs(dir)
	if roots == nil || err == nil || !strings.Contains(err.Error(), "bad.pem") || strings.Contains(err.Error(), "hidden") {
		t.Errorf("got %v, %v", roots, err)
	}
}

func TestMinTLS(t *testing.T) {
	for text, want := range map[string]uint16{
		"": tls.VersionTLS12, "TLS10": tls.VersionTLS10, "TLS11": tls.VersionTLS11, "TLS12": tls.VersionTLS12, "TLS13": tls.VersionTLS13,
	} {
		if got, err := conn.MinTLS(text); got != want || err != nil {
			t.Errorf("%q is %d, %v", text, got, err)
		}
	}
	if _, err := conn.MinTLS("1.2"); err == nil || !strings.Contains(err.Error(), "TLS13") {
		t.Errorf("got %v", err)
	}
}

// TestCiphers: a server that speaks none of the suites that are asked for is not
// spoken to.
func TestCiphers(t *testing.T) {
	before := conn.Defaults
	t.Cleanup(func() { conn.Defaults = before })
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = quiet
	s.TLS = &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}
	s.StartTLS()
	defer s.Close()
	for _, tc := range []struct {
		text string
		good bool
	}{
		{"", true},
		{" TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 ,", true},
		{"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", false},
		{"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", true},
	} {
		var err error
		if conn.Defaults.Ciphers, err = conn.Ciphers(tc.text); err != nil {
			t.Fatal(err)
		}
		if _, err := get(t, s.URL, conn.HTTPAuth{TLS: conn.TLS{UnsafeSSL: true}}, nil); (err == nil) != tc.good {
			t.Errorf("with %q: %v", tc.text, err)
		}
	}
	if _, err := conn.Ciphers("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,RC4"); err == nil || !strings.Contains(err.Error(), `"RC4"`) {
		t.Errorf("a suite that is none: %v", err)
	}
}

// TestOneRequest: connections are kept, unless each is for one request.
func TestOneRequest(t *testing.T) {
	before := conn.Defaults
	t.Cleanup(func() { conn.Defaults = before })
	for _, one := range []bool{false, true} {
		conn.Defaults.OneRequest = one
		peers := map[string]bool{}
		u := parse(t, server(t, func(_ http.ResponseWriter, r *http.Request) { peers[r.RemoteAddr] = true }))
		c, err := conn.NewHTTP(u, conn.HTTPAuth{}).Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := c.Get(t.Context(), u, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if want := map[bool]int{false: 1, true: 3}[one]; len(peers) != want {
			t.Errorf("one request each is %t, and there were %d connections, want %d", one, len(peers), want)
		}
	}
}
