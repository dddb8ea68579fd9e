package scaledobject

import (
	"context"
	"fmt"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/activation"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/controller/target"
	"github.com/freshet-io/freshet/metricsadapter/rules"
	"github.com/freshet-io/freshet/scalers"
)

// situation is what a decision is made of.
type situation struct {
	spec     activation.Spec
	triggers []activation.Trigger
	state    activation.State
}

func (s *situation) decide(now time.Time) activation.Decision {
	return activation.Decide(s.spec, s.triggers, s.state, now)
}

// situation is that of an object whose target has so many replicas.
func (r *Reconciler) situation(so *kedav1alpha1.ScaledObject, triggers []*trigger, ru *rules.Rules, replicas int32, now time.Time) *situation {
	s := &situation{spec: activation.SpecOf(so), triggers: activationTriggers(so, triggers, ru, now)}
	since := r.ownedSince(Key(client.ObjectKeyFromObject(so)), now)
	asking := activation.Asking(s.spec, s.triggers, replicas)
	s.state = activation.State{
		Replicas: replicas, LastActive: lastActive(so, lastSeen(triggers, ru), asking, since, now), Created: so.CreationTimestamp.Time,
	}
	return s
}

// scale decides on the readings and does it. What was decided on a cached count
// is decided again on the live one before anything is written.
func (r *Reconciler) scale(ctx context.Context, so *kedav1alpha1.ScaledObject, tgt *target.Target, triggers []*trigger, ru *rules.Rules, s *situation, now time.Time) (time.Duration, error) {
	d := s.decide(now)
	if d.Replicas != nil {
		var err error
		if d, err = r.write(ctx, so, tgt, s, now); err != nil {
			return 0, err
		}
	}
	r.record(so, triggers, s, &d, now)
	r.reportDecision(so, triggers, ru, d, s.state, now)
	if d.Recheck.IsZero() {
		return r.resync(so, tgt), nil
	}
	return max(d.Recheck.Sub(now), time.Millisecond), nil
}

// resync is how often a target is looked at whose changes no watch tells.
func (r *Reconciler) resync(so *kedav1alpha1.ScaledObject, tgt *target.Target) time.Duration {
	if tgt.Watched() {
		return 0
	}
	return so.PollingInterval()
}

// write decides on the live count and writes the outcome, unless somebody else
// changed the target in between: the error is then a conflict.
func (r *Reconciler) write(ctx context.Context, so *kedav1alpha1.ScaledObject, tgt *target.Target, s *situation, now time.Time) (activation.Decision, error) {
	live, err := tgt.Scale(ctx)
	if err != nil {
		return activation.Decision{}, asFault(err)
	}
	from := live.Spec.Replicas
	s.state.Replicas = from
	d := s.decide(now)
	if d.Replicas == nil || *d.Replicas == from {
		return d, nil
	}
	err = tgt.SetScale(ctx, live, *d.Replicas)
	switch {
	case apierrors.IsConflict(err):
		return d, err
	case err != nil && d.Outcome == activation.Deactivated:
		r.Events.ScaleFailed(so, events.TargetDeactivationFailed, fmt.Sprintf("Scaling %s from %d to %d: %v", tgt, from, *d.Replicas, err))
		return d, asFault(err)
	case err != nil:
		r.Events.ScaleFailed(so, events.TargetActivationFailed, fmt.Sprintf("Scaling %s from %d to %d: %v", tgt, from, *d.Replicas, err))
		return d, asFault(err)
	}
	switch d.Outcome {
	case activation.Activated:
		r.Events.Scaled(so, events.TargetActivated, fmt.Sprintf("Scaled %s from %d to %d, triggered by %s (%s)",
			tgt, from, *d.Replicas, strings.Join(d.By, ";"), d.Why))
	case activation.Deactivated:
		r.Events.Scaled(so, events.TargetDeactivated, fmt.Sprintf("Deactivated %s from %d to %d (%s)", tgt, from, *d.Replicas, d.Why))
	}
	return d, nil
}

// activationTriggers is what the triggers say, or the formula in their place. Those that the HPA measures
// itself say something only where there are no others: that the workload stays
// up.
func activationTriggers(so *kedav1alpha1.ScaledObject, triggers []*trigger, ru *rules.Rules, now time.Time) []activation.Trigger {
	if so.ScalingModifiers() != nil && ru != nil {
		return []activation.Trigger{formulaTrigger(ru, now)}
	}
	var seen []activation.Trigger
	for _, t := range triggers {
		switch {
		case t.isResource():
			if so.OnlyResourceTriggers() {
				seen = append(seen, activation.Trigger{Metric: t.metric, Known: true, Active: true})
			}
		case t.slot == nil:
			failures, _ := t.failures(ru, now)
			seen = append(seen, activation.Trigger{Metric: t.metric, Err: t.err, Failures: failures})
		default:
			seen = append(seen, t.says()...)
		}
	}
	return seen
}

// says is what the last reading says: once for each metric.
func (t *trigger) says() []activation.Trigger {
	reading := t.slot.Reading()
	one := activation.Trigger{
		Metric: t.metric, Known: reading.Known(), Err: reading.Err, Failures: t.slot.Failures(),
		Active: reading.Active, Value: reading.Value.Metric, Target: t.scaler.Target,
		Total: t.spec.EffectiveMetricType() == autoscalingv2.ValueMetricType,
	}
	if len(reading.Value.Series) == 0 {
		return []activation.Trigger{one}
	}
	all := make([]activation.Trigger, len(reading.Value.Series))
	for i, m := range reading.Value.Series {
		all[i] = one
		all[i].Metric, all[i].Value, all[i].Target = scalers.MetricPrefix(t.index)+m.Name, m.Value, m.Target
	}
	return all
}

// forcedMessage is of the Active condition while force-activation alone keeps
// the object active. It is read too: no reading tells when that ended.
const forcedMessage = "Scaling is performed because of force-activation"

// fallbackMessage is of the Active condition while fallbacks alone keep the object
// active. It is read for the same reason.
const fallbackMessage = "Scaling is performed because the fallback stands in for triggers that fail"

// lastSeen is when each trigger, or the formula in their place, was last seen active.
func lastSeen(triggers []*trigger, ru *rules.Rules) []time.Time {
	if ru != nil && ru.Memory != nil {
		return []time.Time{ru.Memory.LastActive()}
	}
	var all []time.Time
	for _, t := range triggers {
		if t.slot != nil {
			all = append(all, t.slot.LastActive())
		}
	}
	return all
}

// lastActive is when the object was last active: until now while anything asks for
// replicas, by force or by fallback until now, else when a trigger was last seen
// active. What this replica saw since it owns the object counts; if it saw no
// activity since, an object whose condition does not say that it is inactive was
// active until now.
func lastActive(so *kedav1alpha1.ScaledObject, seen []time.Time, asking []string, since, now time.Time) time.Time {
	var last time.Time
	if so.Status.LastActiveTime != nil {
		last = so.Status.LastActiveTime.Time
	}
	condition := so.Status.Conditions.Get(kedav1alpha1.ConditionActive)
	byRule := condition.Message == forcedMessage || condition.Message == fallbackMessage
	if so.ForceActivation() || len(asking) > 0 || (condition.IsTrue() && byRule) {
		return now
	}
	var observed time.Time
	for _, at := range seen {
		if !at.Before(since) && at.After(observed) {
			observed = at
		}
	}
	if observed.IsZero() && !last.IsZero() && !condition.IsFalse() {
		return now
	}
	if observed.After(last) {
		return observed
	}
	return last
}
