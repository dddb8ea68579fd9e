package scaledobject

import (
	"context"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/activation"
	"github.com/freshet-io/freshet/controller/target"
	"github.com/freshet-io/freshet/metricsadapter/fallback"
	"github.com/freshet-io/freshet/metricsadapter/formula"
	"github.com/freshet-io/freshet/metricsadapter/rules"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
)

// rule makes the rules of the object, which the adapter answers by too. They are
// nil when readings say everything.
func (r *Reconciler) rule(ctx context.Context, key poll.Key, so *kedav1alpha1.ScaledObject, triggers []*trigger, now time.Time) *rules.Rules {
	old := r.Rules.Of(key)
	ru := &rules.Rules{Fallback: fallback.Of(so)}
	for _, t := range triggers {
		switch {
		case t.isResource(), t.spec.IsResource() && so.ScalingModifiers() != nil:
		case t.slot != nil:
			ru.Triggers = append(ru.Triggers, rules.Trigger{Name: t.spec.Name, Metric: t.metric, Slot: t.slot})
			t.resume(so, ru.Fallback)
		default:
			ru.Triggers = append(ru.Triggers, rules.Trigger{Name: t.spec.Name, Metric: t.metric, Broken: t.broken(so, old, now)})
		}
	}
	if so.ScalingModifiers() != nil {
		ru.Composite, ru.CompositeErr = r.composite(key, so, ru)
		ru.Memory = &rules.Memory{}
		if old != nil && old.Memory != nil {
			ru.Memory = old.Memory
		}
	}
	if ru.Fallback != nil {
		ru.Workload = &workload{r.Targets, r.Client, so.Namespace, so.Spec.ScaleTargetRef}
		ru.Targets = r.targets(ctx, so, triggers)
	}
	if ru.Fallback == nil && so.ScalingModifiers() == nil && allRead(ru) {
		ru = nil
	}
	r.Rules.Set(key, ru)
	r.follow(key, ru, triggers)
	return ru
}

// allRead tells whether every trigger can be built.
func allRead(ru *rules.Rules) bool {
	return !slices.ContainsFunc(ru.Triggers, func(t rules.Trigger) bool { return t.Broken != nil })
}

// follow has the object looked at when the formula's outcome turns, which no
// trigger's own activity tells.
func (r *Reconciler) follow(key poll.Key, ru *rules.Rules, triggers []*trigger) {
	var turn func()
	if ru != nil && ru.Composite != nil {
		turn = func() {
			if ru.Turned(time.Now()) && r.Wakeups != nil {
				r.Wakeups.Wake(Name(key))
			}
		}
	}
	for _, t := range triggers {
		if t.slot != nil {
			t.slot.Follow(turn)
		}
	}
}

// compiled is a formula and what it was made of.
type compiled struct {
	text    string
	names   []string
	nilable bool
	formula *formula.Formula
	err     error
}

// composite compiles the formula, unless that was done.
func (r *Reconciler) composite(key poll.Key, so *kedav1alpha1.ScaledObject, ru *rules.Rules) (*rules.Composite, error) {
	m := so.ScalingModifiers()
	target, err := m.TargetValue()
	if err != nil {
		return nil, scalers.ConfigurationError("%w", err)
	}
	activationTarget, err := m.ActivationTargetValue()
	if err != nil {
		return nil, scalers.ConfigurationError("%w", err)
	}
	names, err := rules.Variables(so)
	if err != nil {
		return nil, err
	}
	c := &compiled{text: m.Formula, names: names, nilable: ru.Fallback.ByFormula()}
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.formulas[key]; old != nil && old.text == c.text && old.nilable == c.nilable && slices.Equal(old.names, c.names) {
		c = old
	} else {
		c.formula, c.err = formula.Compile(c.text, c.names, c.nilable)
		if r.formulas == nil {
			r.formulas = map[poll.Key]*compiled{}
		}
		r.formulas[key] = c
	}
	if c.err != nil {
		return nil, c.err
	}
	total := m.EffectiveMetricType() == autoscalingv2.ValueMetricType
	return &rules.Composite{Formula: c.formula, Target: fallback.Target{Value: target, Total: total}, Activation: activationTarget}, nil
}

// targets are what the HPA compares the metrics of the triggers with.
func (r *Reconciler) targets(ctx context.Context, so *kedav1alpha1.ScaledObject, triggers []*trigger) map[string]fallback.Target {
	var current *autoscalingv2.HorizontalPodAutoscaler
	var hpa autoscalingv2.HorizontalPodAutoscaler
	if err := r.Client.Get(ctx, client.ObjectKey{Namespace: so.Namespace, Name: so.HPAName()}, &hpa); err == nil {
		current = &hpa
	}
	all := map[string]fallback.Target{}
	for _, t := range triggers {
		for _, m := range metricsOf(so.Name, t, current) {
			if m.External == nil {
				continue
			}
			target := fallback.Target{}
			switch e := m.External.Target; {
			case e.AverageValue != nil:
				target.Value = e.AverageValue.AsApproximateFloat64()
			case e.Value != nil:
				target.Value, target.Total = e.Value.AsApproximateFloat64(), true
			}
			all[strings.ToLower(m.External.Metric.Name)] = target
		}
	}
	return all
}

// workload is what the object scales, for its fallback.
type workload struct {
	targets   *target.Client
	pods      client.Reader
	namespace string
	ref       kedav1alpha1.ScaleTarget
}

// Look finds the count that it is asked to have, and how to count its ready pods.
func (w *workload) Look(ctx context.Context) (replicas int32, ready func(context.Context) (int32, error), err error) {
	t, err := w.targets.Resolve(w.namespace, &w.ref)
	if err != nil {
		return 0, nil, err
	}
	return t.Look(ctx, w.pods)
}

// formulaTrigger is what the formula says to the decision: one trigger.
func formulaTrigger(ru *rules.Rules, now time.Time) activation.Trigger {
	t := activation.Trigger{Metric: kedav1alpha1.CompositeMetricName}
	if ru.Composite == nil {
		t.Err = ru.CompositeErr
		return t
	}
	ru.Turned(now)
	result := ru.Composite.Evaluate(ru.Last(now), ru.Fallback)
	t.Known, t.Err, t.Failures, t.Value = result.Known, result.Err, result.Failures, result.Value
	t.Active = ru.Composite.Active(result)
	t.Target, t.Total = ru.Composite.Target.Value, ru.Composite.Target.Total
	return t
}
