package metricsadapter_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/metrics/pkg/apis/external_metrics"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"

	"github.com/freshet-io/freshet/metricsadapter"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/poll"
)

const label = "scaledobject.keda.sh/name"

func init() {
	scalers.Register(scalers.Kind[*conn, *trigger]{
		Types: []string{"test"}, Category: "test", Since: "0", Label: "test", Example: map[string]string{"key": "orders"},
		ReadAll: func(_ context.Context, c *conn, triggers []*trigger, out []scalers.Result) error {
			return c.read(len(triggers), out)
		},
	})
}

// trigger reads the number of the backend that it names.
type trigger struct {
	Key     string `param:"key"`
	Backend string `param:"backend,optional"`
}

func (t *trigger) Source() scalers.Source[*conn] { return source{t.Backend} }
func (t *trigger) Stem() string                  { return t.Key }
func (t *trigger) Read(_ context.Context, c *conn) (scalers.Value, error) {
	var out [1]scalers.Result
	err := c.read(1, out[:])
	return out[0].Value, errors.Join(err, out[0].Err)
}

type source struct{ Backend string }

func (s source) String() string { return "backend " + s.Backend }
func (s source) Open(context.Context) (*conn, error) {
	found, _ := backends.Load(s.Backend)
	return &conn{found.(*backend)}, nil
}

var backends sync.Map // of *backend by the name of its test

// backend answers every key with one number or error, after a while.
type backend struct {
	mu    sync.Mutex
	value float64
	err   error
	takes time.Duration
	calls int
}

func (b *backend) set(value float64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.value, b.err = value, err
}

func (b *backend) takeCalls() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.calls
	b.calls = 0
	return n
}

type conn struct{ *backend }

func (c *conn) Close() error { return nil }

func (c *conn) read(n int, out []scalers.Result) error {
	c.mu.Lock()
	c.calls++
	value, err, takes := c.value, c.err, c.takes
	c.mu.Unlock()
	time.Sleep(takes)
	for i := range n {
		out[i] = scalers.Result{Value: scalers.Number(value)}
	}
	return err
}

// world is a provider over an engine that reads a backend.
type world struct {
	*metricsadapter.Provider
	backend *backend
	store   *store.Store
	engine  *poll.Engine
	keys    []string
}

// newWorld makes a world in which the object shop/orders has a trigger for each
// key, read by schedule so rarely that only demand reads count.
func newWorld(t testing.TB, freshness time.Duration, keys ...string) *world {
	t.Helper()
	w := &world{backend: &backend{value: 7}, store: store.New(func(poll.Key) {}), keys: keys}
	backends.Store(t.Name(), w.backend)
	leader := poll.NewLeader("me")
	leader.Elect()
	w.engine = poll.New(poll.Options{Ownership: leader, FirstBackoff: time.Second, MostBackoff: time.Second})
	w.Provider = metricsadapter.NewProvider(w.store, label)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.engine.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		backends.Delete(t.Name())
	})
	object := poll.Key{Kind: "ScaledObject", Namespace: "shop", Name: "orders"}
	var triggers []store.Trigger
	var members []poll.Member
	for i, key := range keys {
		s, _, err := scalers.Decode("test", param.Input{Metadata: map[string]string{"key": key, "backend": t.Name()}}, scalers.Setting{})
		if err != nil {
			t.Fatal(err)
		}
		triggers = append(triggers, store.Trigger{Metric: scalers.MetricName(i, s.Stem), Index: i, Fingerprint: s.Fingerprint, Freshness: freshness})
		members = append(members, poll.Member{Scaler: s, Interval: 100_000 * time.Hour})
	}
	for i, slot := range w.store.Set(object, triggers) {
		members[i].Sink = slot
	}
	for i, sub := range w.engine.Set(object, members) {
		w.store.Object(object)[i].Bind(sub)
	}
	return w
}

// ask asks for a metric of the object that the selector names.
func (w *world) ask(t testing.TB, selector, metric string) (*external_metrics.ExternalMetricValueList, error) {
	t.Helper()
	s, err := labels.Parse(selector)
	if err != nil {
		t.Fatal(err)
	}
	return w.GetExternalMetric(t.Context(), "shop", s, provider.ExternalMetricInfo{Metric: metric})
}

// settled is a world whose triggers were read once, a moment ago.
func settled(t *testing.T, freshness time.Duration, keys ...string) *world {
	t.Helper()
	w := newWorld(t, freshness, keys...)
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
	if n := w.backend.takeCalls(); n != 1 {
		t.Fatalf("the first reading took %d calls", n)
	}
	return w
}

const selector = label + "=orders"

func TestFreshReadingsAreAnsweredWithoutACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := settled(t, 5*time.Second, "orders")
		read := time.Now().Add(-80 * time.Millisecond)
		for range 100 {
			got, err := w.ask(t, selector, "s0-orders")
			if err != nil || len(got.Items) != 1 {
				t.Fatalf("got %v, %v", got, err)
			}
			item := got.Items[0]
			if item.MetricName != "s0-orders" || item.Value.Value() != 7 || !item.Timestamp.Time.Equal(read) {
				t.Fatalf("got %+v, want 7 read at %s", item, read)
			}
			time.Sleep(40 * time.Millisecond)
		}
		if n := w.backend.takeCalls(); n != 0 {
			t.Errorf("%d calls were made", n)
		}
	})
}

func TestOldReadingsCauseOneSharedRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := []string{"a", "b", "c"}
		w := settled(t, 5*time.Second, keys...)
		w.backend.set(9, nil)
		w.backend.takes = time.Second
		time.Sleep(time.Minute)
		var group sync.WaitGroup
		for i := range 300 {
			group.Go(func() {
				got, err := w.ask(t, selector, fmt.Sprintf("s%d-%s", i%3, keys[i%3]))
				if err != nil || got.Items[0].Value.Value() != 9 {
					t.Errorf("got %v, %v; want 9", got, err)
				}
			})
		}
		group.Wait()
		if n := w.backend.takeCalls(); n != 1 {
			t.Errorf("300 queries at once made %d calls, want 1", n)
		}
	})
}

func TestLiveReadingsAreReadForEachQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := settled(t, 0, "orders")
		for i := range 3 {
			w.backend.set(float64(i), nil)
			got, err := w.ask(t, selector, "s0-orders")
			if err != nil || got.Items[0].Value.Value() != int64(i) {
				t.Errorf("got %v, %v; want %d", got, err, i)
			}
		}
		if n := w.backend.takeCalls(); n != 3 {
			t.Errorf("3 queries made %d calls", n)
		}
	})
}

func TestErrorsAreStatusErrorsAndNeverNumbers(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		code int32
	}{
		"unavailable":    {errors.New("no route"), http.StatusServiceUnavailable},
		"rate limited":   {scalers.RateLimitedError(time.Minute, "slow down"), http.StatusServiceUnavailable},
		"configuration":  {scalers.ConfigurationError("no such key"), http.StatusInternalServerError},
		"authentication": {scalers.AuthenticationError("wrong password"), http.StatusInternalServerError},
		"timeout":        {context.DeadlineExceeded, http.StatusGatewayTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := settled(t, time.Second, "orders")
				w.backend.set(0, tc.err)
				time.Sleep(time.Minute)
				for range 3 { // the first asks the source; the others are answered from its back-off
					got, err := w.ask(t, selector, "s0-orders")
					if got != nil || err == nil {
						t.Fatalf("got %v, %v", got, err)
					}
					var status apierrors.APIStatus
					if !errors.As(err, &status) || status.Status().Code != tc.code {
						t.Errorf("got %#v, want a status of code %d", err, tc.code)
					}
					if text := err.Error(); !strings.Contains(text, "s0-orders") || !strings.Contains(text, tc.err.Error()) {
						t.Errorf("the error does not name the metric and its cause: %s", text)
					}
				}
				if n := w.backend.takeCalls(); n != 1 {
					t.Errorf("a source that fails was called %d times", n)
				}
				w.backend.set(5, nil)
				time.Sleep(time.Minute)
				if got, err := w.ask(t, selector, "s0-orders"); err != nil || got.Items[0].Value.Value() != 5 {
					t.Errorf("after the source recovered: %v, %v", got, err)
				}
			})
		})
	}
}

// A source that answers too late for the caller is an error to the caller.
func TestQueryEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := settled(t, time.Second, "orders")
		w.backend.takes = 2 * time.Second
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s, err := labels.Parse(selector)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		got, err := w.GetExternalMetric(ctx, "shop", s, provider.ExternalMetricInfo{Metric: "s0-orders"})
		if got != nil || !apierrors.IsTimeout(err) {
			t.Errorf("got %v, %v; want a timeout", got, err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestQueriesThatNameNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := settled(t, time.Minute, "orders")
		for name, tc := range map[string]struct {
			selector, metric string
			is               func(error) bool
		}{
			"no selector":      {"", "s0-orders", apierrors.IsBadRequest},
			"another label":    {"app=orders", "s0-orders", apierrors.IsBadRequest},
			"not the object":   {label + "!=orders", "s0-orders", apierrors.IsBadRequest},
			"two objects":      {label + " in (orders,mails)", "s0-orders", apierrors.IsBadRequest},
			"label there":      {label, "s0-orders", apierrors.IsBadRequest},
			"unknown metric":   {selector, "s1-orders", apierrors.IsNotFound},
			"unknown object":   {label + "=mails", "s0-orders", apierrors.IsNotFound},
			"the list's name":  {selector, "externalmetrics", apierrors.IsNotFound},
			"empty metric":     {selector, "", apierrors.IsNotFound},
			"more labels too":  {selector + ",a=b", "s0-orders", nil},
			"in other letters": {selector, "S0-Orders", nil},
			"one in a set":     {label + " in (orders)", "s0-orders", nil},
		} {
			got, err := w.ask(t, tc.selector, tc.metric)
			switch {
			case tc.is == nil && (err != nil || len(got.Items) != 1 || got.Items[0].MetricName != "s0-orders"):
				t.Errorf("%s: got %v, %v; want the metric", name, got, err)
			case tc.is != nil && (got != nil || !tc.is(err)):
				t.Errorf("%s: got %v, %v", name, got, err)
			}
		}
	})
}

func TestTriggersThatAreNotReadYet(t *testing.T) {
	s := store.New(func(poll.Key) {})
	s.Set(poll.Key{Kind: "ScaledObject", Namespace: "shop", Name: "orders"}, []store.Trigger{{Metric: "s0-orders", Freshness: time.Minute}})
	w := &world{Provider: metricsadapter.NewProvider(s, label)}
	if got, err := w.ask(t, selector, "s0-orders"); got != nil || !apierrors.IsServiceUnavailable(err) {
		t.Errorf("got %v, %v; want that it is unavailable", got, err)
	}
}

func TestList(t *testing.T) {
	if got := metricsadapter.NewProvider(store.New(func(poll.Key) {}), label).ListAllExternalMetrics(); len(got) != 1 {
		t.Errorf("the list is %v, want one placeholder", got)
	}
}

func TestQuantity(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		v      float64
		want   string
	}{
		"zero":           {"zero is zero", 0, "0"},
		"minus zero":     {"of either sign", math.Copysign(0, -1), "0"},
		"integer":        {"integers are exact", 42, "42"},
		"thousandth":     {"three decimals are kept", 1.234, "1234m"},
		"rounded down":   {"more are rounded", 1.2344, "1234m"},
		"rounded up":     {"to the nearest", 1.2346, "1235m"},
		"half":           {"a half goes up", 0.0005, "1m"},
		"below half":     {"less than half a thousandth is nothing", 0.0004, "0"},
		"tiny":           {"the smallest number is nothing", math.SmallestNonzeroFloat64, "0"},
		"third":          {"no decimal is exact", 1.0 / 3, "333m"},
		"nearly one":     {"rounds up to one", 0.9999, "1"},
		"negative":       {"a negative number is 0 to the HPA", -5, "0"},
		"negative, tiny": {"however small", -0.0001, "0"},
		"large":          {"thousandths of large numbers", 1e12 + 0.5, "1000000000000500m"},
		"past milli":     {"integers where thousandths do not fit", 1e16, "10P"},
		"largest":        {"the largest integer of a quantity", 1e18, "1E"},
		"too large":      {"no more than a quantity holds", 1e19, "9223372036854775807"},
		"huge":           {"no more than a quantity holds", math.MaxFloat64, "9223372036854775807"},
		"infinite":       {"no more than a quantity holds", math.Inf(1), "9223372036854775807"},
		"minus infinite": {"a negative number is 0", math.Inf(-1), "0"},
		"no number":      {"what is no number is 0, and never gets here", math.NaN(), "0"},
	} {
		t.Run(name, func(t *testing.T) {
			got := metricsadapter.Quantity(tc.v)
			if got.Cmp(resource.MustParse(tc.want)) != 0 {
				t.Errorf("%s: %v is %s, want %s", tc.reason, tc.v, got.String(), tc.want)
			}
			if got.Sign() < 0 {
				t.Errorf("%v is negative: %s", tc.v, got.String())
			}
			if again, err := resource.ParseQuantity(got.String()); err != nil || again.Cmp(got) != 0 {
				t.Errorf("%s does not survive being written and read: %v, %v", got.String(), again.String(), err)
			}
		})
	}
}
