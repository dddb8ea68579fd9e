package cluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// Certificates and keys of a cluster, by path below its folder.
const (
	caCert          = "pki/ca.crt"
	proxyCACert     = "pki/front-proxy-ca.crt"
	proxyName       = "front-proxy-client"
	serviceKey      = "pki/sa.key"
	servicePublic   = "pki/sa.pub"
	lifetime        = 365 * 24 * time.Hour
	certPEM, keyPEM = "CERTIFICATE", "PRIVATE KEY"
)

// identity is the holder of a client certificate.
type identity struct {
	name   string // of its files
	user   string
	groups []string
}

var identities = []identity{
	{"admin", "admin", []string{"system:masters"}},
	{"controller-manager", "system:kube-controller-manager", nil},
	{"scheduler", "system:kube-scheduler", nil},
}

// makeCerts writes all certificates and keys of a cluster below dir.
func makeCerts(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "pki"), 0o700); err != nil {
		return fmt.Errorf("making the folder of certificates: %w", err)
	}
	ca, err := newAuthority(dir, caCert, "freshet-local")
	if err != nil {
		return err
	}
	if err := ca.issue(dir, "apiserver", &x509.Certificate{
		Subject:  pkix.Name{CommonName: "kube-apiserver"},
		DNSNames: []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses: []net.IP{
			net.IPv4(127, 0, 0, 1), net.IPv6loopback, net.IPv4(10, 0, 0, 1),
		},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}); err != nil {
		return err
	}
	for _, id := range identities {
		if err := ca.issueClient(dir, id); err != nil {
			return err
		}
	}
	proxyCA, err := newAuthority(dir, proxyCACert, "freshet-local-front-proxy")
	if err != nil {
		return err
	}
	if err := proxyCA.issueClient(dir, identity{name: proxyName, user: proxyName}); err != nil {
		return err
	}
	return makeServiceAccountKey(dir)
}

func newAuthority(dir, path, name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the key of %s: %w", name, err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parsing the certificate of %s: %w", name, err)
	}
	return &authority{cert, key}, writePEM(filepath.Join(dir, path), certPEM, der)
}

func (a *authority) issueClient(dir string, id identity) error {
	return a.issue(dir, id.name, &x509.Certificate{
		Subject:     pkix.Name{CommonName: id.user, Organization: id.groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

// issue writes pki/<name>.crt and .key.
func (a *authority) issue(dir, name string, template *x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making the key of %s: %w", name, err)
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := sign(template, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	if err := writePEM(filepath.Join(dir, "pki", name+".crt"), certPEM, der); err != nil {
		return err
	}
	return writeKey(filepath.Join(dir, "pki", name+".key"), key)
}

func sign(template, parent *x509.Certificate, public, signer any) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("choosing a serial number: %w", err)
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Minute)
	template.NotAfter = template.NotBefore.Add(lifetime)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate of %s: %w", template.Subject.CommonName, err)
	}
	return der, nil
}

func makeServiceAccountKey(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making the key of ServiceAccounts: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("encoding the key of ServiceAccounts: %w", err)
	}
	if err := writePEM(filepath.Join(dir, servicePublic), "PUBLIC KEY", public); err != nil {
		return err
	}
	return writeKey(filepath.Join(dir, serviceKey), key)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", filepath.Base(path), err)
	}
	return writePEM(path, keyPEM, der)
}

func writePEM(path, kind string, der []byte) error {
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	return nil
}
