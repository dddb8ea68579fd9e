// Package conn holds what the connections of triggers have in common.
package conn

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"

	"github.com/youmark/pkcs8"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// TLS is the part of a connection's configuration that says whom to trust and
// who we are. The zero value trusts the system's authorities.
type TLS struct {
	// PEM certificates of the authorities to trust instead of the system's.
	CA string `param:"ca,optional" from:"auth"`
	// PEM client certificate; needs key.
	Cert string `param:"Cert|cert,optional" from:"auth"`
	// PEM key of the client certificate.
	Key param.Secret `param:"key,optional" from:"auth"`
	// Password of the key when it is encrypted.
	KeyPassword param.Secret `param:"keyPassword,optional" from:"auth"`
	// Accept any server certificate, which lets anyone in between read and
	// change the traffic.
	UnsafeSSL bool `param:"unsafeSsl" default:"false"`
}

// Config makes the configuration of package crypto/tls, with [Defaults] where t
// says nothing. An error is of class Configuration and names the parameter.
func (t TLS) Config() (*tls.Config, error) {
	cfg := &tls.Config{
		MinVersion: Defaults.MinTLS, CipherSuites: Defaults.Ciphers, RootCAs: Defaults.RootCAs,
		InsecureSkipVerify: t.UnsafeSSL, //nolint:gosec // the user asked for it by name
	}
	if t.CA != "" {
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM([]byte(t.CA)) {
			return nil, scalers.ConfigurationError("parameter ca holds no PEM certificate")
		}
	}
	if (t.Cert == "") != t.Key.Empty() {
		return nil, scalers.ConfigurationError("parameters cert and key go together: one of them is missing")
	}
	if t.Cert == "" {
		return cfg, nil
	}
	key, err := t.plainKey()
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair([]byte(t.Cert), key)
	if err != nil {
		return nil, scalers.ConfigurationError("parameters cert and key are not a PEM pair: %w", err)
	}
	cfg.Certificates = []tls.Certificate{pair}
	return cfg, nil
}

// withSystem is Config for a server besides the one that t is about: ca is
// trusted there too, and not alone.
func (t TLS) withSystem() (*tls.Config, error) {
	cfg, err := t.Config()
	if err != nil || t.CA == "" {
		return cfg, err
	}
	roots := systemRoots()
	if Defaults.RootCAs != nil {
		roots = Defaults.RootCAs.Clone()
	}
	roots.AppendCertsFromPEM([]byte(t.CA))
	cfg.RootCAs = roots
	return cfg, nil
}

// plainKey returns the key in PEM, decrypted where it needs a password.
func (t TLS) plainKey() ([]byte, error) {
	text := []byte(t.Key.Reveal())
	if t.KeyPassword.Empty() {
		return text, nil
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, scalers.ConfigurationError("parameter key holds no PEM block")
	}
	if block.Type != "ENCRYPTED PRIVATE KEY" {
		return nil, scalers.ConfigurationError(
			"parameter key is a PEM block of type %q: a key with a password must be PKCS #8 (ENCRYPTED PRIVATE KEY)", block.Type)
	}
	key, err := pkcs8.ParsePKCS8PrivateKey(block.Bytes, []byte(t.KeyPassword.Reveal()))
	if err != nil {
		return nil, scalers.ConfigurationError("parameter keyPassword does not open parameter key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, scalers.ConfigurationError("parameter key is of no usable kind: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
