package scaledjob

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/controller/scaledjob/strategy"
)

// draft is an object whose status is being changed.
type draft struct {
	*kedav1alpha1.ScaledJob
	// before is the object as the API server has it, first as it was at the start of
	// the reconcile.
	before, first *kedav1alpha1.ScaledJob
}

// write writes the status if anything in it changed, and the object is still the one
// that it was concluded from. The error is a conflict when it is not, and errGone
// when there is none any more.
func (d *draft) write(ctx context.Context, c client.Client) error {
	if equality.Semantic.DeepEqual(d.before.Status, d.Status) {
		return nil
	}
	patch := client.MergeFromWithOptions(d.before, client.MergeFromWithOptimisticLock{})
	switch err := c.Status().Patch(ctx, d.ScaledJob, patch); {
	case apierrors.IsNotFound(err):
		return errGone
	case err != nil:
		return fmt.Errorf("writing status: %w", err)
	}
	d.before = d.DeepCopy()
	return nil
}

// set writes one condition.
func set(sj *kedav1alpha1.ScaledJob, t kedav1alpha1.ConditionType, status metav1.ConditionStatus, reason, message string, now time.Time) {
	sj.Status.Conditions.Set(kedav1alpha1.Condition{
		Type: t, Status: status, Reason: reason, Message: message, ObservedGeneration: sj.Generation,
	}, now)
}

// summarize writes what the spec alone says.
func summarize(sj *kedav1alpha1.ScaledJob, all []*trigger) {
	var types, auths, metrics []string
	for _, t := range all {
		types = append(types, t.spec.Type)
		if ref := t.spec.AuthenticationRef; ref != nil {
			auths = append(auths, ref.Name)
		}
		if !t.isResource() {
			metrics = append(metrics, t.metrics()...)
		}
	}
	sj.Status.TriggersTypes = strings.Join(distinct(types), ",")
	sj.Status.AuthenticationsTypes = strings.Join(distinct(auths), ",")
	sj.Status.ExternalMetricNames = metrics
}

// distinct are the texts in order, each once.
func distinct(list []string) []string {
	var all []string
	for _, text := range list {
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}

// reportFault says on the object what keeps Jobs from being made.
func (r *Reconciler) reportFault(sj *kedav1alpha1.ScaledJob, message string, now time.Time) {
	old := sj.Status.Conditions.Get(kedav1alpha1.ConditionReady)
	set(sj, kedav1alpha1.ConditionReady, metav1.ConditionFalse, kedav1alpha1.ReasonScaledJobCheckFailed, message, now)
	if next := sj.Status.Conditions.Get(kedav1alpha1.ConditionReady); next != old {
		r.Events.Warn(sj, events.ScaledJobCheckFailed, next.Message)
	}
	set(sj, kedav1alpha1.ConditionActive, metav1.ConditionUnknown, kedav1alpha1.ReasonUnknownState,
		"Whether the triggers are active is not known", now)
}

// pause says that no Jobs are made. What was being made is left as it is.
func (r *Reconciler) pause(sj *kedav1alpha1.ScaledJob, o *object, now time.Time) {
	o.making, o.stuck = nil, nil
	if !sj.Status.Conditions.Get(kedav1alpha1.ConditionPaused).IsTrue() {
		r.Events.Note(sj, events.ScaledJobPaused, "ScaledJob is paused: no Jobs are made until the annotation is removed")
	}
	set(sj, kedav1alpha1.ConditionPaused, metav1.ConditionTrue, kedav1alpha1.ReasonScaledJobPaused, "Making Jobs is paused by an annotation", now)
	sj.Status.Paused = string(metav1.ConditionTrue)
}

func (r *Reconciler) unpause(sj *kedav1alpha1.ScaledJob, now time.Time) {
	if !sj.Status.Conditions.Get(kedav1alpha1.ConditionPaused).IsTrue() {
		return
	}
	r.Events.Note(sj, events.ScaledJobUnpaused, "ScaledJob is no longer paused")
	set(sj, kedav1alpha1.ConditionPaused, metav1.ConditionFalse, kedav1alpha1.ReasonScaledJobUnpaused, "Making Jobs is no longer paused", now)
	sj.Status.Paused = string(metav1.ConditionFalse)
}

// reportDecision says on the object what was decided.
func (r *Reconciler) reportDecision(sj *kedav1alpha1.ScaledJob, all []*trigger, o *object, d strategy.Decision, now time.Time) {
	activity := map[string]kedav1alpha1.TriggerActivityStatus{}
	for _, t := range all {
		if t.isResource() {
			continue
		}
		for _, metric := range t.metrics() {
			activity[metric] = kedav1alpha1.TriggerActivityStatus{IsActive: t.slot != nil && t.slot.Reading().Active}
		}
	}
	sj.Status.TriggersActivity = activity
	r.reportReady(sj, all, o, d, now)
	r.reportActive(sj, d, now)
}

// reportActive says whether there is work, or always are Jobs.
func (r *Reconciler) reportActive(sj *kedav1alpha1.ScaledJob, d strategy.Decision, now time.Time) {
	was := sj.Status.Conditions.Get(kedav1alpha1.ConditionActive)
	switch {
	case len(d.By) > 0:
		set(sj, kedav1alpha1.ConditionActive, metav1.ConditionTrue, kedav1alpha1.ReasonScalerActive, "Jobs are made because triggers are active", now)
	case sj.MinReplicas() > 0:
		set(sj, kedav1alpha1.ConditionActive, metav1.ConditionTrue, kedav1alpha1.ReasonScalerActive,
			fmt.Sprintf("%d Jobs run whatever the triggers say", sj.MinReplicas()), now)
	case d.Outcome == strategy.Idle:
		set(sj, kedav1alpha1.ConditionActive, metav1.ConditionFalse, kedav1alpha1.ReasonScalerNotActive, "No Jobs are made because triggers are not active", now)
	}
	is := sj.Status.Conditions.Get(kedav1alpha1.ConditionActive)
	switch {
	case is.Status == was.Status:
		return
	case is.IsTrue():
		r.Events.Note(sj, events.ScaledJobActive, is.Message)
	case was.IsTrue():
		r.Events.Note(sj, events.ScaledJobInactive, is.Message)
	default: // inactive from the start
		return
	}
	at := metav1.NewTime(now.Truncate(time.Second))
	sj.Status.LastActiveTime = &at
}

// reportReady says whether all triggers can be read, and Jobs made.
func (r *Reconciler) reportReady(sj *kedav1alpha1.ScaledJob, all []*trigger, o *object, d strategy.Decision, now time.Time) {
	broken, waiting := faults(all)
	old := sj.Status.Conditions.Get(kedav1alpha1.ConditionReady)
	switch {
	case o.stuck != nil:
		message := fmt.Sprintf("%d of %d Jobs are made: %s", o.stuck.made, o.stuck.size, o.stuck.message)
		set(sj, kedav1alpha1.ConditionReady, metav1.ConditionFalse, kedav1alpha1.ReasonJobCreateFailed, message, now)
		return // the event was recorded
	case len(broken) > 0 && len(d.By) > 0:
		set(sj, kedav1alpha1.ConditionReady, metav1.ConditionUnknown, kedav1alpha1.ReasonPartialTriggerError, kedav1alpha1.JoinMessages(broken...), now)
	case len(broken) > 0:
		set(sj, kedav1alpha1.ConditionReady, metav1.ConditionFalse, kedav1alpha1.ReasonTriggerError, kedav1alpha1.JoinMessages(broken...), now)
	case !waiting:
		set(sj, kedav1alpha1.ConditionReady, metav1.ConditionTrue, kedav1alpha1.ReasonScaledJobReady, "ScaledJob is ready for scaling", now)
	}
	next := sj.Status.Conditions.Get(kedav1alpha1.ConditionReady)
	switch {
	case next == old:
	case next.IsTrue() && !old.IsTrue():
		r.Events.Note(sj, events.ScaledJobReady, next.Message)
	case len(broken) > 0:
		r.Events.Warn(sj, events.ScalerFailed, next.Message)
	}
}

// faults are what is wrong with triggers. waiting tells that one was not read yet.
func faults(all []*trigger) (broken []string, waiting bool) {
	for _, t := range all {
		switch {
		case t.err != nil:
			broken = append(broken, t.err.Error())
		case t.slot == nil:
		case t.slot.Reading().Err != nil:
			broken = append(broken, fmt.Sprintf("trigger %s: %v", t.name(), t.slot.Reading().Err))
		case !t.slot.Reading().Known():
			waiting = true
		}
	}
	return broken, waiting
}
