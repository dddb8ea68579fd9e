package controller

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/freshet-io/freshet/controller/admission"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/controller/metrics"
)

// Webhooks are what admission webhooks need from outside.
type Webhooks struct {
	// Server serves them.
	Server webhook.Server
	// Watches tells whether Freshet looks after an object; nil is all of them.
	Watches func(kind, namespace string, labels map[string]string) bool
}

// register adds the webhooks to the manager.
func (w *Webhooks) register(ctx context.Context, mgr ctrl.Manager) error {
	counter, err := metrics.NewWebhook(ctrlmetrics.Registry)
	if err != nil {
		return fmt.Errorf("registering self-metrics: %w", err)
	}
	v := &admission.Validator{
		Reader: mgr.GetClient(), Watches: w.Watches, Counter: counter,
		Events: events.Recorder{Sink: mgr.GetEventRecorder("freshet")},
	}
	return v.Register(ctx, mgr, w.Server)
}
