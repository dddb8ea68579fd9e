package scaledjob

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
)

// reportWarnings says on the object which settings have no effect or soon will not,
// and records those of triggers when they are new.
func (r *Reconciler) reportWarnings(sj *kedav1alpha1.ScaledJob, all []*trigger, now time.Time) {
	var warnings []string
	for _, t := range all {
		for _, n := range t.Notes {
			warnings = append(warnings, fmt.Sprintf("trigger %s: %s", t.name(), n.Message))
		}
		if t.isResource() {
			warnings = append(warnings, fmt.Sprintf("trigger %s has no effect in a ScaledJob: remove it", t.name()))
		}
	}
	old := sj.Status.Conditions.Get(kedav1alpha1.ConditionWarning)
	if len(warnings) == 0 {
		sj.Status.Conditions.Remove(kedav1alpha1.ConditionWarning)
		return
	}
	set(sj, kedav1alpha1.ConditionWarning, metav1.ConditionTrue, kedav1alpha1.ReasonTriggerParameters, kedav1alpha1.JoinMessages(warnings...), now)
	if next := sj.Status.Conditions.Get(kedav1alpha1.ConditionWarning); next.Message != old.Message {
		r.Events.Note(sj, events.ScalerInfo, next.Message)
	}
}

// tellWatch records that the triggers of the object begin or cease to be read, and
// which of them are new, by what its status says before and after.
func (r *Reconciler) tellWatch(before, sj *kedav1alpha1.ScaledJob, all []*trigger) {
	watched := func(sj *kedav1alpha1.ScaledJob) bool {
		return len(sj.Status.ExternalMetricNames) > 0 && !sj.Status.Conditions.Get(kedav1alpha1.ConditionPaused).IsTrue()
	}
	was, is := watched(before), watched(sj)
	switch {
	case !was && is:
		r.Events.Started(sj, "Started scalers watch")
	case was && !is:
		r.Events.Stopped(sj, "Stopped scalers watch")
	}
	if !is {
		return
	}
	for _, t := range all {
		if t.Scaler != nil && (!was || !t.listed(before.Status.ExternalMetricNames)) {
			r.Events.Started(sj, "Scaler "+t.spec.Type+" is built")
		}
	}
}

// listed tells whether the trigger is the one that the names are of.
func (t *trigger) listed(names []string) bool {
	if t.Scaler.Kind.Named { // the source renames its metrics: that is the same trigger
		prefix := scalers.MetricPrefix(t.index)
		return slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, prefix) })
	}
	return t.isResource() || slices.Contains(names, t.Metric)
}

// tellUnwritten records that the status cannot be written, once for each error in a
// row. A conflict is none: it is tried again at once.
func (r *Reconciler) tellUnwritten(sj *kedav1alpha1.ScaledJob, o *object, err error) {
	if apierrors.IsConflict(err) {
		return
	}
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != o.unwritten {
		r.Events.Warn(sj, events.ScaledJobUpdateFailed, kedav1alpha1.SteadyMessage(text))
	}
	o.unwritten = text
}

// release lets an object go that is to be deleted: its Jobs go with it, by their
// owner references. It may hold the finalizer of the operator that was there before.
func (r *Reconciler) release(ctx context.Context, sj *kedav1alpha1.ScaledJob) error {
	if !poll.Owns(r.Ownership, Key(client.ObjectKeyFromObject(sj))) {
		return nil
	}
	before := sj.DeepCopy()
	if !controllerutil.RemoveFinalizer(sj, kedav1alpha1.Finalizer) {
		return nil
	}
	if err := r.Client.Patch(ctx, sj, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("removing finalizer: %w", err)
	}
	return nil
}

// tellDeleted records that an object is gone that this replica owned. One that only
// left the selection of labels leaves the cache too, and nothing is said of it.
func (r *Reconciler) tellDeleted(ctx context.Context, key poll.Key) error {
	r.mu.Lock()
	o := r.objects[key]
	r.mu.Unlock()
	if o == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	name := client.ObjectKey{Namespace: key.Namespace, Name: key.Name}
	var live kedav1alpha1.ScaledJob
	switch err := r.Live.Get(ctx, name, &live); {
	case err == nil && live.UID == o.uid:
		return nil
	case client.IgnoreNotFound(err) != nil:
		return fmt.Errorf("looking whether the ScaledJob is gone: %w", err)
	}
	r.Events.Warn(&kedav1alpha1.ScaledJob{
		TypeMeta:   metav1.TypeMeta{APIVersion: kedav1alpha1.GroupVersion.String(), Kind: kedav1alpha1.KindScaledJob},
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, UID: o.uid},
	}, events.ScaledJobDeleted, "ScaledJob was deleted")
	return nil
}
