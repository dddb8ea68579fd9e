package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// collectFormulas tells what formulas make of the last readings, as of a trigger
// whose scaler is the composite metric. A formula that gives no number, also while
// the fallback's replicas stand in for it, has no value.
func (c *Collector) collectFormulas(ch chan<- prometheus.Metric) {
	now := time.Now()
	for key, ru := range c.rules.All() {
		if ru.Composite == nil {
			continue
		}
		result := ru.Composite.Evaluate(ru.Last(now), ru.Fallback)
		if !result.Known && !result.StandIn {
			continue
		}
		labels := []string{key.Namespace, kedav1alpha1.CompositeMetricName, key.Name, kedav1alpha1.CompositeMetricName, "0", "scaledobject"}
		gauge(ch, scalerActive, truth(ru.Composite.Active(result)), labels...)
		if result.Err == nil {
			gauge(ch, scalerValue, result.Value, labels...)
		}
	}
}
