package metrics

import "github.com/prometheus/client_golang/prometheus"

var certificateExpiry = prometheus.NewDesc("freshet_certificate_expiry_seconds",
	"When the certificate of webhooks and external metrics expires, in seconds since 1970.", nil, nil)

// Certificate tells when the certificate of webhooks and external metrics expires.
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
