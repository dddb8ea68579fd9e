package main

import (
	"crypto/tls"

	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/freshet-io/freshet/controller"
	"github.com/freshet-io/freshet/controller/certificates"
)

// newWebhooks prepares the server of admission webhooks; nil when none are served.
// keeper is nil when the certificate is in files.
func newWebhooks(o *options, keeper *certificates.Keeper) *controller.Webhooks {
	if o.webhooks.port == 0 {
		return nil
	}
	settings := webhook.Options{Port: o.webhooks.port, CertDir: o.certificates.dir, TLSOpts: []func(*tls.Config){o.serviceTLS.tls}}
	if o.certificates.rotate {
		settings.TLSOpts = append(settings.TLSOpts, func(c *tls.Config) { c.GetCertificate = keeper.Certificate })
	}
	w := &controller.Webhooks{Server: webhook.NewServer(settings)}
	if !o.watch.all() {
		w.Watches = o.watch.watches
	}
	return w
}
