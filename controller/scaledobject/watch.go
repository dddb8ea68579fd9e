package scaledobject

import (
	"context"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// Indexes by what is referred to, of ScaledObjects unless it is said otherwise.
const (
	// TargetIndex is by the workload that they scale: its keys are [TargetKey].
	TargetIndex = "freshet.target"
	// AuthIndex is by the authentications of the triggers: see [AuthKey].
	AuthIndex = "freshet.authentication"
	// ReferenceIndex is of authentications and workloads, by the Secrets and ConfigMaps
	// that they name as "kind/name".
	ReferenceIndex = "freshet.reference"
)

// longest is what a reconcile takes at most: an API server that accepts and never
// answers must not hold workers for ever.
const longest = time.Minute

// TargetKey is the key of a workload in [TargetIndex]. Versions of one group serve the
// same workloads.
func TargetKey(group, kind, name string) string { return group + "/" + kind + "/" + name }

// AuthKey is an authentication in [AuthIndex].
func AuthKey(kind, name string) string { return kind + "/" + name }

// Register adds the controller to the manager. It runs on every replica: each
// polls what it owns and answers for everything.
func (r *Reconciler) Register(ctx context.Context, mgr ctrl.Manager) error {
	r.warm.Begin()
	if err := addIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return fmt.Errorf("indexing: %w", err)
	}
	everywhere := false
	return ctrl.NewControllerManagedBy(mgr).
		Named("scaledobject").
		For(&kedav1alpha1.ScaledObject{}, builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, predicate.LabelChangedPredicate{}))).
		Watches(&kedav1alpha1.ScaledObject{}, r.whenGone()).
		Watches(&autoscalingv2.HorizontalPodAutoscaler{}, byHPA(mgr), builder.WithPredicates(hpaChanged)).
		Watches(&appsv1.Deployment{}, r.byTarget("apps", "Deployment"), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&appsv1.StatefulSet{}, r.byTarget("apps", "StatefulSet"), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&kedav1alpha1.TriggerAuthentication{}, handler.EnqueueRequestsFromMapFunc(r.byAuthentication),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&kedav1alpha1.ClusterTriggerAuthentication{}, handler.EnqueueRequestsFromMapFunc(r.byAuthentication),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.byReference("Secret")),
			builder.WithPredicates(predicate.ResourceVersionChangedPredicate{})).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.byReference("ConfigMap")),
			builder.WithPredicates(predicate.ResourceVersionChangedPredicate{})).
		WatchesRawSource(r.Wakeups).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.Workers, NeedLeaderElection: &everywhere, ReconciliationTimeout: longest}).
		Complete(r)
}

func addIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &kedav1alpha1.ScaledObject{}, TargetIndex, func(obj client.Object) []string {
		ref := &obj.(*kedav1alpha1.ScaledObject).Spec.ScaleTargetRef
		gvk, err := ref.GVK()
		if err != nil {
			return nil
		}
		return []string{TargetKey(gvk.Group, gvk.Kind, ref.Name)}
	}); err != nil {
		return err
	}
	if err := indexer.IndexField(ctx, &kedav1alpha1.ScaledObject{}, AuthIndex, func(obj client.Object) []string {
		var keys []string
		for i := range obj.(*kedav1alpha1.ScaledObject).Spec.Triggers {
			if ref := obj.(*kedav1alpha1.ScaledObject).Spec.Triggers[i].AuthenticationRef; ref != nil {
				keys = append(keys, AuthKey(ref.EffectiveKind(), ref.Name))
			}
		}
		return keys
	}); err != nil {
		return err
	}
	if err := indexer.IndexField(ctx, &kedav1alpha1.TriggerAuthentication{}, ReferenceIndex, func(obj client.Object) []string {
		return references(&obj.(*kedav1alpha1.TriggerAuthentication).Spec)
	}); err != nil {
		return err
	}
	if err := indexer.IndexField(ctx, &kedav1alpha1.ClusterTriggerAuthentication{}, ReferenceIndex, func(obj client.Object) []string {
		return references(&obj.(*kedav1alpha1.ClusterTriggerAuthentication).Spec)
	}); err != nil {
		return err
	}
	return indexEnvironments(ctx, indexer)
}

func (r *Reconciler) byTarget(group, kind string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, obj client.Object) []reconcile.Request {
		return r.requests(ctx, client.InNamespace(obj.GetNamespace()),
			client.MatchingFields{TargetIndex: TargetKey(group, kind, obj.GetName())})
	})
}

func (r *Reconciler) byAuthentication(ctx context.Context, obj client.Object) []reconcile.Request {
	if obj.GetNamespace() == "" {
		return r.requests(ctx, client.MatchingFields{AuthIndex: AuthKey(kedav1alpha1.KindClusterTriggerAuthentication, obj.GetName())})
	}
	return r.requests(ctx, client.InNamespace(obj.GetNamespace()),
		client.MatchingFields{AuthIndex: AuthKey(kedav1alpha1.KindTriggerAuthentication, obj.GetName())})
}

// byReference finds the objects whose authentications, or the environments of
// whose targets, name a Secret or ConfigMap, so that a rotated credential is used
// at once.
func (r *Reconciler) byReference(kind string) handler.MapFunc {
	return func(ctx context.Context, obj client.Object) []reconcile.Request {
		key := client.MatchingFields{ReferenceIndex: kind + "/" + obj.GetName()}
		requests := r.byEnvironment(ctx, obj.GetNamespace(), key)
		for _, authentication := range Naming(ctx, r.Client, kind, obj, r.Auth.ClusterNamespace) {
			requests = append(requests, r.byAuthentication(ctx, authentication)...)
		}
		return requests
	}
}

// requests are for the objects that a list finds. The cache answers, so that an
// error cannot be but one of the program.
func (r *Reconciler) requests(ctx context.Context, opts ...client.ListOption) []reconcile.Request {
	var list kedav1alpha1.ScaledObjectList
	if err := r.Client.List(ctx, &list, append(opts, client.UnsafeDisableDeepCopy)...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ScaledObjects that are concerned")
		return nil
	}
	requests := make([]reconcile.Request, len(list.Items))
	for i := range list.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&list.Items[i])
	}
	return requests
}

// Wakeups causes reconciles from outside the API server: readings that changed
// what an object asks for. It is a source of the controller.
type Wakeups struct {
	mu      sync.Mutex
	queue   workqueue.TypedRateLimitingInterface[reconcile.Request]
	waiting map[types.NamespacedName]bool
}

// Start is called by the controller.
func (w *Wakeups) Start(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = queue
	for name := range w.waiting {
		queue.Add(reconcile.Request{NamespacedName: name})
	}
	w.waiting = nil
	return nil
}

// Wake has the object reconciled soon. It does not block.
func (w *Wakeups) Wake(name types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queue != nil {
		w.queue.Add(reconcile.Request{NamespacedName: name})
		return
	}
	if w.waiting == nil {
		w.waiting = map[types.NamespacedName]bool{}
	}
	w.waiting[name] = true
}
