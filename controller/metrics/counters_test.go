package metrics

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestWebhook: a refusal counts once for each reason.
func TestWebhook(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	w, err := NewWebhook(registry)
	if err != nil {
		t.Fatal(err)
	}
	w.Reviewed("shop", "create", nil)
	w.Reviewed("shop", "update", []string{"other-hpa", "incorrect-triggers"})
	w.Reviewed("shop", "update", []string{"other-hpa"})
	if err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP keda_webhook_scaled_object_validation_errors_total ScaledObjects that were refused at admission, by what was done to them and why.
# TYPE keda_webhook_scaled_object_validation_errors_total counter
keda_webhook_scaled_object_validation_errors_total{action="update",namespace="shop",reason="incorrect-triggers"} 1
keda_webhook_scaled_object_validation_errors_total{action="update",namespace="shop",reason="other-hpa"} 2
# HELP keda_webhook_scaled_object_validations_total ScaledObjects that were reviewed at admission, by what was done to them.
# TYPE keda_webhook_scaled_object_validations_total counter
keda_webhook_scaled_object_validations_total{action="create",namespace="shop"} 1
keda_webhook_scaled_object_validations_total{action="update",namespace="shop"} 2
`)); err != nil {
		t.Error(err)
	}
	if _, err := NewWebhook(registry); err == nil {
		t.Error("they are registered twice")
	}
}

// TestHTTP: a request without an answer is an error.
func TestHTTP(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	h, err := NewHTTP(registry)
	if err != nil {
		t.Fatal(err)
	}
	h.Requested("prometheusScaler", 200, 20*time.Millisecond)
	h.Requested("prometheusScaler", 200, 20*time.Second)
	h.Requested("prometheusScaler", 0, time.Second)
	if err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP keda_scaler_http_requests_total HTTP requests of triggers, by the status of the answer; error is none.
# TYPE keda_scaler_http_requests_total counter
keda_scaler_http_requests_total{scaler="prometheusScaler",status_code="200"} 2
keda_scaler_http_requests_total{scaler="prometheusScaler",status_code="error"} 1
`), "keda_scaler_http_requests_total"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(registry, "keda_scaler_http_request_duration_seconds"); err != nil || n != 2 {
		t.Errorf("there are %d histograms (%v)", n, err)
	}
}

// TestCertificate: without a certificate nothing is said.
func TestCertificate(t *testing.T) {
	for ok, want := range map[bool]int{true: 1, false: 0} {
		if n := testutil.CollectAndCount(NewCertificate(func() (float64, bool) { return 7, ok })); n != want {
			t.Errorf("there is one: %t, and %d metrics", ok, n)
		}
	}
}
