package scaledobject

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/activation"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/metricsadapter/rules"
	"github.com/freshet-io/freshet/scalers"
)

// set writes one condition.
func (r *Reconciler) set(so *kedav1alpha1.ScaledObject, t kedav1alpha1.ConditionType, status metav1.ConditionStatus, reason, message string, now time.Time) {
	so.Status.Conditions.Set(kedav1alpha1.Condition{
		Type: t, Status: status, Reason: reason, Message: message, ObservedGeneration: so.Generation,
	}, now)
}

// summarize writes what the spec alone says.
func summarize(so *kedav1alpha1.ScaledObject, triggers []*trigger) {
	var types, auths, metrics, resources []string
	for _, t := range triggers {
		types = appendNew(types, t.spec.Type)
		if ref := t.spec.AuthenticationRef; ref != nil {
			auths = appendNew(auths, ref.Name)
		}
		switch series := t.series(); {
		case t.isResource():
			resources = appendNew(resources, t.metric)
		case len(series) > 0:
			for _, m := range series {
				metrics = append(metrics, scalers.MetricPrefix(t.index)+m.Name)
			}
		default:
			metrics = append(metrics, t.metric)
		}
	}
	so.Status.TriggersTypes = strings.Join(types, ",")
	so.Status.AuthenticationsTypes = strings.Join(auths, ",")
	so.Status.ExternalMetricNames, so.Status.ResourceMetricNames = metrics, resources
	so.Status.CompositeScalerName = ""
	if so.ScalingModifiers() != nil {
		so.Status.CompositeScalerName = kedav1alpha1.CompositeMetricName
	}
}

func appendNew(list []string, text string) []string {
	if slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}

// mirrorHPA copies whether the HPA is able to scale.
func mirrorHPA(so *kedav1alpha1.ScaledObject, hpa *autoscalingv2.HorizontalPodAutoscaler, now time.Time) {
	if hpa == nil {
		return
	}
	for _, c := range hpa.Status.Conditions {
		if c.Type != autoscalingv2.ScalingActive {
			continue
		}
		next := kedav1alpha1.Condition{Type: kedav1alpha1.ConditionHPAActive, ObservedGeneration: so.Generation}
		switch {
		case c.Status == corev1.ConditionTrue:
			next.Status, next.Reason, next.Message = metav1.ConditionTrue, kedav1alpha1.ReasonHPAActive, "The HPA is able to scale"
		case c.Reason == "ScalingDisabled":
			next.Status, next.Reason, next.Message = metav1.ConditionTrue, kedav1alpha1.ReasonScalingDisabled, "The target is at zero, where the HPA does not scale"
		default:
			next.Status, next.Reason, next.Message = metav1.ConditionFalse, c.Reason, c.Message
			if next.Reason == "" {
				next.Reason = kedav1alpha1.ReasonHPAMetricsUnavailable
			}
		}
		so.Status.Conditions.Set(next, now)
	}
}

// outage is an error that nobody has to mend, as it is said on the object.
func outage(err error) *fault {
	f := faultf("%v", err)
	var u uncounted
	if errors.As(err, &u) {
		f.reason = kedav1alpha1.ReasonErrorGettingCurrentReplicas
	}
	return f
}

// reportFault says on the object what the user has to change.
func (r *Reconciler) reportFault(so *kedav1alpha1.ScaledObject, f *fault, now time.Time) {
	last := r.lastCount(so)
	r.recordState(so, "Faulty", f.message, last, last, now)
	old := so.Status.Conditions.Get(kedav1alpha1.ConditionReady)
	reason := f.reason
	if reason == "" {
		reason = kedav1alpha1.ReasonScaledObjectCheckFailed
	}
	r.set(so, kedav1alpha1.ConditionReady, metav1.ConditionFalse, reason, f.message, now)
	if next := so.Status.Conditions.Get(kedav1alpha1.ConditionReady); next != old {
		r.Events.Warn(so, events.ScaledObjectCheckFailed, next.Message)
	}
	r.set(so, kedav1alpha1.ConditionActive, metav1.ConditionUnknown, kedav1alpha1.ReasonUnknownState,
		"Whether the triggers are active is not known", now)
}

// reportDecision says on the object what was decided and why.
func (r *Reconciler) reportDecision(so *kedav1alpha1.ScaledObject, triggers []*trigger, ru *rules.Rules, d activation.Decision, state activation.State, now time.Time) {
	r.reportActivity(so, triggers)
	r.reportReady(so, triggers, ru, d, now)
	r.reportFallback(so, ru, triggers, now)
	was := so.Status.Conditions.Get(kedav1alpha1.ConditionActive)
	switch d.Outcome {
	case activation.Activated, activation.Active:
		message := "Scaling is performed because triggers are active"
		switch {
		case len(d.By) == 0:
			message = forcedMessage
		case !slices.ContainsFunc(d.By, func(metric string) bool { return !slices.Contains(d.StoodIn, metric) }):
			message = fallbackMessage
		}
		r.set(so, kedav1alpha1.ConditionActive, metav1.ConditionTrue, kedav1alpha1.ReasonScalerActive, message, now)
	case activation.Cooling:
		r.set(so, kedav1alpha1.ConditionActive, metav1.ConditionFalse, kedav1alpha1.ReasonScalerCooldown, "No trigger is active, and the cooldown is not over", now)
	case activation.Deactivated, activation.Raised, activation.Idle, activation.Paused:
		r.setPausedAware(so, d, now)
	case activation.Waiting, activation.Failing: // what was known last stays
	}
	is := so.Status.Conditions.Get(kedav1alpha1.ConditionActive)
	if is.Status != was.Status && (is.IsTrue() || was.IsTrue()) {
		at := metav1.NewTime(state.LastActive.Truncate(time.Second))
		if is.IsTrue() {
			at = metav1.NewTime(now.Truncate(time.Second))
		}
		so.Status.LastActiveTime = &at
	}
}

// setPausedAware reports activity when it is not what moves the replicas.
func (r *Reconciler) setPausedAware(so *kedav1alpha1.ScaledObject, d activation.Decision, now time.Time) {
	switch {
	case len(d.By) > 0:
		r.set(so, kedav1alpha1.ConditionActive, metav1.ConditionTrue, kedav1alpha1.ReasonScalerActive, "Triggers are active, and scaling out is paused", now)
	case so.ForceActivation():
		r.set(so, kedav1alpha1.ConditionActive, metav1.ConditionTrue, kedav1alpha1.ReasonScalerActive, "Activation is forced, and scaling out is paused", now)
	default:
		r.set(so, kedav1alpha1.ConditionActive, metav1.ConditionFalse, kedav1alpha1.ReasonScalerNotActive, "Scaling is not performed because triggers are not active", now)
	}
}

func (r *Reconciler) reportActivity(so *kedav1alpha1.ScaledObject, triggers []*trigger) {
	activity := make(map[string]kedav1alpha1.TriggerActivityStatus, len(triggers))
	for _, t := range triggers {
		if t.isResource() {
			continue
		}
		status := kedav1alpha1.TriggerActivityStatus{IsActive: t.slot != nil && t.slot.Reading().Active}
		if len(t.series()) == 0 {
			activity[t.metric] = status
		}
		for _, m := range t.series() {
			activity[scalers.MetricPrefix(t.index)+m.Name] = status
		}
	}
	so.Status.TriggersActivity = activity
}

// reportReady says whether all triggers can be read.
func (r *Reconciler) reportReady(so *kedav1alpha1.ScaledObject, triggers []*trigger, ru *rules.Rules, d activation.Decision, now time.Time) {
	var broken []string
	waiting := false
	for _, t := range triggers {
		switch {
		case t.err != nil:
			broken = append(broken, t.err.Error())
		case t.isResource():
		case t.slot.Reading().Err != nil:
			broken = append(broken, fmt.Sprintf("trigger %s: %v", t.name(), t.slot.Reading().Err))
		case !t.slot.Reading().Known():
			waiting = true
		}
	}
	if ru != nil && ru.Composite != nil && len(broken) == 0 {
		if result := ru.Composite.Evaluate(ru.Last(now), ru.Fallback); result.Err != nil {
			broken = append(broken, result.Err.Error())
		}
	}
	old := so.Status.Conditions.Get(kedav1alpha1.ConditionReady)
	switch {
	case len(broken) > 0 && len(d.By) > 0:
		r.set(so, kedav1alpha1.ConditionReady, metav1.ConditionUnknown, kedav1alpha1.ReasonPartialTriggerError, kedav1alpha1.JoinMessages(broken...), now)
	case len(broken) > 0:
		r.set(so, kedav1alpha1.ConditionReady, metav1.ConditionFalse, kedav1alpha1.ReasonTriggerError, kedav1alpha1.JoinMessages(broken...), now)
	case !waiting:
		r.set(so, kedav1alpha1.ConditionReady, metav1.ConditionTrue, kedav1alpha1.ReasonScaledObjectReady, "ScaledObject is ready for scaling", now)
	}
	next := so.Status.Conditions.Get(kedav1alpha1.ConditionReady)
	switch {
	case next == old:
	case next.IsTrue() && !old.IsTrue():
		r.Events.Note(so, events.ScaledObjectReady, next.Message)
	case len(broken) > 0:
		r.Events.Warn(so, failed(so, triggers), next.Message)
	}
	r.reportNotes(so, triggers, old, next)
}

// failed is the reason of the event that triggers cannot be read: of formulas, that
// their sources cannot.
func failed(so *kedav1alpha1.ScaledObject, triggers []*trigger) string {
	unbuilt := slices.ContainsFunc(triggers, func(t *trigger) bool { return t.err != nil })
	if so.ScalingModifiers() != nil && !unbuilt {
		return events.MetricSourceFailed
	}
	return events.ScalerFailed
}

// reportWarnings says on the object which parameters have no effect or soon will
// not.
func (r *Reconciler) reportWarnings(so *kedav1alpha1.ScaledObject, triggers []*trigger, now time.Time) {
	var warnings []string
	for _, t := range triggers {
		for _, n := range t.notes {
			warnings = append(warnings, fmt.Sprintf("trigger %s: %s", t.name(), n.Message))
		}
	}
	if len(warnings) == 0 {
		so.Status.Conditions.Remove(kedav1alpha1.ConditionWarning)
		return
	}
	r.set(so, kedav1alpha1.ConditionWarning, metav1.ConditionTrue, kedav1alpha1.ReasonTriggerParameters,
		kedav1alpha1.JoinMessages(warnings...), now)
}

// reportNotes tells of parameters that are not known or deprecated, once for
// each generation of the object: when Ready first speaks of its triggers.
func (r *Reconciler) reportNotes(so *kedav1alpha1.ScaledObject, triggers []*trigger, old, next kedav1alpha1.Condition) {
	speaks := func(c kedav1alpha1.Condition) bool {
		return c.ObservedGeneration == so.Generation && c.Reason != "" && c.Reason != kedav1alpha1.ReasonScaledObjectCheckFailed
	}
	if speaks(old) || !speaks(next) {
		return
	}
	for _, t := range triggers {
		for _, n := range t.notes {
			r.Events.Note(so, events.ScalerInfo, fmt.Sprintf("trigger %s: %s", t.name(), n.Message))
		}
	}
}

// writeStatus writes the status if anything in it changed. That an object which is gone
// has none is no error.
func (r *Reconciler) writeStatus(ctx context.Context, before, so *kedav1alpha1.ScaledObject) error {
	if equality.Semantic.DeepEqual(before.Status, so.Status) {
		return nil
	}
	if err := r.patchStatus(ctx, before, so); !apierrors.IsNotFound(err) {
		return err
	}
	return nil
}

// patchStatus writes the status, if the object was as the API server has it: what was
// concluded from an old one, such as the original replicas, must not overwrite what was
// written since. The error is then a conflict.
func (r *Reconciler) patchStatus(ctx context.Context, before, so *kedav1alpha1.ScaledObject) error {
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, so, patch); err != nil {
		return fmt.Errorf("writing status: %w", err)
	}
	return nil
}
