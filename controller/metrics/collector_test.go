package metrics

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/poll"
)

// nowhere is an ownership without an owner, so that nothing is read.
type nowhere struct{}

// Owner is nobody.
func (nowhere) Owner(poll.Key) string { return "" }

// Self is this replica.
func (nowhere) Self() string { return "this" }

// sink takes no readings.
type sink struct{}

// Put drops one.
func (*sink) Put(scalers.Reading) {}

var at = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// newCollector returns a collector of a cluster with a few objects, whose
// triggers were read in every way that a read can go.
func newCollector(t *testing.T) *Collector {
	t.Helper()
	return NewCollector(Build{Version: "v1.2.3", Commit: "abc"}, newStore(), newEngine(), nil, newReader(t))
}

func newStore() *store.Store {
	s := store.New(func(poll.Key) {})
	trigger := func(index int, metric, label, kind string) store.Trigger {
		return store.Trigger{Index: index, Metric: metric, Label: label, Type: kind, Freshness: time.Second}
	}
	orders := s.Set(poll.Key{Kind: kedav1alpha1.KindScaledObject, Namespace: "shop", Name: "orders"}, []store.Trigger{
		trigger(0, "s0-redis-orders", "redisScaler", "redis"),
		trigger(1, "s1-kafka-orders", "mine", "kafka"),
		trigger(3, "s3-redis-returns", "redisScaler", "redis"),
	})
	orders[0].Put(scalers.Reading{Value: scalers.Number(12), Active: true, At: at, Took: 250 * time.Millisecond, Late: 10 * time.Millisecond})
	orders[1].Put(scalers.Reading{Value: scalers.Number(7), Active: true, At: at})
	for range 2 {
		orders[1].Put(scalers.Reading{Err: &scalers.Error{Empty: true, Err: errors.New("no result")}, At: at, Took: 3 * time.Second, Late: 500 * time.Millisecond})
	} // orders[2] was not read yet
	idle := s.Set(poll.Key{Kind: kedav1alpha1.KindScaledObject, Namespace: "lab", Name: "idle"}, []store.Trigger{
		trigger(0, "s0-redis-jobs", "redisScaler", "redis"),
	})
	idle[0].Put(scalers.Reading{Value: scalers.Value{Empty: true}, At: at, Took: time.Millisecond})
	resize := s.Set(poll.Key{Kind: kedav1alpha1.KindScaledJob, Namespace: "shop", Name: "resize"}, []store.Trigger{
		trigger(0, "s0-redis-images", "redisScaler", "redis"),
	})
	resize[0].Put(scalers.Reading{Err: errors.New("no answer"), At: at})
	resize[0].Put(scalers.Reading{Value: scalers.Number(40), Active: true, At: at, Took: time.Second})
	return s
}

// newEngine holds two subscriptions to one query.
func newEngine() *poll.Engine {
	scaler := &scalers.Scaler{
		Fingerprint: param.Fingerprint{1}, Source: scalers.SourceRef{Fingerprint: param.Fingerprint{2}},
		Kind: &scalers.Registration{},
	}
	e := poll.New(poll.Options{Ownership: nowhere{}})
	for _, name := range []string{"a", "b"} {
		e.Set(poll.Key{Name: name}, []poll.Member{{Scaler: scaler, Interval: time.Minute, Sink: &sink{}}})
	}
	return e
}

func newReader(t *testing.T) client.Reader {
	t.Helper()
	scheme := apiruntime.NewScheme()
	for _, add := range []func(*apiruntime.Scheme) error{kedav1alpha1.AddToScheme, autoscalingv2.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	meta := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name}
	}
	paused := &kedav1alpha1.ScaledObject{ObjectMeta: meta("shop", "returns")}
	paused.Annotations = map[string]string{kedav1alpha1.AnnotationPaused: "true"}
	idle := &kedav1alpha1.ScaledObject{ObjectMeta: meta("lab", "idle")}
	idle.Spec.PollingInterval = new(int32(5))
	idle.Status.Conditions = kedav1alpha1.Conditions{{Type: kedav1alpha1.ConditionReady, Status: metav1.ConditionTrue}}
	ours := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: meta("lab", "keda-hpa-idle")}
	ours.OwnerReferences = []metav1.OwnerReference{{APIVersion: "keda.sh/v1alpha1", Kind: "ScaledObject", Name: "idle", UID: "a", Controller: new(true)}}
	ours.Spec.MaxReplicas, ours.Status.CurrentReplicas, ours.Status.DesiredReplicas = 7, 2, 3
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		&kedav1alpha1.ScaledObject{ObjectMeta: meta("shop", "orders")},
		paused, idle, ours,
		&autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: meta("lab", "another")},
		&kedav1alpha1.ScaledJob{ObjectMeta: meta("shop", "resize"), Status: kedav1alpha1.ScaledJobStatus{Conditions: idle.Status.Conditions}},
		&kedav1alpha1.TriggerAuthentication{ObjectMeta: meta("shop", "keys")},
		&kedav1alpha1.ClusterTriggerAuthentication{ObjectMeta: meta("", "keys")},
		&kedav1alpha1.ClusterTriggerAuthentication{ObjectMeta: meta("", "more")},
	).Build()
}

// exposition is what Prometheus scrapes, metric by metric.
var exposition = map[string]string{
	"keda_build_info": `
# HELP keda_build_info Always 1; the labels say what is running.
# TYPE keda_build_info gauge
keda_build_info{git_commit="abc",goarch="` + runtime.GOARCH + `",goos="` + runtime.GOOS + `",goversion="` + runtime.Version() + `",version="v1.2.3"} 1
`,
	// A trigger that cannot be read has no value, and one that was not read yet neither: 0 would be one.
	"keda_scaler_metrics_value": `
# HELP keda_scaler_metrics_value Last value of a trigger, in the trigger's own unit.
# TYPE keda_scaler_metrics_value gauge
keda_scaler_metrics_value{metric="s0-redis-images",namespace="shop",scaledObject="resize",scaler="redisScaler",triggerIndex="0",type="scaledjob"} 40
keda_scaler_metrics_value{metric="s0-redis-jobs",namespace="lab",scaledObject="idle",scaler="redisScaler",triggerIndex="0",type="scaledobject"} 0
keda_scaler_metrics_value{metric="s0-redis-orders",namespace="shop",scaledObject="orders",scaler="redisScaler",triggerIndex="0",type="scaledobject"} 12
`,
	"keda_scaler_metrics_latency_seconds": `
# HELP keda_scaler_metrics_latency_seconds How long the last read of a trigger took, in seconds.
# TYPE keda_scaler_metrics_latency_seconds gauge
keda_scaler_metrics_latency_seconds{metric="s0-redis-images",namespace="shop",scaledObject="resize",scaler="redisScaler",triggerIndex="0",type="scaledjob"} 1
keda_scaler_metrics_latency_seconds{metric="s0-redis-jobs",namespace="lab",scaledObject="idle",scaler="redisScaler",triggerIndex="0",type="scaledobject"} 0.001
keda_scaler_metrics_latency_seconds{metric="s0-redis-orders",namespace="shop",scaledObject="orders",scaler="redisScaler",triggerIndex="0",type="scaledobject"} 0.25
keda_scaler_metrics_latency_seconds{metric="s1-kafka-orders",namespace="shop",scaledObject="orders",scaler="mine",triggerIndex="1",type="scaledobject"} 3
`,
	"keda_scaler_active": `
# HELP keda_scaler_active 1 while a trigger asks for replicas, else 0.
# TYPE keda_scaler_active gauge
keda_scaler_active{metric="s0-redis-images",namespace="shop",scaledObject="resize",scaler="redisScaler",triggerIndex="0",type="scaledjob"} 1
keda_scaler_active{metric="s0-redis-jobs",namespace="lab",scaledObject="idle",scaler="redisScaler",triggerIndex="0",type="scaledobject"} 0
keda_scaler_active{metric="s0-redis-orders",namespace="shop",scaledObject="orders",scaler="redisScaler",triggerIndex="0",type="scaledobject"} 1
keda_scaler_active{metric="s1-kafka-orders",namespace="shop",scaledObject="orders",scaler="mine",triggerIndex="1",type="scaledobject"} 0
`,
	"keda_scaler_detail_errors_total": `
# HELP keda_scaler_detail_errors_total Reads of a trigger that failed.
# TYPE keda_scaler_detail_errors_total counter
keda_scaler_detail_errors_total{metric="s0-redis-images",namespace="shop",scaledObject="resize",scaler="redisScaler",triggerIndex="0",type="scaledjob"} 1
keda_scaler_detail_errors_total{metric="s0-redis-jobs",namespace="lab",scaledObject="idle",scaler="redisScaler",triggerIndex="0",type="scaledobject"} 0
keda_scaler_detail_errors_total{metric="s0-redis-orders",namespace="shop",scaledObject="orders",scaler="redisScaler",triggerIndex="0",type="scaledobject"} 0
keda_scaler_detail_errors_total{metric="s1-kafka-orders",namespace="shop",scaledObject="orders",scaler="mine",triggerIndex="1",type="scaledobject"} 2
keda_scaler_detail_errors_total{metric="s3-redis-returns",namespace="shop",scaledObject="orders",scaler="redisScaler",triggerIndex="3",type="scaledobject"} 0
`,
	"keda_scaler_empty_upstream_responses_total": `
# HELP keda_scaler_empty_upstream_responses_total Reads of a trigger whose source answered with nothing: errors, or with ignoreNullValues the number 0.
# TYPE keda_scaler_empty_upstream_responses_total counter
keda_scaler_empty_upstream_responses_total{ignoreNullValues="false",metricName="s1-kafka-orders",namespace="shop",resourceType="ScaledObject",scaledResource="orders",triggerName="mine"} 2
keda_scaler_empty_upstream_responses_total{ignoreNullValues="true",metricName="s0-redis-jobs",namespace="lab",resourceType="ScaledObject",scaledResource="idle",triggerName="redisScaler"} 1
`,
	"keda_internal_scale_loop_latency_seconds": `
# HELP keda_internal_scale_loop_latency_seconds How long after its time the last scheduled read of an object began, in seconds.
# TYPE keda_internal_scale_loop_latency_seconds gauge
keda_internal_scale_loop_latency_seconds{namespace="lab",resource="idle",type="scaledobject"} 0
keda_internal_scale_loop_latency_seconds{namespace="shop",resource="orders",type="scaledobject"} 0.5
keda_internal_scale_loop_latency_seconds{namespace="shop",resource="resize",type="scaledjob"} 0
`,
	"keda_scaled_job_errors_total": `
# HELP keda_scaled_job_errors_total Reads of a ScaledJob's triggers that failed.
# TYPE keda_scaled_job_errors_total counter
keda_scaled_job_errors_total{namespace="shop",scaledJob="resize"} 1
`,
	"freshet_scaled_job_ready": `
# HELP freshet_scaled_job_ready 1 while a ScaledJob is Ready, else 0.
# TYPE freshet_scaled_job_ready gauge
freshet_scaled_job_ready{namespace="shop",scaledJob="resize"} 1
`,
	"keda_scaled_object_errors_total": `
# HELP keda_scaled_object_errors_total Reads of a ScaledObject's triggers that failed.
# TYPE keda_scaled_object_errors_total counter
keda_scaled_object_errors_total{namespace="lab",scaledObject="idle"} 0
keda_scaled_object_errors_total{namespace="shop",scaledObject="orders"} 2
`,
	"keda_scaled_object_paused": `
# HELP keda_scaled_object_paused 1 while a ScaledObject is paused, else 0.
# TYPE keda_scaled_object_paused gauge
keda_scaled_object_paused{namespace="lab",scaledObject="idle"} 0
keda_scaled_object_paused{namespace="shop",scaledObject="orders"} 0
keda_scaled_object_paused{namespace="shop",scaledObject="returns"} 1
`,
	"keda_trigger_registered_total": `
# HELP keda_trigger_registered_total Triggers being read, by type.
# TYPE keda_trigger_registered_total gauge
keda_trigger_registered_total{type="kafka"} 1
keda_trigger_registered_total{type="redis"} 4
`,
	"keda_resource_registered_total": `
# HELP keda_resource_registered_total Objects that exist, by kind and namespace.
# TYPE keda_resource_registered_total gauge
keda_resource_registered_total{namespace="",type="cluster_trigger_authentication"} 2
keda_resource_registered_total{namespace="lab",type="scaled_object"} 1
keda_resource_registered_total{namespace="shop",type="scaled_job"} 1
keda_resource_registered_total{namespace="shop",type="scaled_object"} 2
keda_resource_registered_total{namespace="shop",type="trigger_authentication"} 1
`,
	"freshet_engine_size": `
# HELP freshet_engine_size What the polling engine holds: sources (connections), queries (distinct reads) and subscriptions (triggers).
# TYPE freshet_engine_size gauge
freshet_engine_size{what="queries"} 1
freshet_engine_size{what="sources"} 1
freshet_engine_size{what="subscriptions"} 2
`,
	"freshet_scaler_reading_timestamp_seconds": `
# HELP freshet_scaler_reading_timestamp_seconds When a trigger was last read, well or not, in seconds since 1970.
# TYPE freshet_scaler_reading_timestamp_seconds gauge
freshet_scaler_reading_timestamp_seconds{metric="s0-redis-images",namespace="shop",scaledObject="resize",scaler="redisScaler",triggerIndex="0",type="scaledjob"} 1.7672256e+09
freshet_scaler_reading_timestamp_seconds{metric="s0-redis-jobs",namespace="lab",scaledObject="idle",scaler="redisScaler",triggerIndex="0",type="scaledobject"} 1.7672256e+09
freshet_scaler_reading_timestamp_seconds{metric="s0-redis-orders",namespace="shop",scaledObject="orders",scaler="redisScaler",triggerIndex="0",type="scaledobject"} 1.7672256e+09
freshet_scaler_reading_timestamp_seconds{metric="s1-kafka-orders",namespace="shop",scaledObject="orders",scaler="mine",triggerIndex="1",type="scaledobject"} 1.7672256e+09
`,
	"freshet_scaled_object_ready": `
# HELP freshet_scaled_object_ready 1 while a ScaledObject is Ready, else 0.
# TYPE freshet_scaled_object_ready gauge
freshet_scaled_object_ready{namespace="lab",scaledObject="idle"} 1
freshet_scaled_object_ready{namespace="shop",scaledObject="orders"} 0
freshet_scaled_object_ready{namespace="shop",scaledObject="returns"} 0
`,
	"freshet_scaled_object_polling_interval_seconds": `
# HELP freshet_scaled_object_polling_interval_seconds How often the triggers of a ScaledObject are read on schedule, in seconds.
# TYPE freshet_scaled_object_polling_interval_seconds gauge
freshet_scaled_object_polling_interval_seconds{namespace="lab",scaledObject="idle"} 5
freshet_scaled_object_polling_interval_seconds{namespace="shop",scaledObject="orders"} 30
freshet_scaled_object_polling_interval_seconds{namespace="shop",scaledObject="returns"} 30
`,
	// HPAs that are no ScaledObject's are not told of.
	"freshet_hpa_current_replicas": `
# HELP freshet_hpa_current_replicas Replicas that the HPA of a ScaledObject last saw.
# TYPE freshet_hpa_current_replicas gauge
freshet_hpa_current_replicas{namespace="lab",scaledObject="idle"} 2
`,
	"freshet_hpa_desired_replicas": `
# HELP freshet_hpa_desired_replicas Replicas that the HPA of a ScaledObject last asked for.
# TYPE freshet_hpa_desired_replicas gauge
freshet_hpa_desired_replicas{namespace="lab",scaledObject="idle"} 3
`,
	"freshet_hpa_min_replicas": `
# HELP freshet_hpa_min_replicas Replicas that the HPA of a ScaledObject may ask for at least.
# TYPE freshet_hpa_min_replicas gauge
freshet_hpa_min_replicas{namespace="lab",scaledObject="idle"} 1
`,
	"freshet_hpa_max_replicas": `
# HELP freshet_hpa_max_replicas Replicas that the HPA of a ScaledObject may ask for at most.
# TYPE freshet_hpa_max_replicas gauge
freshet_hpa_max_replicas{namespace="lab",scaledObject="idle"} 7
`,
}

func TestCollector(t *testing.T) {
	c := newCollector(t)
	for name, want := range exposition {
		t.Run(name, func(t *testing.T) {
			if err := testutil.CollectAndCompare(c, strings.NewReader(want), name); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestCollectorSendsNothingElse: a metric that is added is added above, too.
func TestCollectorSendsNothingElse(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(newCollector(t)); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if exposition[f.GetName()] == "" {
			t.Errorf("metric %s is sent, and not among those that are expected", f.GetName())
		}
	}
	if len(families) != len(exposition) {
		t.Errorf("%d metrics are sent, and %d expected", len(families), len(exposition))
	}
}

// compatible are the lints that the names of KEDA's metrics fail, which users
// have in dashboards.
var compatible = map[string][]string{
	"keda_resource_registered_total": {`non-counter metrics should not have "_total" suffix`},
	"keda_trigger_registered_total":  {`non-counter metrics should not have "_total" suffix`},
}

// camelCase are labels of KEDA's metrics.
const camelCase = "label names should be written in 'snake_case' not 'camelCase'"

// TestCollectorLint: every metric has a help, and follows Prometheus' rules as
// far as compatibility allows.
func TestCollectorLint(t *testing.T) {
	problems, err := testutil.CollectAndLint(newCollector(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if p.Text != camelCase && !slices.Contains(compatible[p.Metric], p.Text) {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// downReader cannot list one kind.
type downReader struct {
	client.Reader
	kind client.ObjectList
}

// List lists objects.
func (r downReader) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if reflect.TypeOf(list) == reflect.TypeOf(r.kind) {
		return errors.New("no answer")
	}
	return r.Reader.List(ctx, list, opts...)
}

// TestCollectorWithoutLists: what cannot be counted is left out, and what can
// is not.
func TestCollectorWithoutLists(t *testing.T) {
	const objects, jobs, auths, clusterAuths = "scaled_object", "scaled_job", "trigger_authentication", "cluster_trigger_authentication"
	cases := []struct {
		kind client.ObjectList
		want []string
	}{
		{&kedav1alpha1.ScaledObjectList{}, []string{clusterAuths, jobs, auths}},
		{&kedav1alpha1.ScaledJobList{}, []string{clusterAuths, objects, auths}},
		{&kedav1alpha1.TriggerAuthenticationList{}, []string{clusterAuths, jobs, objects}},
		{&kedav1alpha1.ClusterTriggerAuthenticationList{}, []string{jobs, objects, auths}},
	}
	for _, tc := range cases {
		t.Run(fmt.Sprintf("%T", tc.kind), func(t *testing.T) {
			c := newCollector(t)
			c.reader = downReader{c.reader, tc.kind}
			registry := prometheus.NewPedanticRegistry()
			registry.MustRegister(c)
			families, err := registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range families {
				if f.GetName() != "keda_resource_registered_total" {
					continue
				}
				for _, m := range f.GetMetric() {
					for _, l := range m.GetLabel() {
						if l.GetName() == "type" && !slices.Contains(got, l.GetValue()) {
							got = append(got, l.GetValue())
						}
					}
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("kinds that are counted (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCollectorOfNamedMetrics: a trigger whose source names its metrics has a
// value for each, and the names that it had last while it cannot be read.
func TestCollectorOfNamedMetrics(t *testing.T) {
	c := newCollector(t)
	c.store = store.New(func(poll.Key) {})
	slots := c.store.Set(poll.Key{Namespace: "shop", Name: "orders"}, []store.Trigger{{
		Index: 2, Metric: "s2-external-scaler", Named: true, Label: "externalScaler", Type: "external",
	}})
	reading := scalers.Reading{At: at, Active: true, Value: scalers.Value{Activity: 1, Series: []scalers.Series{
		{Name: "queue", Value: 12, Target: 5}, {Name: "wait", Value: 0.5, Target: 1},
	}}}
	const labels = `namespace="shop",scaledObject="orders",scaler="externalScaler",triggerIndex="2",type="scaledobject"} `
	slots[0].Put(reading)
	if err := testutil.CollectAndCompare(c, strings.NewReader(`
# HELP keda_scaler_active 1 while a trigger asks for replicas, else 0.
# TYPE keda_scaler_active gauge
keda_scaler_active{metric="s2-queue",`+labels+`1
keda_scaler_active{metric="s2-wait",`+labels+`1
# HELP keda_scaler_metrics_value Last value of a trigger, in the trigger's own unit.
# TYPE keda_scaler_metrics_value gauge
keda_scaler_metrics_value{metric="s2-queue",`+labels+`12
keda_scaler_metrics_value{metric="s2-wait",`+labels+`0.5
`), "keda_scaler_metrics_value", "keda_scaler_active"); err != nil {
		t.Error(err)
	}
	slots[0].Put(scalers.Reading{At: at, Err: errors.New("no answer")})
	if err := testutil.CollectAndCompare(c, strings.NewReader(`
# HELP keda_scaler_active 1 while a trigger asks for replicas, else 0.
# TYPE keda_scaler_active gauge
keda_scaler_active{metric="s2-queue",`+labels+`0
keda_scaler_active{metric="s2-wait",`+labels+`0
`), "keda_scaler_metrics_value", "keda_scaler_active"); err != nil {
		t.Error(err)
	}
}
