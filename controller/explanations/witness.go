package explanations

import (
	"context"
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/controller/ledger"
	"github.com/freshet-io/freshet/controller/why"
	"github.com/freshet-io/freshet/scalers/poll"
)

// Witness keeps in the ledger what the HPAs decide, as their statuses tell it, and
// what the replica that owns an object says on it, for those that do not. It runs on
// every replica, so that each can explain what was before it became the owner.
type Witness struct {
	*Gatherer
}

// Register begins to watch.
func (w *Witness) Register(ctx context.Context, c cache.Cache) error {
	hpas, err := c.GetInformer(ctx, &autoscalingv2.HorizontalPodAutoscaler{})
	if err != nil {
		return fmt.Errorf("watching HPAs: %w", err)
	}
	objects, err := c.GetInformer(ctx, &kedav1alpha1.ScaledObject{})
	if err != nil {
		return fmt.Errorf("watching ScaledObjects: %w", err)
	}
	if _, err := hpas.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			if hpa, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler); ok {
				w.scaled(hpa, time.Now())
			}
		},
		UpdateFunc: func(old, obj any) {
			before, ok1 := old.(*autoscalingv2.HorizontalPodAutoscaler)
			hpa, ok2 := obj.(*autoscalingv2.HorizontalPodAutoscaler)
			if ok1 && ok2 && before.ResourceVersion != hpa.ResourceVersion {
				w.scaled(hpa, time.Now())
			}
		},
	}); err != nil {
		return fmt.Errorf("watching HPAs: %w", err)
	}
	if _, err := objects.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		UpdateFunc: func(_, obj any) {
			if so, ok := obj.(*kedav1alpha1.ScaledObject); ok {
				w.told(so, time.Now())
			}
		},
	}); err != nil {
		return fmt.Errorf("watching ScaledObjects: %w", err)
	}
	return nil
}

// scaled keeps what an HPA's status tells of, if that is another decision than the
// last one.
func (w *Witness) scaled(hpa *autoscalingv2.HorizontalPodAutoscaler, now time.Time) {
	defer survive(hpa)
	owner := metav1.GetControllerOf(hpa)
	if owner == nil || owner.Kind != kedav1alpha1.KindScaledObject || !hpa.DeletionTimestamp.IsZero() || len(hpa.Status.Conditions) == 0 {
		return
	}
	key := keyOf(hpa.Namespace, owner.Name)
	f := &why.Facts{Now: now, HPA: hpa, Triggers: w.known(key), Cursory: true}
	if n, ok := why.Proposed(f); ok {
		w.Ledger.Ask(key, n, now, why.LongestWindow(hpa))
	} else {
		w.Ledger.AskNothing(key, now)
	}
	digest := digestOf(&hpa.Status)
	if w.Ledger.Same(key, whyv1alpha1.MakerHPA, digest) {
		return
	}
	f.Asked, _ = w.asked(key, now)
	f.Decisions, _ = w.Ledger.Of(key, now)
	d, ok := why.Observed(f)
	if !ok {
		return
	}
	d.At = ledger.Second(now)
	if last := hpa.Status.LastScaleTime; d.From != d.To && last != nil && now.Sub(last.Time) < time.Minute {
		d.At = ledger.Second(last.Time)
	}
	w.Ledger.Write(key, digest, &d)
}

// survive keeps an object that the program cannot cope with from ending it: what it
// is about is only the explanation of that object.
func survive(obj client.Object) {
	if r := recover(); r != nil {
		ctrl.Log.Error(fmt.Errorf("panic: %v", r), "watching what is decided", "namespace", obj.GetNamespace(), "name", obj.GetName())
	}
}

// digestOf tells an HPA's decisions apart: by what it asks for, and by what keeps it
// from asking for something else.
func digestOf(s *autoscalingv2.HorizontalPodAutoscalerStatus) ledger.Digest {
	d := ledger.NewDigest().Number(int64(s.DesiredReplicas))
	for i := range s.Conditions {
		c := &s.Conditions[i]
		switch c.Reason {
		case "ReadyForNewScale", "SucceededRescale", "SucceededGetScale": // which follow each other
			continue
		}
		d = d.Text(string(c.Type)).Text(string(c.Status)).Text(c.Reason)
	}
	return d
}

// known is what this replica last read for an object, to tell exactly what an HPA's
// status has rounded.
func (w *Witness) known(key poll.Key) []why.Trigger {
	var all []why.Trigger
	for _, s := range w.Store.Object(key) {
		if r := s.Reading(); r.Known() && r.Err == nil && len(r.Value.Series) == 0 {
			all = append(all, why.Trigger{Index: s.Index, Type: s.Type, Metric: s.Metric, Known: true, At: r.At, Value: r.Value.Metric, Active: r.Active})
		}
	}
	return all
}

// told keeps what the owner of an object says on it, on a replica that is not the
// owner. What it was made of is not known here.
func (w *Witness) told(so *kedav1alpha1.ScaledObject, now time.Time) {
	defer survive(so)
	key := keyOf(so.Namespace, so.Name)
	if poll.Owns(w.Ownership, key) || !so.DeletionTimestamp.IsZero() {
		return
	}
	active, ready := so.Status.Conditions.Get(kedav1alpha1.ConditionActive), so.Status.Conditions.Get(kedav1alpha1.ConditionReady)
	if active.Reason == "" {
		return
	}
	digest := ledger.NewDigest().Text(string(active.Status)).Text(active.Reason).Text(string(ready.Status)).Text(ready.Reason)
	if w.Ledger.Same(key, whyv1alpha1.MakerFreshet, digest) {
		return
	}
	d := whyv1alpha1.Decision{At: ledger.Second(now), By: whyv1alpha1.MakerFreshet, Outcome: active.Reason, Why: active.Message + " (as its status tells)"}
	if !ready.IsTrue() && ready.Message != "" {
		d.Outcome, d.Why = ready.Reason, ready.Message+" (as its status tells)"
	}
	d.From, d.To = w.counts(key, so)
	w.Ledger.Write(key, digest, &d)
}

// counts are the replicas that were last told of, and those that there are.
func (w *Witness) counts(key poll.Key, so *kedav1alpha1.ScaledObject) (from, to int32) {
	last, known := w.Ledger.Last(key)
	from, to = last.To, last.To
	t, err := w.Targets.Resolve(so.Namespace, &so.Spec.ScaleTargetRef)
	if err != nil || !t.Watched() {
		return from, to
	}
	if n, err := t.Replicas(context.Background()); err == nil { // of the cache
		to = n
	}
	if !known {
		from = to
	}
	return from, to
}

// objects lists the ScaledObjects of a namespace, "" is all, as the cache has them.
func (g *Gatherer) objects(ctx context.Context, namespace string) ([]kedav1alpha1.ScaledObject, error) {
	var all kedav1alpha1.ScaledObjectList
	if err := g.Client.List(ctx, &all, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing ScaledObjects: %w", err)
	}
	return all.Items, nil
}
