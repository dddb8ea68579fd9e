package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"slices"
	"testing"
)

func TestWriteCerts(t *testing.T) {
	dir := newFolder(t)
	if err := writeCerts(dir + "/" + pkiDir); err != nil {
		t.Fatal(err)
	}
	for _, authority := range []struct {
		name   string
		other  string
		issues []certificate
	}{
		{caName, proxyCAName, caIssues},
		{proxyCAName, caName, proxyIssues},
	} {
		for _, want := range authority.issues {
			t.Run(want.file, func(t *testing.T) {
				pair, err := tls.LoadX509KeyPair(certPath(dir, want.file), keyPath(dir, want.file))
				if err != nil {
					t.Fatalf("certificate and key do not fit: %v", err)
				}
				for _, usage := range want.usages {
					options := x509.VerifyOptions{Roots: pool(t, dir, authority.name), KeyUsages: []x509.ExtKeyUsage{usage}}
					if usage == x509.ExtKeyUsageServerAuth {
						options.DNSName = "127.0.0.1"
					}
					if _, err := pair.Leaf.Verify(options); err != nil {
						t.Errorf("not good for usage %v: %v", usage, err)
					}
				}
				options := x509.VerifyOptions{Roots: pool(t, dir, authority.other), KeyUsages: want.usages}
				if _, err := pair.Leaf.Verify(options); err == nil {
					t.Errorf("trusted by %s, which did not issue it", authority.other)
				}
				if got := pair.Leaf.Subject; got.CommonName != want.user || !slices.Equal(got.Organization, want.groups) {
					t.Errorf("is of %q in %q, want %q in %q", got.CommonName, got.Organization, want.user, want.groups)
				}
				if info, err := os.Stat(keyPath(dir, want.file)); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("key has mode %v (%v), want 0600", info.Mode(), err)
				}
			})
		}
	}
}

func TestClientCertificateDoesNotServe(t *testing.T) {
	dir := newFolder(t)
	if err := writeCerts(dir + "/" + pkiDir); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(certPath(dir, admin.name), keyPath(dir, admin.name))
	if err != nil {
		t.Fatal(err)
	}
	options := x509.VerifyOptions{Roots: pool(t, dir, caName), KeyUsages: serverUse}
	if _, err := pair.Leaf.Verify(options); err == nil {
		t.Error("the administrator's certificate is good for a server")
	}
}

func pool(t *testing.T, dir, authority string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(certPath(dir, authority))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		t.Fatalf("no certificate in %s", authority)
	}
	return roots
}

// newFolder is an opened folder of a cluster.
func newFolder(t *testing.T) string {
	t.Helper()
	dir, unlock, err := openFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(unlock)
	return dir
}
