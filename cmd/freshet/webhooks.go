package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"slices"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/freshet-io/freshet/controller"
	"github.com/freshet-io/freshet/controller/certificates"
)

// newWebhooks prepares the server of admission webhooks and what keeps its
// certificate; nil when none are served.
func newWebhooks(mgr ctrl.Manager, o *options, log *slog.Logger) (*controller.Webhooks, error) {
	if o.webhooks.port == 0 {
		return nil, nil
	}
	settings := webhook.Options{Port: o.webhooks.port, CertDir: o.webhooks.dir, TLSOpts: []func(*tls.Config){o.webhooks.tls}}
	w := &controller.Webhooks{}
	if len(o.watchNamespaces) > 0 {
		w.Watches = func(namespace string) bool { return slices.Contains(o.watchNamespaces, namespace) }
	}
	if o.webhooks.rotate {
		live, err := client.New(mgr.GetConfig(), client.Options{
			HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
		})
		if err != nil {
			return nil, fmt.Errorf("making a client for certificates: %w", err)
		}
		keep := certificates.Options{
			Client: live, Secret: client.ObjectKey{Namespace: o.namespace, Name: o.webhooks.secret},
			Names: o.webhookNames(), Life: o.webhooks.life, Log: log,
		}
		if o.webhooks.patch {
			keep.Webhooks = o.webhooks.configuration
		}
		w.Certificate = certificates.New(keep)
		settings.TLSOpts = append(settings.TLSOpts, func(c *tls.Config) { c.GetCertificate = w.Certificate.Certificate })
	}
	w.Server = webhook.NewServer(settings)
	return w, nil
}
