package metricsadapter

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/metrics/pkg/apis/external_metrics"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"

	"github.com/freshet-io/freshet/metricsadapter/rules"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers"
)

// Provider answers external metric queries from the store.
type Provider struct {
	store *store.Store
	rules *rules.Book
	label string
}

// NewProvider returns a provider that knows of no rules. label is the key of the
// label selector whose value names the object that a query is about.
func NewProvider(s *store.Store, label string) *Provider { return &Provider{store: s, label: label} }

// By has the provider go by the formulas and fallbacks in the book. It returns p.
func (p *Provider) By(book *rules.Book) *Provider {
	p.rules = book
	return p
}

// ListAllExternalMetrics names one placeholder: what objects there are must not
// decide whether discovery answers, and 60,000 names would help nobody.
func (p *Provider) ListAllExternalMetrics() []provider.ExternalMetricInfo {
	return []provider.ExternalMetricInfo{{Metric: "externalmetrics"}}
}

// GetExternalMetric answers with the value of one trigger: the list has exactly
// one item, or there is an error.
func (p *Provider) GetExternalMetric(ctx context.Context, namespace string, selector labels.Selector, info provider.ExternalMetricInfo) (*external_metrics.ExternalMetricValueList, error) {
	object, ok := selector.RequiresExactMatch(p.label)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the label selector must name the object: %s=<name>", p.label))
	}
	v, err := p.value(ctx, namespace, object, info.Metric)
	if err != nil {
		return nil, err
	}
	return &external_metrics.ExternalMetricValueList{Items: []external_metrics.ExternalMetricValue{{
		MetricName: v.metric,
		Timestamp:  metav1.NewTime(v.at),
		Value:      Quantity(v.number),
	}}}, nil
}

// value is a number of one metric.
type value struct {
	metric string
	number float64
	at     time.Time
}

// value answers a query. The error is one of the API's.
func (p *Provider) value(ctx context.Context, namespace, object, metric string) (value, error) {
	slot := p.store.Find(namespace, object, metric)
	if slot == nil {
		return p.ruled(ctx, namespace, object, metric)
	}
	r, err := slot.Fresh(ctx, time.Now())
	if err != nil {
		return p.standIn(ctx, slot, metric, err)
	}
	v := value{metric: slot.Metric, at: r.At}
	if slot.Named {
		v.metric = metric
	}
	if v.number, err = slot.ValueOf(r, metric); err != nil {
		return p.standIn(ctx, slot, metric, err)
	}
	return v, nil
}

// Quantity is a metric's value as the HPA is given it: to the thousandth,
// negative numbers as 0, and no more than a quantity can hold.
func Quantity(v float64) resource.Quantity {
	switch milli := math.Round(v * 1000); {
	case !(v > 0):
		return *resource.NewQuantity(0, resource.DecimalSI)
	case milli < math.MaxInt64:
		return *resource.NewMilliQuantity(int64(milli), resource.DecimalSI)
	case v < math.MaxInt64:
		return *resource.NewQuantity(int64(v), resource.DecimalSI)
	default:
		return *resource.NewQuantity(math.MaxInt64, resource.DecimalSI)
	}
}

func notFound(namespace, object, metric string) error {
	err := apierrors.NewNotFound(schema.GroupResource{Group: external_metrics.GroupName, Resource: metric}, object)
	err.ErrStatus.Message = fmt.Sprintf("ScaledObject %s/%s has no trigger that is read as %s", namespace, object, metric)
	return err
}

// unreadable is the answer for a trigger without a value.
func unreadable(metric string, cause error) error {
	status := metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusServiceUnavailable, Reason: metav1.StatusReasonServiceUnavailable,
		Message: fmt.Sprintf("metric %s has no value: %v", metric, cause),
	}
	switch {
	case errors.Is(cause, context.Canceled), errors.Is(cause, context.DeadlineExceeded):
		status.Code, status.Reason = http.StatusGatewayTimeout, metav1.StatusReasonTimeout
	case scalers.ClassOf(cause) == scalers.Configuration, scalers.ClassOf(cause) == scalers.Authentication:
		status.Code, status.Reason = http.StatusInternalServerError, metav1.StatusReasonInternalError
	}
	return &apierrors.StatusError{ErrStatus: status}
}
