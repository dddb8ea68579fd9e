package scaledobject

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/triggers"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/auth"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/poll"
)

// maxFreshness bounds how old a number the HPA is given, unless the user asks
// for cached metrics.
const maxFreshness = 5 * time.Second

// trigger is one entry of spec.triggers, resolved: it has a scaler or an error.
type trigger struct {
	spec   *kedav1alpha1.ScaleTriggers
	index  int
	metric string
	scaler *scalers.Scaler
	err    error
	notes  []param.Notice
	slot   *store.Slot
	// refresh is when to resolve again because no watch tells; 0 is never.
	refresh time.Duration
}

// resolve decodes every trigger of the object on its own: one that is broken
// does not touch the others.
func (r *Reconciler) resolve(ctx context.Context, so *kedav1alpha1.ScaledObject) []*trigger {
	workload := auth.Workload{
		Namespace: so.Namespace, Container: so.Spec.ScaleTargetRef.EnvSourceContainerName,
		PodSpec: func(ctx context.Context) (*corev1.PodSpec, error) {
			t, err := r.Targets.Resolve(so.Namespace, &so.Spec.ScaleTargetRef)
			if err != nil {
				return nil, err
			}
			return t.PodSpec(ctx)
		},
	}
	triggers := make([]*trigger, len(so.Spec.Triggers))
	for i := range so.Spec.Triggers {
		t := &trigger{spec: &so.Spec.Triggers[i], index: i}
		if err := r.decode(ctx, so, t, workload); err != nil {
			t.err = fmt.Errorf("trigger %s: %w", t.name(), err)
			t.metric = scalers.MetricName(i, t.spec.Type) // answers with an error, so that the HPA holds
		}
		triggers[i] = t
	}
	return triggers
}

func (r *Reconciler) decode(ctx context.Context, so *kedav1alpha1.ScaledObject, t *trigger, w auth.Workload) error {
	d, err := triggers.Decode(ctx, r.Auth, w, t.spec, scalers.Setting{
		Object: scalers.ObjectRef{Kind: kedav1alpha1.KindScaledObject, Namespace: so.Namespace, Name: so.Name},
		Index:  t.index, PollingInterval: so.PollingInterval(), Formula: so.ScalingModifiers() != nil, Cluster: r.Cluster,
	})
	t.scaler, t.notes, t.metric, t.refresh = d.Scaler, d.Notes, d.Metric, d.Refresh
	return err
}

// isResource tells whether the HPA measures the trigger itself, so that it is
// not read and takes no part in activation.
func (t *trigger) isResource() bool { return t.scaler != nil && t.scaler.Resource != nil }

// refresh is when the first of the triggers is to be resolved again; 0 is never.
func refresh(triggers []*trigger) time.Duration {
	var first time.Duration
	for _, t := range triggers {
		first = sooner(first, t.refresh)
	}
	return first
}

// sooner is the lesser of two delays of which 0 is never.
func sooner(a, b time.Duration) time.Duration { return triggers.Sooner(a, b) }

func wantsEnv(metadata map[string]string) bool { return triggers.WantsEnv(metadata) }

// name is how messages call the trigger.
func (t *trigger) name() string { return triggers.Name(t.spec, t.index) }

// register has the engine read the triggers that have a scaler, and the store
// hold their readings. The others have no slot, so that a query for them fails.
func (r *Reconciler) register(key poll.Key, so *kedav1alpha1.ScaledObject, triggers []*trigger) {
	good := slices.DeleteFunc(slices.Clone(triggers), func(t *trigger) bool { return t.scaler == nil || t.isResource() })
	described := make([]store.Trigger, len(good))
	for i, t := range good {
		described[i] = store.Trigger{
			Metric: t.metric, Named: t.scaler.Kind.Named, Index: t.index, Label: t.label(), Type: t.spec.Type,
			Fingerprint: t.scaler.Fingerprint, Freshness: freshness(so, t.spec),
		}
	}
	slots := r.Store.Set(key, described)
	members := make([]poll.Member, len(good))
	for i, t := range good {
		t.slot = slots[i]
		members[i] = poll.Member{Scaler: t.scaler, Interval: so.PollingInterval(), Sink: slots[i]}
	}
	for i, s := range r.Engine.Set(key, members) {
		slots[i].Bind(s)
	}
}

// label is the trigger in self-metrics.
func (t *trigger) label() string { return triggers.Label(t.spec, t.scaler) }

// freshness is how old a reading of the trigger may be when the HPA asks.
func freshness(so *kedav1alpha1.ScaledObject, spec *kedav1alpha1.ScaleTriggers) time.Duration {
	if spec.UseCachedMetrics {
		return so.PollingInterval()
	}
	return min(so.PollingInterval(), maxFreshness)
}
