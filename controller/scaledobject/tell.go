package scaledobject

import (
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/scalers"
)

// tellWatch records that the object begins or ceases to be scaled by its triggers,
// and which of them are new: in one event, since the recorder takes two of the same
// reason for one that is repeated, and keeps the text of only one. It compares what
// the status said before with what it says now that it is written, so that a restart
// tells nothing again. While an object is scaled it has an HPA, and its status names
// that.
func (r *Reconciler) tellWatch(before *kedav1alpha1.ScaledObjectStatus, so *kedav1alpha1.ScaledObject, triggers []*trigger) {
	was, is := before.HpaName != "", so.Status.HpaName != ""
	if was && !is {
		r.Events.Stopped(so, "Stopped scalers watch")
	}
	if !is {
		return
	}
	var begun []string
	if !was {
		begun = append(begun, "Started scalers watch")
	}
	for _, t := range triggers {
		if t.scaler != nil && (!was || !t.listed(before)) {
			begun = appendNew(begun, "Scaler "+t.spec.Type+" is built")
		}
	}
	if len(begun) > 0 {
		r.Events.Started(so, kedav1alpha1.SteadyMessage(strings.Join(begun, "; ")))
	}
}

// listed tells whether the status has a metric of the trigger.
func (t *trigger) listed(status *kedav1alpha1.ScaledObjectStatus) bool {
	switch {
	case t.isResource():
		return slices.Contains(status.ResourceMetricNames, t.metric)
	case t.scaler.Kind.Named: // the source renames its metrics: that is the same trigger
		prefix := scalers.MetricPrefix(t.index)
		return slices.ContainsFunc(status.ExternalMetricNames, func(name string) bool { return strings.HasPrefix(name, prefix) })
	default:
		return slices.Contains(status.ExternalMetricNames, t.metric)
	}
}

// tellUnwritten records that the object itself cannot be written, once for each
// error in a row. A conflict is none: it is tried again at once.
func (r *Reconciler) tellUnwritten(so *kedav1alpha1.ScaledObject, err error) {
	if apierrors.IsConflict(err) {
		return
	}
	name := client.ObjectKeyFromObject(so)
	r.mu.Lock()
	last, known := r.unwritten[name]
	switch {
	case err == nil:
		delete(r.unwritten, name)
	case r.unwritten == nil:
		r.unwritten = map[client.ObjectKey]string{name: err.Error()}
	default:
		r.unwritten[name] = err.Error()
	}
	r.mu.Unlock()
	if err != nil && (!known || last != err.Error()) {
		r.Events.Warn(so, events.ScaledObjectUpdateFailed, err.Error())
	}
}
