package scaledjob

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/triggers"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/auth"
	"github.com/freshet-io/freshet/scalers/poll"
)

// trigger is one entry of spec.triggers, resolved: it has a scaler or an error.
type trigger struct {
	triggers.Decoded
	spec  *kedav1alpha1.ScaleTriggers
	index int
	err   error
	slot  *store.Slot
}

// name is how messages call the trigger.
func (t *trigger) name() string { return triggers.Name(t.spec, t.index) }

// isResource tells whether the trigger measures pods of a workload that is scaled:
// it says nothing about Jobs.
func (t *trigger) isResource() bool { return t.Scaler != nil && t.Scaler.Resource != nil }

// resolve decodes every trigger of the object on its own. What they take from the
// environment is that of the Job's pods.
func (r *Reconciler) resolve(ctx context.Context, sj *kedav1alpha1.ScaledJob) []*trigger {
	workload := auth.Workload{
		Namespace: sj.Namespace, Container: sj.Spec.EnvSourceContainerName,
		PodSpec: func(context.Context) (*corev1.PodSpec, error) {
			if sj.Spec.JobTargetRef == nil {
				return nil, nil
			}
			return &sj.Spec.JobTargetRef.Template.Spec, nil
		},
	}
	all := make([]*trigger, len(sj.Spec.Triggers))
	for i := range sj.Spec.Triggers {
		t := &trigger{spec: &sj.Spec.Triggers[i], index: i}
		var err error
		t.Decoded, err = triggers.Decode(ctx, r.Auth, workload, t.spec, scalers.Setting{
			Object: scalers.ObjectRef{Kind: kedav1alpha1.KindScaledJob, Namespace: sj.Namespace, Name: sj.Name},
			Index:  i, PollingInterval: sj.PollingInterval(), Cluster: r.Cluster,
		})
		if err != nil {
			t.err = fmt.Errorf("trigger %s: %w", t.name(), err)
			t.Metric = scalers.MetricName(i, t.spec.Type)
		}
		all[i] = t
	}
	return all
}

// register has the engine read the triggers that have a scaler, and the object
// looked at after every reading that asks for Jobs.
func (r *Reconciler) register(key poll.Key, sj *kedav1alpha1.ScaledJob, all []*trigger) {
	var good []*trigger
	var described []store.Trigger
	for _, t := range all {
		if t.err != nil || t.isResource() {
			continue
		}
		good = append(good, t)
		described = append(described, store.Trigger{
			Metric: t.Metric, Named: t.Scaler.Kind.Named, Index: t.index, Label: triggers.Label(t.spec, t.Scaler), Type: t.spec.Type,
			Fingerprint: t.Scaler.Fingerprint, Freshness: sj.PollingInterval(),
		})
	}
	slots := r.Store.Set(key, described)
	members := make([]poll.Member, len(good))
	name := client.ObjectKey{Namespace: key.Namespace, Name: key.Name}
	for i, t := range good {
		slot := slots[i]
		t.slot = slot
		slot.Follow(func() {
			if r.Wakeups != nil && slot.Reading().Active {
				r.Wakeups.Wake(name)
			}
		})
		members[i] = poll.Member{Scaler: t.Scaler, Interval: sj.PollingInterval(), Sink: slot}
	}
	for i, s := range r.Engine.Set(key, members) {
		slots[i].Bind(s)
	}
}

// refresh is when the first of the triggers is to be resolved again; 0 is never.
func refresh(all []*trigger) time.Duration {
	var first time.Duration
	for _, t := range all {
		first = triggers.Sooner(first, t.Refresh)
	}
	return first
}

// metrics are the names of what the trigger reads.
func (t *trigger) metrics() []string {
	if t.slot == nil || len(t.slot.Series()) == 0 {
		return []string{t.Metric}
	}
	var names []string
	for _, m := range t.slot.Series() {
		names = append(names, scalers.MetricPrefix(t.index)+m.Name)
	}
	return names
}
