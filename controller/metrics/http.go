package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// HTTP counts the requests that triggers make over HTTP. A request may be on
// behalf of many objects, so none is named.
type HTTP struct {
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
}

// NewHTTP returns counters that are registered with registry.
func NewHTTP(registry prometheus.Registerer) (*HTTP, error) {
	labels := []string{"scaler", "status_code"}
	h := &HTTP{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "keda_scaler_http_requests_total",
			Help: "HTTP requests of triggers, by the status of the answer; error is none.",
		}, labels),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "keda_scaler_http_request_duration_seconds",
			Help: "How long HTTP requests of triggers took to be answered, in seconds.", Buckets: prometheus.DefBuckets,
		}, labels),
	}
	for _, c := range []prometheus.Collector{h.requests, h.durations} {
		if err := registry.Register(c); err != nil {
			return nil, err //nolint:wrapcheck // wrapped by the caller
		}
	}
	return h, nil
}

// Requested counts a request; status is 0 when there was no answer.
func (h *HTTP) Requested(scaler string, status int, took time.Duration) {
	code := "error"
	if status != 0 {
		code = strconv.Itoa(status)
	}
	h.requests.WithLabelValues(scaler, code).Inc()
	h.durations.WithLabelValues(scaler, code).Observe(took.Seconds())
}
