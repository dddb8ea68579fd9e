package certificates

import (
	"crypto/tls"
	"errors"
	"sync"

	"k8s.io/apiserver/pkg/server/dynamiccertificates"
)

// serving is a certificate in the two forms that servers take.
type serving struct {
	tls              *tls.Certificate
	certificate, key []byte
}

// listeners are told of a new certificate.
type listeners struct {
	mu  sync.Mutex
	all []dynamiccertificates.Listener
}

var _ dynamiccertificates.CertKeyContentProvider = (*Keeper)(nil)

// serve has servers take what the Secret holds.
func (k *Keeper) serve(held *contents) {
	k.current.Store(&serving{tls: held.serving, certificate: held.data[keyCertificate], key: held.data[keyKey]})
	k.listeners.mu.Lock()
	defer k.listeners.mu.Unlock()
	for _, l := range k.listeners.all {
		l.Enqueue()
	}
}

// Certificate is what to serve with. The error is that there is none yet.
func (k *Keeper) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c := k.current.Load(); c != nil {
		return c.tls, nil
	}
	return nil, errors.New("there is no certificate yet")
}

// Expires is when the certificate that is served expires, in seconds since 1970;
// not ok while there is none.
func (k *Keeper) Expires() (unix float64, ok bool) {
	c := k.current.Load()
	if c == nil {
		return 0, false
	}
	return float64(c.tls.Leaf.NotAfter.Unix()), true
}

// Name is of the certificate, for logs.
func (k *Keeper) Name() string { return "Secret " + k.Secret.String() }

// CurrentCertKeyContent is the certificate and its key as PEM; nothing while there
// is none.
func (k *Keeper) CurrentCertKeyContent() (certificate, key []byte) {
	if c := k.current.Load(); c != nil {
		return c.certificate, c.key
	}
	return nil, nil
}

// AddListener has l told of each new certificate.
func (k *Keeper) AddListener(l dynamiccertificates.Listener) {
	k.listeners.mu.Lock()
	defer k.listeners.mu.Unlock()
	k.listeners.all = append(k.listeners.all, l)
}
