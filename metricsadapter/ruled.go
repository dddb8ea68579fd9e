package metricsadapter

import (
	"context"
	"strings"
	"time"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers/poll"
)

// ruled answers for a metric that no trigger is read as: the result of a formula,
// or a trigger that cannot be built.
func (p *Provider) ruled(ctx context.Context, namespace, object, metric string) (value, error) {
	r := p.rules.Of(poll.Key{Kind: kedav1alpha1.KindScaledObject, Namespace: namespace, Name: object})
	if r == nil {
		return value{}, notFound(namespace, object, metric)
	}
	now := time.Now()
	v := value{metric: metric, at: now}
	var err error
	if strings.EqualFold(metric, kedav1alpha1.CompositeMetricName) && (r.Composite != nil || r.CompositeErr != nil) {
		v.number, err = r.CompositeMetric(ctx, now)
	} else {
		var known bool
		if v.number, known, err = r.BrokenMetric(ctx, metric, now); !known {
			return value{}, notFound(namespace, object, metric)
		}
	}
	if err != nil {
		return value{}, unreadable(metric, err)
	}
	return v, nil
}

// standIn answers for a trigger that could not be read because of cause.
func (p *Provider) standIn(ctx context.Context, slot *store.Slot, metric string, cause error) (value, error) {
	r := p.rules.Of(slot.Key())
	if r == nil {
		return value{}, unreadable(metric, cause)
	}
	n, err := r.StandIn(ctx, metric, slot.Failures(), cause)
	if err != nil {
		return value{}, unreadable(metric, err)
	}
	return value{metric: metric, number: n, at: time.Now()}, nil
}
