package controller

import (
	"context"
	"errors"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/freshet-io/freshet/controller/admission"
	"github.com/freshet-io/freshet/controller/certificates"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/controller/metrics"
)

// Webhooks are what admission webhooks need from outside.
type Webhooks struct {
	// Server serves them.
	Server webhook.Server
	// Certificate keeps the certificate that Server serves with; nil when it comes
	// from files.
	Certificate *certificates.Keeper
	// Watches tells whether Freshet looks after a namespace; nil is all of them.
	Watches func(namespace string) bool
}

// register adds the webhooks to the manager.
func (w *Webhooks) register(ctx context.Context, mgr ctrl.Manager) error {
	counter, err := metrics.NewWebhook(ctrlmetrics.Registry)
	if err != nil {
		return fmt.Errorf("registering self-metrics: %w", err)
	}
	if w.Certificate != nil {
		if err := errors.Join(mgr.Add(w.Certificate), ctrlmetrics.Registry.Register(metrics.NewCertificate(w.Certificate.Expires))); err != nil {
			return fmt.Errorf("adding the certificate: %w", err)
		}
	}
	v := &admission.Validator{
		Reader: mgr.GetClient(), Watches: w.Watches, Counter: counter,
		Events: events.Recorder{Sink: mgr.GetEventRecorder("freshet")},
	}
	return v.Register(ctx, mgr, w.Server)
}
