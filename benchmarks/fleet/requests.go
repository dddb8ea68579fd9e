package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/discovery"
)

// Metrics of the API server, of its webhooks, and of whoever uses client-go.
const (
	requestsMetric = "apiserver_request_total"
	webhooksMetric = "apiserver_admission_webhook_request_total"
	cpuMetric      = "process_cpu_seconds_total"
	clientMetric   = "rest_client_requests_total"
)

// errNotTold says that metrics lack what they should have.
var errNotTold = errors.New("its metrics do not tell")

// work is what the API server has done so far, by its own word. A watch is no
// request here: it is open all the time.
type work struct {
	cpu      float64            // seconds
	requests map[string]float64 // by verb and resource
	own      map[string]float64 // those of the measured process, by method
	// used is the CPU of the measured processes, together, and of those beside them.
	used map[string]time.Duration
}

// measuredName is what the measured processes are called beside the others.
const measuredName = "autoscaler"

// workSoFar asks the API server, and the measured process where it can be asked.
func (b *bench) workSoFar(ctx context.Context) (*work, error) {
	client, err := discovery.NewDiscoveryClientForConfig(b.config)
	if err != nil {
		return nil, fmt.Errorf("making a client of the API server: %w", err)
	}
	var text []byte
	err = call(ctx, func(ctx context.Context) error {
		text, err = client.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
		return err //nolint:wrapcheck // below
	})
	if err != nil {
		return nil, fmt.Errorf("asking the API server for its metrics: %w", err)
	}
	w, err := workOf(text)
	if err != nil {
		return nil, err
	}
	w.used = b.cpuBeside()
	pids, err := b.options.measured()
	if err != nil {
		return nil, err
	}
	own, err := sampleOf(pids)
	if err != nil {
		return nil, err
	}
	if len(pids) > 0 {
		w.used[measuredName] = own.cpu
	}
	if b.options.selfMetrics == "" {
		return w, nil
	}
	err = call(ctx, func(ctx context.Context) error {
		text, err = fetch(ctx, b.options.selfMetrics)
		return err
	})
	if err != nil {
		return nil, err
	}
	w.own, err = sums(text, clientMetric, func(l map[string]string) string { return l["method"] })
	return w, err
}

// workOf reads the API server's metrics.
func workOf(text []byte) (*work, error) {
	w := &work{}
	var err error
	w.requests, err = sums(text, requestsMetric, func(l map[string]string) string {
		if l["verb"] == "WATCH" || l["resource"] == "" {
			return ""
		}
		name := l["verb"] + " " + l["resource"]
		if l["subresource"] != "" {
			name += "/" + l["subresource"]
		}
		return name
	})
	if err != nil {
		return nil, err
	}
	webhooks, err := sums(text, webhooksMetric, func(l map[string]string) string { return "webhook " + l["name"] })
	if err != nil {
		return nil, err
	}
	maps.Copy(w.requests, webhooks)
	cpu, err := sums(text, cpuMetric, func(map[string]string) string { return cpuMetric })
	if err != nil {
		return nil, err
	}
	if w.cpu = cpu[cpuMetric]; w.cpu == 0 || len(w.requests) == 0 {
		return nil, fmt.Errorf("reading %s and %s: %w", cpuMetric, requestsMetric, errNotTold)
	}
	return w, nil
}

// sums adds up a counter by what name makes of its labels; "" is left out.
func sums(text []byte, metric string, name func(map[string]string) string) (map[string]float64, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("reading metrics: %w", err)
	}
	all := map[string]float64{}
	for _, m := range families[metric].GetMetric() {
		if key := name(labelsOf(m)); key != "" {
			all[key] += m.GetCounter().GetValue()
		}
	}
	return all, nil
}

func labelsOf(m *dto.Metric) map[string]string {
	labels := map[string]string{}
	for _, l := range m.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	return labels
}

// since is what was done after before, for each of so many objects.
func (w *work) since(before *work, objects int) *workFigures {
	f := &workFigures{CPU: round((w.cpu - before.cpu) * 1000 / float64(objects)), Requests: map[string]float64{}}
	per := func(after, before map[string]float64, key string) float64 {
		return (after[key] - before[key]) / float64(objects)
	}
	var total float64
	for _, name := range slices.Sorted(maps.Keys(w.requests)) {
		n := per(w.requests, before.requests, name)
		total += n
		const few = 0.05 // what is not for each object
		if n >= few {
			f.Requests[name] = round(n)
		}
	}
	f.Total = round(total)
	for method := range w.own {
		f.Own += per(w.own, before.own, method)
	}
	f.Own = round(f.Own)
	for name, cpu := range w.used {
		if f.Used == nil {
			f.Used = map[string]float64{}
		}
		f.Used[name] = millis((cpu - before.used[name]) / time.Duration(objects))
	}
	return f
}
