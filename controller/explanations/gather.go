// Package explanations answers why: it gathers what is known of an object, has
// package why explain it, and serves that as the API group why.freshet.io, to those
// who may read the object. Its [Witness] keeps in the ledger what the HPAs decide.
//
// Any replica of Freshet answers. See docs/decisions/0025-who-explains-and-to-whom.md.
package explanations

import (
	"context"
	"fmt"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/controller/ledger"
	"github.com/freshet-io/freshet/controller/target"
	"github.com/freshet-io/freshet/controller/why"
	"github.com/freshet-io/freshet/metricsadapter/rules"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers/poll"
)

// Gatherer finds what is known of an object.
type Gatherer struct {
	// Client reads from the cache, Live from the API server.
	Client client.Reader
	Live   client.Reader
	// Targets finds workloads.
	Targets *target.Client
	// Store and Rules have what was read and is made of it, Ledger what was decided.
	Store  *store.Store
	Rules  *rules.Book
	Ledger *ledger.Ledger
	// Ownership tells who decides.
	Ownership poll.Ownership
	// Since is when this replica began to watch.
	Since time.Time
}

// patience bounds how long facts are gathered for.
const patience = 10 * time.Second

// keyOf is how the store and the ledger know a ScaledObject.
func keyOf(namespace, name string) poll.Key {
	return poll.Key{Kind: kedav1alpha1.KindScaledObject, Namespace: namespace, Name: name}
}

// Explain explains one object, with what the API server has to say of who wrote
// what. known is false when there is no such object, and was none lately.
func (g *Gatherer) Explain(ctx context.Context, namespace, name string) (e *whyv1alpha1.Explanation, known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	now := time.Now()
	key := keyOf(namespace, name)
	f := g.facts(key, now)
	f.Decisions, f.Deleted = g.Ledger.Of(key, now)
	so := &kedav1alpha1.ScaledObject{}
	err = g.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, so)
	switch {
	case apierrors.IsNotFound(err):
		return why.Explain(f), !f.Deleted.IsZero(), nil
	case err != nil:
		return nil, false, fmt.Errorf("reading ScaledObject: %w", err)
	}
	g.complete(ctx, f, so, key)
	return why.Explain(f), true, nil
}

// Cursory explains an object from memory alone, as one of many.
func (g *Gatherer) Cursory(ctx context.Context, so *kedav1alpha1.ScaledObject, now time.Time) *whyv1alpha1.Explanation {
	key := keyOf(so.Namespace, so.Name)
	f := g.facts(key, now)
	f.Cursory = true
	g.complete(ctx, f, so, key)
	return why.Explain(f)
}

func (g *Gatherer) facts(key poll.Key, now time.Time) *why.Facts {
	return &why.Facts{Now: now, Namespace: key.Namespace, Name: key.Name, Witness: whyv1alpha1.Witness{
		Replica: g.Ownership.Self(), Owner: g.Ownership.Owner(key), Decides: poll.Owns(g.Ownership, key), Since: metav1.NewTime(g.Since.Truncate(time.Second)),
	}}
}

// complete fills in what is known of an object that exists.
func (g *Gatherer) complete(ctx context.Context, f *why.Facts, so *kedav1alpha1.ScaledObject, key poll.Key) {
	f.Object = so
	f.Asked, f.AskedSince = g.asked(key, f.Now)
	g.hpa(ctx, f, so)
	g.target(ctx, f, so)
	g.triggers(ctx, f, so, key)
	f.LastActive = lastActive(so, g.Store.Object(key), f)
}

// asked is what the metrics of the object's HPA asked for.
func (g *Gatherer) asked(key poll.Key, now time.Time) (all []why.Asked, since time.Time) {
	runs, since := g.Ledger.AskedOf(key, now)
	for _, r := range runs {
		all = append(all, why.Asked{Replicas: r.Replicas, Until: r.Until})
	}
	return all, since
}

// hpa reads the HPA: from the API server, which alone knows who wrote it, or from
// the cache.
func (g *Gatherer) hpa(ctx context.Context, f *why.Facts, so *kedav1alpha1.ScaledObject) {
	reader := g.Live
	if f.Cursory {
		reader = g.Client
	}
	hpa := &autoscalingv2.HorizontalPodAutoscaler{}
	if err := reader.Get(ctx, client.ObjectKey{Namespace: so.Namespace, Name: so.HPAName()}, hpa); err == nil {
		f.HPA = hpa
	}
}

func (g *Gatherer) target(ctx context.Context, f *why.Facts, so *kedav1alpha1.ScaledObject) {
	f.Target.Kind, f.Target.Name = so.Spec.ScaleTargetRef.Kind, so.Spec.ScaleTargetRef.Name
	if f.Target.Kind == "" {
		f.Target.Kind = "Deployment"
	}
	t, err := g.Targets.Resolve(so.Namespace, &so.Spec.ScaleTargetRef)
	if err != nil {
		f.Target.Err = err.Error()
		return
	}
	f.Target.Kind = t.GVKR.Kind
	if f.Cursory && !t.Watched() { // each would be a call
		f.Target.Err = "its replicas are not watched"
		if f.HPA != nil {
			f.Target.Replicas, f.Target.Err = &f.HPA.Status.CurrentReplicas, ""
		}
		return
	}
	n, countReady, err := t.Look(ctx, g.Live)
	if err != nil {
		f.Target.Err = err.Error()
		return
	}
	f.Target.Replicas = &n
	if f.Cursory {
		return
	}
	workload := &metav1.PartialObjectMetadata{}
	workload.SetGroupVersionKind(t.GVKR.GVK())
	if err := g.Live.Get(ctx, client.ObjectKey{Namespace: so.Namespace, Name: t.Name}, workload); err == nil {
		f.Target.Writer = why.ReplicasWriter(workload.ManagedFields)
	}
	if needsReady(f.HPA) {
		if ready, err := countReady(ctx); err == nil {
			f.Target.Ready = &ready
		}
	}
}

// needsReady tells whether a metric is multiplied by the pods that are ready.
func needsReady(hpa *autoscalingv2.HorizontalPodAutoscaler) bool {
	if hpa == nil {
		return false
	}
	for _, m := range hpa.Spec.Metrics {
		if m.External != nil && m.External.Target.Value != nil {
			return true
		}
	}
	return false
}

// lastActive is when a trigger was last seen active, as the owner reckons it.
func lastActive(so *kedav1alpha1.ScaledObject, slots []*store.Slot, f *why.Facts) time.Time {
	var last time.Time
	if so.Status.LastActiveTime != nil {
		last = so.Status.LastActiveTime.Time
	}
	for _, s := range slots {
		if at := s.LastActive(); at.After(last) {
			last = at
		}
	}
	if f.Formula != nil && f.Formula.Active {
		return f.Now
	}
	if c := so.Status.Conditions.Get(kedav1alpha1.ConditionActive); c.IsTrue() && !strings.Contains(c.Reason, "Cooldown") {
		return f.Now
	}
	return last
}
