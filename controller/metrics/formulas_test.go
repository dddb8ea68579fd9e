package metrics

import (
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/metricsadapter/fallback"
	"github.com/freshet-io/freshet/metricsadapter/formula"
	"github.com/freshet-io/freshet/metricsadapter/rules"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
)

// TestFormulas: the composite metric is a series as long as the object is there, and
// has no value while there is no number.
func TestFormulas(t *testing.T) {
	key := poll.Key{Kind: kedav1alpha1.KindScaledObject, Namespace: "shop", Name: "orders"}
	s, book := store.New(func(poll.Key) {}), &rules.Book{}
	slot := s.Set(key, []store.Trigger{{Metric: "s0-redis-orders", Label: "redisScaler", Type: "redis"}})[0]
	f, err := formula.Compile("a * 2", []string{"a"}, false)
	if err != nil {
		t.Fatal(err)
	}
	book.Set(key, &rules.Rules{
		Composite: &rules.Composite{Formula: f, Activation: 5}, Memory: &rules.Memory{},
		Triggers: []rules.Trigger{{Name: "a", Metric: "s0-redis-orders", Slot: slot}},
		Fallback: &fallback.Spec{Threshold: 1, Replicas: 3},
	})
	book.Set(poll.Key{Namespace: "shop", Name: "without"}, &rules.Rules{Fallback: &fallback.Spec{}})
	c := NewCollector(Build{}, s, newEngine(), book, newReader(t))
	of := func(metric string) string {
		return metric + `{metric="composite-metric",namespace="shop",scaledObject="orders",scaler="composite-metric",triggerIndex="0",type="scaledobject"}`
	}
	for _, step := range []struct {
		reason  string
		reading scalers.Reading
		want    []string
	}{
		{"not read yet", scalers.Reading{}, nil},
		{"below its activation", scalers.Reading{Value: scalers.Number(2), At: at}, []string{"keda_scaler_metrics_value 4", "keda_scaler_active 0"}},
		{"active", scalers.Reading{Value: scalers.Number(3), At: at}, []string{"keda_scaler_metrics_value 6", "keda_scaler_active 1"}},
		{"a trigger that fails", scalers.Reading{Err: errors.New("down"), At: at}, []string{"keda_scaler_active 0"}},
		{"the fallback stands in", scalers.Reading{Err: errors.New("down"), At: at}, []string{"keda_scaler_active 0"}},
	} {
		if step.reading.Known() {
			slot.Put(step.reading)
		}
		want := ""
		for _, line := range step.want {
			name, value, _ := strings.Cut(line, " ")
			want += of(name) + " " + value + "\n"
		}
		if got := composites(t, c); got != want {
			t.Errorf("%s: got\n%swant\n%s", step.reason, got, want)
		}
	}
	book.Set(key, nil)
	s.Remove(key)
	if got := composites(t, c); got != "" {
		t.Errorf("of an object that is gone there is\n%s", got)
	}
	if n := testutil.CollectAndCount(c, "keda_scaler_metrics_value", "keda_scaler_active", "keda_scaler_detail_errors_total", "keda_scaled_object_errors_total"); n > 0 {
		t.Errorf("of an object that is gone there are %d series", n)
	}
}

// composites are the series of composite metrics.
func composites(t *testing.T, c *Collector) string {
	t.Helper()
	text, err := testutil.CollectAndFormat(c, expfmt.TypeTextPlain, "keda_scaler_metrics_value", "keda_scaler_active")
	if err != nil {
		t.Fatal(err)
	}
	var values, active string
	for line := range strings.Lines(string(text)) {
		switch {
		case !strings.Contains(line, "composite-metric"):
		case strings.HasPrefix(line, "keda_scaler_metrics_value"):
			values += line
		default:
			active += line
		}
	}
	return values + active
}
