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

var certificateExpiry = prometheus.NewDesc("freshet_webhook_certificate_expiry_seconds",
	"When the certificate of webhooks expires, in seconds since 1970.", nil, nil)

// Certificate tells when the certificate of webhooks expires.
type Certificate struct {
	expires func() (unix float64, ok bool)
}

// NewCertificate returns a collector of what expires tells, which is nothing
// while there is no certificate.
func NewCertificate(expires func() (unix float64, ok bool)) *Certificate {
	return &Certificate{expires}
}

// Describe sends what it may collect.
func (c *Certificate) Describe(ch chan<- *prometheus.Desc) { ch <- certificateExpiry }

// Collect sends the time, if there is one.
func (c *Certificate) Collect(ch chan<- prometheus.Metric) {
	if unix, ok := c.expires(); ok {
		gauge(ch, certificateExpiry, unix)
	}
}
