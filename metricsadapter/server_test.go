package metricsadapter

import (
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
