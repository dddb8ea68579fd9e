package metricsadapter_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-io/freshet/metricsadapter"
	"github.com/freshet-io/freshet/metricsadapter/fallback"
	"github.com/freshet-io/freshet/metricsadapter/formula"
	"github.com/freshet-io/freshet/metricsadapter/rules"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
)

// three is a workload of 3 replicas.
type three struct{}

// Look finds 3 replicas, all of them ready.
func (three) Look(context.Context) (int32, func(context.Context) (int32, error), error) {
	return 3, func(context.Context) (int32, error) { return 3, nil }, nil
}

// ruledWorld is a world whose object has the formula a + b over its two triggers, a
// fallback to 4 replicas, and a third trigger that cannot be built.
func ruledWorld(t *testing.T) *world {
	t.Helper()
	w := settled(t, 5*time.Second, "a", "b")
	f, err := formula.Compile("a + b", []string{"a", "b"}, false)
	if err != nil {
		t.Fatal(err)
	}
	key := poll.Key{Kind: "ScaledObject", Namespace: "shop", Name: "orders"}
	slots := w.store.Object(key)
	book := &rules.Book{}
	book.Set(key, &rules.Rules{
		Fallback: &fallback.Spec{Threshold: 0, Replicas: 4}, Workload: three{}, Memory: &rules.Memory{},
		Composite: &rules.Composite{Formula: f, Target: fallback.Target{Value: 2}},
		Triggers:  []rules.Trigger{{Name: "a", Metric: "s0-a", Slot: slots[0]}, {Name: "b", Metric: "s1-b", Slot: slots[1]}},
		Targets:   map[string]fallback.Target{"s0-a": {Value: 5}, "s1-b": {Value: 12, Total: true}},
	})
	w.By(book)
	return w
}

func (w *world) number(t *testing.T, metric string) string {
	t.Helper()
	got, err := w.ask(t, selector, metric)
	if err != nil {
		return "error"
	}
	return got.Items[0].Value.String()
}

func TestRuledMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ruledWorld(t)
		if got := w.number(t, "composite-metric"); got != "14" {
			t.Errorf("the formula over 7 and 7 gives %s", got)
		}
		if got := w.number(t, "Composite-Metric"); got != "14" {
			t.Errorf("in other case it gives %s", got)
		}
		if got := w.number(t, "s2-none"); got != "error" {
			t.Errorf("a metric of no trigger is %s", got)
		}
		w.backend.set(0, errors.New("no route"))
		time.Sleep(time.Minute)
		for metric, want := range map[string]string{"composite-metric": "8", "s0-a": "20", "s1-b": "16"} {
			if got := w.number(t, metric); got != want {
				t.Errorf("in fallback %s is %s, want %s", metric, got, want)
			}
		}
		w.backend.set(1, nil)
		time.Sleep(time.Minute)
		for metric, want := range map[string]string{"composite-metric": "2", "s0-a": "1", "s1-b": "1"} {
			if got := w.number(t, metric); got != want {
				t.Errorf("read again %s is %s, want %s", metric, got, want)
			}
		}
	})
}

// TestRuledMetricsAreQuickToo: the quick answer is the same to the byte.
func TestRuledMetricsAreQuickToo(t *testing.T) {
	w := newWorld(t, time.Hour, "a")
	key := poll.Key{Kind: "ScaledObject", Namespace: "shop", Name: "orders"}
	book := &rules.Book{}
	book.Set(key, &rules.Rules{CompositeErr: scalers.ConfigurationError("the formula cannot be used")})
	w.By(book)
	full, quick := handler(t, w.Provider, nil), handler(t, w.Provider, metricsadapter.WithQuick(w.Provider))
	target := "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/composite-metric?labelSelector=" + url.QueryEscape(selector)
	want, got := ask(full, "GET", target, http.Header{"X-Remote-User": {"hpa"}}), ask(quick, "GET", target, http.Header{"X-Remote-User": {"hpa"}})
	if got.Code != http.StatusInternalServerError || got.Code != want.Code || got.Body.String() != want.Body.String() {
		t.Errorf("got %d %s, want %d %s", got.Code, got.Body, want.Code, want.Body)
	}
}
