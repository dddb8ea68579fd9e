package main

import (
	"fmt"
	"log/slog"
	"net"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/freshet-io/freshet/controller/certificates"
	"github.com/freshet-io/freshet/metricsadapter"
)

// newCertificate prepares what keeps the certificate of webhooks and external
// metrics; nil when both come from files, or nobody needs it.
func newCertificate(mgr ctrl.Manager, o *options, log *slog.Logger) (*certificates.Keeper, error) {
	c, adapter := &o.certificates, o.certFile == ""
	if !c.rotate || !adapter && o.webhooks.port == 0 {
		return nil, nil
	}
	live, err := client.New(mgr.GetConfig(), client.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
	})
	if err != nil {
		return nil, fmt.Errorf("making a client for certificates: %w", err)
	}
	keep := certificates.Options{
		Client: live, Secret: client.ObjectKey{Namespace: o.namespace, Name: c.secret},
		Names: o.certificateNames(), Life: c.life, Log: log,
	}
	if o.webhooks.patch && o.webhooks.port != 0 {
		keep.Webhooks = o.webhooks.configuration
	}
	if c.patch && adapter {
		keep.APIServices = apiServices
	}
	return certificates.New(keep), nil
}

// adapterOptions say how external metrics are served.
func adapterOptions(o *options, keeper *certificates.Keeper) metricsadapter.Options {
	served := metricsadapter.Options{
		Kubeconfig: o.kubeconfig, BindAddress: net.ParseIP(o.adapterAddress), Port: o.adapterPort,
		ClientCAFile: o.clientCAFile, MinTLS: o.serviceTLS.min, Ciphers: o.serviceTLS.ciphers,
	}
	served.CertFile, served.KeyFile = o.adapterFiles()
	if keeper != nil && served.CertFile == "" {
		served.Certificate = keeper
	}
	return served
}
