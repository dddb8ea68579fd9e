package metricsadapter

import (
	"strings"
	"testing"

	"k8s.io/apiserver/pkg/server/dynamiccertificates"
)

// bundle is an authority that is known once it has a text.
type bundle struct {
	dynamiccertificates.CAContentProvider
	text string
}

// CurrentCABundleContent is the text.
func (b *bundle) CurrentCABundleContent() []byte { return []byte(b.text) }

// TestReady: nobody is to send queries before the front proxy is recognized.
func TestReady(t *testing.T) {
	authority := &bundle{}
	s := &Server{proxy: authority}
	if s.Ready(nil) == nil {
		t.Error("it is ready without an authority, and would take the API server for a stranger")
	}
	authority.text = "-----BEGIN CERTIFICATE-----"
	if err := s.Ready(nil); err != nil {
		t.Errorf("with an authority: %v", err)
	}
	if err := (&Server{}).Ready(nil); err != nil {
		t.Errorf("where the cluster names no front proxy: %v", err)
	}
}

// keeper has a certificate once it has a text.
type keeper struct {
	dynamiccertificates.CertKeyContentProvider
	text string
}

// Name is of the certificate.
func (k *keeper) Name() string { return "Secret freshet/certs" }

// CurrentCertKeyContent is the text, twice.
func (k *keeper) CurrentCertKeyContent() (certificate, key []byte) {
	return []byte(k.text), []byte(k.text)
}

// TestReadyWithACertificate: nobody is to send queries before there is a certificate.
func TestReadyWithACertificate(t *testing.T) {
	k := &keeper{}
	s := &Server{certificate: k}
	if err := s.Ready(nil); err == nil || !strings.Contains(err.Error(), "Secret freshet/certs") {
		t.Errorf("without a certificate: %v", err)
	}
	k.text = "-----BEGIN CERTIFICATE-----"
	if err := s.Ready(nil); err != nil {
		t.Errorf("with a certificate: %v", err)
	}
}
