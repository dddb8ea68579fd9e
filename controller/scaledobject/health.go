package scaledobject

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/metricsadapter/fallback"
	"github.com/freshet-io/freshet/metricsadapter/rules"
	"github.com/freshet-io/freshet/scalers"
)

// resume goes on counting failures where the status says that counting had got to,
// so that a restart ends no fallback, and has a look taken when the fallback begins.
func (t *trigger) resume(so *kedav1alpha1.ScaledObject, f *fallback.Spec) {
	if f == nil {
		t.slot.Alarm(0)
		return
	}
	t.slot.Alarm(f.Threshold + 1)
	if n := t.counted(so); n > 0 {
		t.slot.Resume(n)
	}
}

// counted is how many failures in a row the status has of the trigger.
func (t *trigger) counted(so *kedav1alpha1.ScaledObject) int32 {
	prefix := scalers.MetricPrefix(t.index)
	for metric, health := range so.Status.Health {
		if strings.HasPrefix(metric, prefix) && health.NumberOfFailures != nil {
			return *health.NumberOfFailures
		}
	}
	return 0
}

// broken is the trigger as one that cannot be built, since it was first seen so.
func (t *trigger) broken(so *kedav1alpha1.ScaledObject, old *rules.Rules, now time.Time) *rules.Broken {
	b := &rules.Broken{Err: t.err, Since: now, Carried: max(0, t.counted(so)-1), Interval: so.PollingInterval()}
	if old == nil {
		return b
	}
	for i := range old.Triggers {
		if o := &old.Triggers[i]; o.Metric == t.metric && o.Broken != nil {
			b.Since, b.Carried = o.Broken.Since, o.Broken.Carried
		}
	}
	return b
}

// fallbackBegins is how long until time alone has the fallback hold for a trigger
// that cannot be built; 0 is never.
func fallbackBegins(ru *rules.Rules, now time.Time) time.Duration {
	var first time.Duration
	if ru == nil || ru.Fallback == nil {
		return 0
	}
	for i := range ru.Triggers {
		if b := ru.Triggers[i].Broken; b != nil && !ru.Fallback.Holds(b.Failures(now)) {
			first = sooner(first, max(time.Millisecond, b.Reaches(ru.Fallback.Threshold+1).Sub(now)))
		}
	}
	return first
}

// reportFallback says on the object for which triggers the fallback stands in, and
// keeps what a restart needs to know of it.
func (r *Reconciler) reportFallback(so *kedav1alpha1.ScaledObject, ru *rules.Rules, triggers []*trigger, now time.Time) {
	was := so.Status.Conditions.Get(kedav1alpha1.ConditionFallback)
	if so.Spec.Fallback == nil || ru == nil {
		so.Status.Health = nil
		r.set(so, kedav1alpha1.ConditionFallback, metav1.ConditionFalse, kedav1alpha1.ReasonNoFallbackFound, "No fallback is configured", now)
		r.tellFallback(so, was)
		return
	}
	health := map[string]kedav1alpha1.HealthStatus{}
	var held []string
	for _, t := range triggers {
		if t.isResource() {
			continue
		}
		failures, known := t.failures(ru, now)
		for _, metric := range t.metrics() {
			old, ok := so.Status.Health[metric]
			if !known && !ok {
				continue
			}
			health[metric] = healthOf(old, failures, ru.Fallback.Threshold)
			if ru.Fallback.Holds(failures) {
				held = append(held, metric)
			}
		}
	}
	so.Status.Health = health
	if len(held) > 0 {
		r.set(so, kedav1alpha1.ConditionFallback, metav1.ConditionTrue, kedav1alpha1.ReasonFallbackExists, fmt.Sprintf(
			"The fallback stands in for %s, after more than %d failures in a row", strings.Join(held, ", "), ru.Fallback.Threshold), now)
	} else {
		r.set(so, kedav1alpha1.ConditionFallback, metav1.ConditionFalse, kedav1alpha1.ReasonNoFallbackFound, "No trigger needs the fallback", now)
	}
	r.tellFallback(so, was)
}

// tellFallback records that the fallback began or ended.
func (r *Reconciler) tellFallback(so *kedav1alpha1.ScaledObject, was kedav1alpha1.Condition) {
	switch is := so.Status.Conditions.Get(kedav1alpha1.ConditionFallback); {
	case is.IsTrue() && !was.IsTrue():
		r.Events.Warn(so, events.FallbackActivated, is.Message)
	case !is.IsTrue() && was.IsTrue():
		r.Events.Note(so, events.FallbackDeactivated, is.Message)
	}
}

// failures are those in a row of the trigger. known is false until it was read.
func (t *trigger) failures(ru *rules.Rules, now time.Time) (n int32, known bool) {
	if t.slot != nil {
		return t.slot.Failures(), t.slot.Reading().Known()
	}
	if ru == nil {
		return 0, false
	}
	for i := range ru.Triggers {
		if o := &ru.Triggers[i]; o.Metric == t.metric && o.Broken != nil {
			return o.Broken.Failures(now), true
		}
	}
	return 0, false
}

// metrics are the names of the trigger's external metrics.
func (t *trigger) metrics() []string {
	series := t.series()
	if len(series) == 0 {
		return []string{t.metric}
	}
	names := make([]string, len(series))
	for i, m := range series {
		names[i] = scalers.MetricPrefix(t.index) + m.Name
	}
	return names
}

// healthOf is the health after so many failures in a row. Within one side of the
// threshold the number stays as it was first written: nobody acts on more.
func healthOf(old kedav1alpha1.HealthStatus, failures, threshold int32) kedav1alpha1.HealthStatus {
	status := kedav1alpha1.HealthStatusFailing
	if failures == 0 {
		status = kedav1alpha1.HealthStatusHappy
	}
	if old.Status == status && old.NumberOfFailures != nil && (*old.NumberOfFailures > threshold) == (failures > threshold) {
		return old
	}
	return kedav1alpha1.HealthStatus{NumberOfFailures: &failures, Status: status}
}
