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
	"slices"
	"time"
)

// Names of certificates and keys: pki/<name>.crt and pki/<name>.key.
const (
	caName             = "ca"
	servingName        = "serving" // of kube-apiserver, kube-controller-manager and kube-scheduler
	etcdName           = "etcd"
	etcdClientName     = "etcd-client"
	proxyCAName        = "front-proxy-ca"
	proxyClientName    = "front-proxy-client" // what kube-apiserver shows to an aggregated API
	serviceAccountName = "service-accounts"   // a key alone: it signs their tokens
)

// certLifetime outlasts any cluster of this kind.
const certLifetime = 365 * 24 * time.Hour

// certificate says what to issue. The common name of a client certificate is
// its user, the organizations are its groups.
type certificate struct {
	file   string
	user   string
	groups []string
	usages []x509.ExtKeyUsage
}

var (
	clientUse = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	serverUse = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	bothUses  = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
)

// caIssues are the certificates of the cluster's authority, which is also the
// one that kube-apiserver and etcd ask of their clients.
var caIssues = []certificate{
	{file: servingName, user: "localhost", usages: serverUse},
	{file: etcdName, user: "etcd", usages: bothUses},
	{file: etcdClientName, user: "kube-apiserver", usages: clientUse},
	{file: admin.name, user: admin.user, groups: admin.groups, usages: clientUse},
	{file: controllerManager.name, user: controllerManager.user, usages: clientUse},
	{file: scheduler.name, user: scheduler.user, usages: clientUse},
	{file: kwok.name, user: kwok.user, groups: kwok.groups, usages: clientUse},
}

// proxyIssues are the certificates of the front proxy's authority: whoever
// holds one may speak for any user to an aggregated API.
var proxyIssues = []certificate{
	{file: proxyClientName, user: proxyClientName, usages: clientUse},
}

// writeCerts makes every certificate and key of a cluster and writes them to dir.
func writeCerts(dir string) error {
	for _, a := range []struct {
		file   string
		issues []certificate
	}{{caName, caIssues}, {proxyCAName, proxyIssues}} {
		authority, err := newAuthority(dir, a.file)
		if err != nil {
			return err
		}
		for _, c := range a.issues {
			if err := authority.issue(dir, c); err != nil {
				return err
			}
		}
	}
	_, err := newKey(dir, serviceAccountName)
	return err
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newAuthority(dir, file string) (*authority, error) {
	key, err := newKey(dir, file)
	if err != nil {
		return nil, err
	}
	template, err := newTemplate("freshet-" + file)
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	self := &authority{template, key}
	self.cert, err = self.sign(dir, file, template, key.Public())
	return self, err
}

// issue writes a certificate and its key. All servers are on loopback, so all
// have the same names.
func (a *authority) issue(dir string, c certificate) error {
	key, err := newKey(dir, c.file)
	if err != nil {
		return err
	}
	template, err := newTemplate(c.user)
	if err != nil {
		return err
	}
	template.Subject.Organization = c.groups
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = c.usages
	if slices.Contains(c.usages, x509.ExtKeyUsageServerAuth) {
		template.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	_, err = a.sign(dir, c.file, template, key.Public())
	return err
}

// sign makes the certificate of a public key and writes it.
func (a *authority) sign(dir, file string, template *x509.Certificate, public crypto.PublicKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate %s: %w", file, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate %s: %w", file, err)
	}
	return cert, writePEM(filepath.Join(dir, file+".crt"), "CERTIFICATE", der)
}

func newTemplate(commonName string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("choosing a serial number: %w", err)
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    now.Add(-time.Minute), // clocks differ
		NotAfter:     now.Add(certLifetime),
	}, nil
}

// newKey makes a private key and writes it.
func newKey(dir, file string) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the key %s: %w", file, err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding the key %s: %w", file, err)
	}
	return key, writePEM(filepath.Join(dir, file+".key"), "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	return nil
}
