package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// latenessMetric is how late the last read of an object was, in seconds, by the
// name that KEDA gave it.
const latenessMetric = "keda_internal_scale_loop_latency_seconds"

// selfLateness asks the measured process, once in every polling interval, how
// late the healthy objects' reads were, until what it returns is called.
func (r *faultRun) selfLateness(ctx context.Context) func() (*spread, error) {
	if r.options.selfMetrics == "" {
		return func() (*spread, error) { return nil, nil }
	}
	healthy := map[string]bool{}
	for _, name := range r.healthy {
		healthy[name] = true
	}
	ctx, cancel := context.WithCancel(ctx)
	type said struct {
		late []time.Duration
		err  error
	}
	done := make(chan said, 1)
	go func() {
		var s said
		for pause(ctx, r.set.interval) == nil {
			late, err := askLateness(ctx, r.options.selfMetrics, healthy)
			if ctx.Err() != nil {
				break
			}
			s.late = append(s.late, late...)
			s.err = err
		}
		done <- s
	}()
	return func() (*spread, error) {
		cancel()
		s := <-done
		if s.err != nil || len(s.late) == 0 {
			return nil, s.err
		}
		all := spreadOf(s.late)
		return &all, nil
	}
}

func askLateness(ctx context.Context, url string, objects map[string]bool) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	text, err := fetch(ctx, url)
	if err != nil {
		return nil, err
	}
	return latenessOf(text, objects)
}

// latenessOf reads the lateness of some objects from metrics in Prometheus' text format.
func latenessOf(text []byte, objects map[string]bool) ([]time.Duration, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("reading self-metrics: %w", err)
	}
	var late []time.Duration
	for _, m := range families[latenessMetric].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "resource" && objects[l.GetValue()] {
				late = append(late, time.Duration(m.GetGauge().GetValue()*float64(time.Second)))
			}
		}
	}
	return late, nil
}
