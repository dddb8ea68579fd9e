// Package certificates keeps the certificate that Freshet serves its webhooks and
// external metrics with: an authority and a certificate that it signed, in a Secret
// that all replicas share, and the authority in what the API server is told to trust.
//
// issue.go decides, as a pure function of what the Secret holds and the time, what
// it should hold; keeper.go makes it so, on every replica; trust.go tells the API
// server, and serving.go has what servers take.
package certificates

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"time"
)

// Keys of the Secret.
const (
	keyAuthorities  = "ca.crt" // the present one first, then former ones until they expire
	keyAuthorityKey = "ca.key"
	keyCertificate  = "tls.crt"
	keyKey          = "tls.key"
)

const (
	// authorityLives is how many lives of a certificate an authority has.
	authorityLives = 10
	// skew is how far clocks may be apart.
	skew = 5 * time.Minute
)

// issued is an authority or a certificate with its key.
type issued struct {
	leaf *x509.Certificate
	key  crypto.Signer
	tls  tls.Certificate
}

// contents are what a Secret holds, when it is good.
type contents struct {
	data map[string][]byte
	// serving is the certificate to serve with.
	serving *tls.Certificate
	// authorities are what is to be trusted, as PEM.
	authorities []byte
}

// renew returns what a Secret should hold from now on, and whether that is
// another thing than data. An authority and a certificate are replaced at two
// thirds of their life, which is life for a certificate of the names, or at once
// when they are no good. Former authorities stay trusted until they expire, for
// other replicas may still serve by them.
func renew(data map[string][]byte, names []string, life time.Duration, now time.Time) (*contents, bool, error) {
	authority, err := parse(data[keyAuthorities], data[keyAuthorityKey])
	authorityLife := authorityLives * life
	changed := false
	authorities, authorityKey := data[keyAuthorities], data[keyAuthorityKey]
	if err != nil || !authority.leaf.IsCA || !fresh(authority.leaf, authorityLife, now) {
		var text []byte
		if authority, text, authorityKey, err = issue(template("Freshet", nil, authorityLife, now), nil); err != nil {
			return nil, false, err
		}
		authorities, changed = slices.Concat(text, living(data[keyAuthorities], now)), true
	}
	certificate, key := data[keyCertificate], data[keyKey]
	serving, err := parse(certificate, key)
	if changed || err != nil || !fresh(serving.leaf, life, now) || serving.leaf.CheckSignatureFrom(authority.leaf) != nil || !covers(serving.leaf, names) {
		if serving, certificate, key, err = issue(template(names[0], names, life, now), authority); err != nil {
			return nil, false, err
		}
		changed = true
	}
	c := &contents{serving: &serving.tls, authorities: authorities}
	c.data = map[string][]byte{keyAuthorities: authorities, keyAuthorityKey: authorityKey, keyCertificate: certificate, keyKey: key}
	return c, changed, nil
}

// fresh tells whether a third of a certificate's life is left.
func fresh(c *x509.Certificate, life time.Duration, now time.Time) bool {
	return !now.Before(c.NotBefore) && now.Before(c.NotAfter.Add(-life/3))
}

func covers(c *x509.Certificate, names []string) bool {
	for _, name := range names {
		if c.VerifyHostname(name) != nil {
			return false
		}
	}
	return true
}

// parse reads the first certificate of a text, with its key.
func parse(certificate, key []byte) (*issued, error) {
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("reading a certificate: %w", err)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key of a certificate cannot sign")
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("reading a certificate: %w", err)
	}
	pair.Leaf = leaf
	return &issued{leaf: leaf, key: signer, tls: pair}, nil
}

// living are the authorities of a text that have not expired; what cannot be read
// is left out.
func living(text []byte, now time.Time) []byte {
	var out bytes.Buffer
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return out.Bytes()
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && now.Before(c.NotAfter) {
			_ = pem.Encode(&out, block) // a buffer takes everything
		}
	}
}

// template is a certificate of the names, or an authority when there are none.
func template(commonName string, names []string, life time.Duration, now time.Time) *x509.Certificate {
	t := &x509.Certificate{
		Subject:   pkix.Name{CommonName: commonName, Organization: []string{"Freshet"}},
		NotBefore: now.Add(-skew), NotAfter: now.Add(life),
		BasicConstraintsValid: true,
	}
	if len(names) == 0 {
		t.IsCA, t.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
		return t
	}
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, name)
		}
	}
	return t
}

// issue makes a key and a certificate, signed by the authority or, without one,
// by itself.
func issue(t *x509.Certificate, by *issued) (made *issued, certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("making a key: %w", err)
	}
	if t.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, nil, nil, fmt.Errorf("making a serial number: %w", err)
	}
	parent, signer := t, crypto.Signer(private)
	if by != nil {
		parent, signer = by.leaf, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, private.Public(), signer)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("signing a certificate: %w", err)
	}
	text, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("writing a key: %w", err)
	}
	certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	key = pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: text})
	made, err = parse(certificate, key)
	return made, certificate, key, err
}
