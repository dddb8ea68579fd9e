package metrics

import "github.com/prometheus/client_golang/prometheus"

// Webhook counts reviews of ScaledObjects at admission.
type Webhook struct {
	validations, refusals *prometheus.CounterVec
}

// NewWebhook returns counters that are registered with registry.
func NewWebhook(registry prometheus.Registerer) (*Webhook, error) {
	w := &Webhook{
		validations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "keda_webhook_scaled_object_validations_total",
			Help: "ScaledObjects that were reviewed at admission, by what was done to them.",
		}, []string{"namespace", "action"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "keda_webhook_scaled_object_validation_errors_total",
			Help: "ScaledObjects that were refused at admission, by what was done to them and why.",
		}, []string{"namespace", "action", "reason"}),
	}
	for _, c := range []prometheus.Collector{w.validations, w.refusals} {
		if err := registry.Register(c); err != nil {
			return nil, err //nolint:wrapcheck // wrapped by the caller
		}
	}
	return w, nil
}

// Reviewed counts a review. reasons are why the object was refused, each once.
func (w *Webhook) Reviewed(namespace, action string, reasons []string) {
	w.validations.WithLabelValues(namespace, action).Inc()
	for _, reason := range reasons {
		w.refusals.WithLabelValues(namespace, action, reason).Inc()
	}
}
