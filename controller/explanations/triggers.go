package explanations

import (
	"context"
	"math"
	"strings"
	"time"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/why"
	"github.com/freshet-io/freshet/metricsadapter/rules"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
)

// triggers finds what is known of every trigger of the object, and of its formula.
func (g *Gatherer) triggers(ctx context.Context, f *why.Facts, so *kedav1alpha1.ScaledObject, key poll.Key) {
	slots, ru := map[int]*store.Slot{}, g.Rules.Of(key)
	for _, s := range g.Store.Object(key) {
		slots[s.Index] = s
	}
	for i := range so.Spec.Triggers {
		spec := &so.Spec.Triggers[i]
		t := why.Trigger{Index: i, Name: spec.Name, Type: spec.Type}
		switch s := slots[i]; {
		case s != nil:
			f.Triggers = append(f.Triggers, g.read(ctx, f, s, t)...)
		case spec.IsResource():
			t.Resource, t.Metric = true, spec.Type
			f.Triggers = append(f.Triggers, t)
		case !so.Paused():
			t.Metric = scalers.MetricName(i, spec.Type)
			g.broken(ctx, f.Now, ru, &t)
			f.Triggers = append(f.Triggers, t)
		}
	}
	if ru != nil && (ru.Composite != nil || ru.CompositeErr != nil) {
		f.Formula = formula(ctx, ru, f.Now)
	}
}

// read is what a trigger's last reading says, once for each metric. On a replica
// that does not read it on schedule it is read now, as for the HPA.
func (g *Gatherer) read(ctx context.Context, f *why.Facts, s *store.Slot, t why.Trigger) []why.Trigger {
	if !f.Cursory && !f.Witness.Decides {
		_, _ = s.Fresh(ctx, f.Now) // the error is in the reading
	}
	reading := s.Reading()
	t.Metric, t.Known, t.At, t.Active = s.Metric, reading.Known(), reading.At, reading.Active
	t.Value, t.Failures = reading.Value.Metric, s.Failures()
	if reading.Err != nil {
		failed(&t, reading.Err)
		g.standIn(ctx, g.Rules.Of(s.Key()), &t, reading.Err)
		return []why.Trigger{t}
	}
	if activity := reading.Value.Activity; activity != t.Value && !math.IsNaN(activity) {
		t.Activity = &activity
	}
	if len(reading.Value.Series) == 0 {
		return []why.Trigger{t}
	}
	var all []why.Trigger
	for _, m := range reading.Value.Series {
		one := t
		one.Metric, one.Value = scalers.MetricPrefix(s.Index)+m.Name, m.Value
		all = append(all, one)
	}
	return all
}

// failed says why there is no value.
func failed(t *why.Trigger, err error) {
	t.Err, t.Class, t.Value, t.Active = err.Error(), scalers.ClassOf(err).String(), 0, false
}

// broken is a trigger that cannot be built.
func (g *Gatherer) broken(ctx context.Context, now time.Time, ru *rules.Rules, t *why.Trigger) {
	if ru == nil {
		return
	}
	for i := range ru.Triggers {
		r := &ru.Triggers[i]
		if r.Broken == nil || !strings.EqualFold(r.Metric, t.Metric) {
			continue
		}
		t.Known = true
		t.Failures = r.Broken.Failures(now)
		failed(t, r.Broken.Err)
		g.standIn(ctx, ru, t, r.Broken.Err)
	}
}

// standIn is what the HPA is given while the fallback stands in for the trigger.
func (g *Gatherer) standIn(ctx context.Context, ru *rules.Rules, t *why.Trigger, cause error) {
	if ru == nil || ru.Composite != nil {
		return
	}
	if n, err := ru.StandIn(ctx, t.Metric, t.Failures, cause); err == nil {
		t.StandIn = &n
	}
}

// formula is the result of the formula on the last readings.
func formula(ctx context.Context, ru *rules.Rules, now time.Time) *why.Trigger {
	t := &why.Trigger{Index: -1, Metric: kedav1alpha1.CompositeMetricName, Known: true, At: now}
	if ru.Composite == nil {
		failed(t, ru.CompositeErr)
		return t
	}
	inputs := ru.Last(now)
	result := ru.Composite.Evaluate(inputs, ru.Fallback)
	t.Known, t.Value, t.Active, t.Failures = result.Known, result.Value, ru.Composite.Active(result), result.Failures
	if result.Err != nil {
		failed(t, result.Err)
	}
	if result.StandIn {
		if n, err := ru.CompositeMetric(ctx, now); err == nil {
			t.StandIn = &n
		}
	}
	return t
}
