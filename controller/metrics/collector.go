// Package metrics holds Freshet's self-metrics: the names that dashboards and
// alerts of KEDA's users know, each with its help.
package metrics

import (
	"context"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/metricsadapter/rules"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
)

var (
	scalerLabels = []string{"namespace", "metric", "scaledObject", "scaler", "triggerIndex", "type"}

	buildInfo = prometheus.NewDesc("keda_build_info",
		"Always 1; the labels say what is running.", []string{"version", "git_commit", "goversion", "goos", "goarch"}, nil)
	scalerValue = prometheus.NewDesc("keda_scaler_metrics_value",
		"Last value of a trigger, in the trigger's own unit.", scalerLabels, nil)
	scalerLatency = prometheus.NewDesc("keda_scaler_metrics_latency_seconds",
		"How long the last read of a trigger took, in seconds.", scalerLabels, nil)
	scalerActive = prometheus.NewDesc("keda_scaler_active",
		"1 while a trigger asks for replicas, else 0.", scalerLabels, nil)
	scalerErrors = prometheus.NewDesc("keda_scaler_detail_errors_total",
		"Reads of a trigger that failed.", scalerLabels, nil)
	emptyResponses = prometheus.NewDesc("keda_scaler_empty_upstream_responses_total",
		"Reads of a trigger whose source answered with nothing: errors, or with ignoreNullValues the number 0.",
		[]string{"namespace", "scaledResource", "triggerName", "metricName", "resourceType", "ignoreNullValues"}, nil)
	loopLatency = prometheus.NewDesc("keda_internal_scale_loop_latency_seconds",
		"How long after its time the last scheduled read of an object began, in seconds.", []string{"namespace", "type", "resource"}, nil)
	objectErrors = prometheus.NewDesc("keda_scaled_object_errors_total",
		"Reads of a ScaledObject's triggers that failed.", []string{"namespace", "scaledObject"}, nil)
	jobErrors = prometheus.NewDesc("keda_scaled_job_errors_total",
		"Reads of a ScaledJob's triggers that failed.", []string{"namespace", "scaledJob"}, nil)
	objectPaused = prometheus.NewDesc("keda_scaled_object_paused",
		"1 while a ScaledObject is paused, else 0.", []string{"namespace", "scaledObject"}, nil)
	triggersRegistered = prometheus.NewDesc("keda_trigger_registered_total",
		"Triggers being read, by type.", []string{"type"}, nil)
	resourcesRegistered = prometheus.NewDesc("keda_resource_registered_total",
		"Objects that exist, by kind and namespace.", []string{"type", "namespace"}, nil)
	engineSize = prometheus.NewDesc("freshet_engine_size",
		"What the polling engine holds: sources (connections), queries (distinct reads) and subscriptions (triggers).", []string{"what"}, nil)
)

// Collector gathers self-metrics when they are scraped, so that they cost
// nothing in between.
type Collector struct {
	build  Build
	store  *store.Store
	engine *poll.Engine
	rules  *rules.Book
	reader client.Reader
}

// Build says which build of Freshet is running.
type Build struct {
	// Version and Commit are of the source.
	Version, Commit string
}

// NewCollector returns a Collector that counts objects with reader, which
// should be a cache.
func NewCollector(b Build, s *store.Store, e *poll.Engine, book *rules.Book, reader client.Reader) *Collector {
	return &Collector{build: b, store: s, engine: e, rules: book, reader: reader}
}

// Describe sends nothing: the collector is not checked, since what it sends
// depends on the objects.
func (c *Collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends all metrics.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	gauge(ch, buildInfo, 1, c.build.Version, c.build.Commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	c.collectTriggers(ch)
	c.collectFormulas(ch)
	c.collectObjects(ch)
	c.collectScaling(ch)
	size := c.engine.Size()
	gauge(ch, engineSize, float64(size.Sources), "sources")
	gauge(ch, engineSize, float64(size.Queries), "queries")
	gauge(ch, engineSize, float64(size.Subscriptions), "subscriptions")
}

func gauge(ch chan<- prometheus.Metric, desc *prometheus.Desc, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, labels...)
}

// truth is 1 for yes and 0 for no.
func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func counter(ch chan<- prometheus.Metric, desc *prometheus.Desc, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, v, labels...)
}

func (c *Collector) collectTriggers(ch chan<- prometheus.Metric) {
	types := map[string]float64{}
	errors := map[poll.Key]float64{}
	late := map[poll.Key]float64{}
	for _, slot := range c.store.Slots() { // a slow scrape must not hold the store
		key := slot.Key()
		labelsOf := func(metric string) []string {
			return []string{key.Namespace, metric, key.Name, slot.Label, strconv.Itoa(slot.Index), typeOf(key)}
		}
		r := slot.Reading()
		failed := float64(slot.Errors())
		types[slot.Type]++
		errors[key] += failed
		late[key] = max(late[key], r.Late.Seconds())
		counter(ch, scalerErrors, failed, labelsOf(slot.Metric)...)
		collectEmpties(ch, slot)
		if !r.Known() {
			continue
		}
		active := truth(r.Active)
		for _, m := range seriesOf(slot, r) {
			labels := labelsOf(m.Name)
			gauge(ch, scalerLatency, r.Took.Seconds(), labels...)
			gauge(ch, scalerActive, active, labels...)
			gauge(ch, readingTime, float64(r.At.UnixMilli())/1000, labels...)
			if r.Err == nil { // a missing number is not a zero here either
				gauge(ch, scalerValue, m.Value, labels...)
			}
		}
	}
	for name, n := range types {
		gauge(ch, triggersRegistered, n, name)
	}
	for key, n := range errors {
		if key.Kind == kedav1alpha1.KindScaledJob {
			counter(ch, jobErrors, n, key.Namespace, key.Name)
		} else {
			counter(ch, objectErrors, n, key.Namespace, key.Name)
		}
		gauge(ch, loopLatency, late[key], key.Namespace, typeOf(key), key.Name)
	}
}

// typeOf is the kind of an object as labels have it.
func typeOf(key poll.Key) string {
	if key.Kind == kedav1alpha1.KindScaledJob {
		return "scaledjob"
	}
	return "scaledobject"
}

// collectEmpties tells of answers with nothing, where there were any: few sources
// give such.
func collectEmpties(ch chan<- prometheus.Metric, slot *store.Slot) {
	key, empties := slot.Key(), slot.Empties()
	for ignored, n := range map[string]uint64{"true": empties.Ignored, "false": empties.Refused} {
		if n > 0 {
			counter(ch, emptyResponses, float64(n), key.Namespace, key.Name, slot.Label, slot.Metric, key.Kind, ignored)
		}
	}
}

// seriesOf are the metrics of a trigger by their full names: its one, or those
// that its source named last.
func seriesOf(slot *store.Slot, r scalers.Reading) []scalers.Series {
	named := r.Value.Series
	if r.Err != nil {
		named = slot.Series()
	}
	if len(named) == 0 {
		return []scalers.Series{{Name: slot.Metric, Value: r.Value.Metric}}
	}
	all := make([]scalers.Series, len(named))
	for i, m := range named {
		all[i] = scalers.Series{Name: scalers.MetricPrefix(slot.Index) + m.Name, Value: m.Value}
	}
	return all
}

// collectObjects counts what the cache holds. A list that fails leaves its
// metrics out rather than making them 0.
func (c *Collector) collectObjects(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) // of a cache that is not filled yet
	defer cancel()
	counts := map[[2]string]float64{}
	var objects kedav1alpha1.ScaledObjectList
	if err := c.reader.List(ctx, &objects, client.UnsafeDisableDeepCopy); err == nil {
		for i := range objects.Items {
			so := &objects.Items[i]
			counts[[2]string{"scaled_object", so.Namespace}]++
			gauge(ch, objectPaused, truth(so.Paused()), so.Namespace, so.Name)
		}
	}
	var scaledJobs kedav1alpha1.ScaledJobList
	if err := c.reader.List(ctx, &scaledJobs, client.UnsafeDisableDeepCopy); err == nil {
		for i := range scaledJobs.Items {
			counts[[2]string{"scaled_job", scaledJobs.Items[i].Namespace}]++
		}
	}
	var auths kedav1alpha1.TriggerAuthenticationList
	if err := c.reader.List(ctx, &auths, client.UnsafeDisableDeepCopy); err == nil {
		for i := range auths.Items {
			counts[[2]string{"trigger_authentication", auths.Items[i].Namespace}]++
		}
	}
	var clusterAuths kedav1alpha1.ClusterTriggerAuthenticationList
	if err := c.reader.List(ctx, &clusterAuths, client.UnsafeDisableDeepCopy); err == nil && len(clusterAuths.Items) > 0 {
		counts[[2]string{"cluster_trigger_authentication", ""}] = float64(len(clusterAuths.Items))
	}
	for key, n := range counts {
		gauge(ch, resourcesRegistered, n, key[0], key[1])
	}
}
