package scaledjob

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/scaledobject"
	"github.com/freshet-io/freshet/controller/triggers"
)

// Register adds the controller to the manager, after that of ScaledObjects, whose
// indexes of authentications it uses. It runs on every replica: each reads what it
// owns.
func (r *Reconciler) Register(ctx context.Context, mgr ctrl.Manager) error {
	r.warm.Begin()
	if err := addIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return fmt.Errorf("indexing: %w", err)
	}
	everywhere := false
	return ctrl.NewControllerManagedBy(mgr).
		Named("scaledjob").
		For(&kedav1alpha1.ScaledJob{}, builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, predicate.LabelChangedPredicate{}))).
		Watches(&kedav1alpha1.TriggerAuthentication{}, handler.EnqueueRequestsFromMapFunc(r.byAuthentication),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&kedav1alpha1.ClusterTriggerAuthentication{}, handler.EnqueueRequestsFromMapFunc(r.byAuthentication),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.byReference("Secret")),
			builder.WithPredicates(predicate.ResourceVersionChangedPredicate{})).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.byReference("ConfigMap")),
			builder.WithPredicates(predicate.ResourceVersionChangedPredicate{})).
		WatchesRawSource(r.Wakeups).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.Workers, NeedLeaderElection: &everywhere}).
		Complete(r)
}

// addIndexes indexes ScaledJobs by the authentications of their triggers and, where
// these may take something from it, by what the environment of their Jobs names.
func addIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &kedav1alpha1.ScaledJob{}, scaledobject.AuthIndex, func(obj client.Object) []string {
		var keys []string
		for i := range obj.(*kedav1alpha1.ScaledJob).Spec.Triggers {
			if ref := obj.(*kedav1alpha1.ScaledJob).Spec.Triggers[i].AuthenticationRef; ref != nil {
				keys = append(keys, scaledobject.AuthKey(ref.EffectiveKind(), ref.Name))
			}
		}
		return keys
	}); err != nil {
		return err
	}
	return indexer.IndexField(ctx, &kedav1alpha1.ScaledJob{}, scaledobject.ReferenceIndex, func(obj client.Object) []string {
		sj := obj.(*kedav1alpha1.ScaledJob)
		for i := range sj.Spec.Triggers {
			t := &sj.Spec.Triggers[i]
			if sj.Spec.JobTargetRef != nil && (t.AuthenticationRef != nil || triggers.WantsEnv(t.Metadata)) {
				return scaledobject.Environment(&sj.Spec.JobTargetRef.Template.Spec)
			}
		}
		return nil
	})
}

func (r *Reconciler) byAuthentication(ctx context.Context, obj client.Object) []reconcile.Request {
	kind := kedav1alpha1.KindTriggerAuthentication
	if obj.GetNamespace() == "" {
		kind = kedav1alpha1.KindClusterTriggerAuthentication
	}
	return r.requests(ctx, client.InNamespace(obj.GetNamespace()),
		client.MatchingFields{scaledobject.AuthIndex: scaledobject.AuthKey(kind, obj.GetName())})
}

// byReference finds the objects whose authentications, or the environments of whose
// Jobs, name a Secret or ConfigMap.
func (r *Reconciler) byReference(kind string) handler.MapFunc {
	return func(ctx context.Context, obj client.Object) []reconcile.Request {
		key := client.MatchingFields{scaledobject.ReferenceIndex: kind + "/" + obj.GetName()}
		requests := r.requests(ctx, client.InNamespace(obj.GetNamespace()), key)
		for _, authentication := range scaledobject.Naming(ctx, r.Client, kind, obj, r.Auth.ClusterNamespace) {
			requests = append(requests, r.byAuthentication(ctx, authentication)...)
		}
		return requests
	}
}

// requests are for the objects that a list finds. The cache answers, so that an
// error cannot be but one of the program.
func (r *Reconciler) requests(ctx context.Context, opts ...client.ListOption) []reconcile.Request {
	var list kedav1alpha1.ScaledJobList
	if err := r.Client.List(ctx, &list, append(opts, client.UnsafeDisableDeepCopy)...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ScaledJobs that are concerned")
		return nil
	}
	requests := make([]reconcile.Request, len(list.Items))
	for i := range list.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&list.Items[i])
	}
	return requests
}

// Warm returns nil once every object that exists was reconciled since the process
// began.
func (r *Reconciler) Warm(ctx context.Context) error {
	return r.warm.Check(ctx, r.Client, &kedav1alpha1.ScaledJobList{}, kedav1alpha1.KindScaledJob)
}
