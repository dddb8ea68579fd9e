// Package triggerauth says on TriggerAuthentications and ClusterTriggerAuthentications
// which ScaledObjects and ScaledJobs use them, and what became of them. What they hold
// is resolved where it is used: packages scaledobject and scaledjob watch them and
// what they name.
package triggerauth

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/controller/scaledobject"
)

// maxNames bounds how many users are named, so that the object stays small however
// many there are.
const maxNames = 500

// Reconciler reconciles the authentications of one kind.
type Reconciler struct {
	// Client reads from the cache.
	Client client.Client
	// Live reads from the API server.
	Live client.Reader
	// Cluster tells that the kind is ClusterTriggerAuthentication.
	Cluster bool
	// Events records what happened.
	Events events.Recorder

	gone gone
}

// Kind is the kind of what is reconciled.
func (r *Reconciler) Kind() string {
	if r.Cluster {
		return kedav1alpha1.KindClusterTriggerAuthentication
	}
	return kedav1alpha1.KindTriggerAuthentication
}

// Register adds the controller to the manager. It runs on the leader, after the
// controllers of ScaledObjects and ScaledJobs were registered, whose indexes it uses.
func (r *Reconciler) Register(mgr ctrl.Manager) error {
	obj, _ := r.empty()
	return ctrl.NewControllerManagedBy(mgr).
		Named(strings.ToLower(r.Kind())).
		Watches(obj, r.changes()).
		Watches(&kedav1alpha1.ScaledObject{}, r.users()).
		Watches(&kedav1alpha1.ScaledJob{}, r.users()).
		Complete(r)
}

// empty is an object of the kind, and its status.
func (r *Reconciler) empty() (client.Object, *kedav1alpha1.TriggerAuthenticationStatus) {
	if r.Cluster {
		obj := &kedav1alpha1.ClusterTriggerAuthentication{}
		return obj, &obj.Status
	}
	obj := &kedav1alpha1.TriggerAuthentication{}
	return obj, &obj.Status
}

// triggersOf are those of a ScaledObject or ScaledJob.
func triggersOf(obj client.Object) []kedav1alpha1.ScaleTriggers {
	switch o := obj.(type) {
	case *kedav1alpha1.ScaledObject:
		return o.Spec.Triggers
	case *kedav1alpha1.ScaledJob:
		return o.Spec.Triggers
	}
	return nil
}

// users finds the authentications that an object uses, and those that it used before
// a change.
func (r *Reconciler) users() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	add := func(q queue, objects ...client.Object) {
		for _, obj := range objects {
			for _, trigger := range triggersOf(obj) {
				ref := trigger.AuthenticationRef
				if ref == nil || ref.EffectiveKind() != r.Kind() {
					continue
				}
				name := client.ObjectKey{Namespace: obj.GetNamespace(), Name: ref.Name}
				if r.Cluster {
					name.Namespace = ""
				}
				q.Add(reconcile.Request{NamespacedName: name})
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { add(q, e.Object) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { add(q, e.Object) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			if e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() {
				add(q, e.ObjectOld, e.ObjectNew)
			}
		},
	}
}

// Reconcile writes who uses the authentication, if that is not what its status says.
// One that is to be deleted is let go: nothing of Freshet's has to be cleaned up, but
// it may hold the finalizer of the operator that was there before.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if err := r.tellDeleted(ctx, req.NamespacedName); err != nil {
		return ctrl.Result{}, err
	}
	obj, status := r.empty()
	if err := r.Client.Get(ctx, req.NamespacedName, obj); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err) //nolint:wrapcheck // gone, or the cache's own
	}
	before := obj.DeepCopyObject().(client.Object)
	if !obj.GetDeletionTimestamp().IsZero() {
		if !controllerutil.RemoveFinalizer(obj, kedav1alpha1.Finalizer) {
			return ctrl.Result{}, nil
		}
		if err := r.Client.Patch(ctx, obj, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
			return ctrl.Result{}, fmt.Errorf("removing finalizer: %w", err)
		}
		return ctrl.Result{}, nil
	}
	objects, scaledJobs, err := r.names(ctx, req)
	if err != nil || (objects == status.ScaledObjectNamesStr && scaledJobs == status.ScaledJobNamesStr) {
		return ctrl.Result{}, err
	}
	status.ScaledObjectNamesStr, status.ScaledJobNamesStr = objects, scaledJobs
	if err := r.Client.Status().Patch(ctx, obj, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		r.Events.Warn(before, r.reasons().failed, "Who uses it cannot be written: "+err.Error())
		return ctrl.Result{}, fmt.Errorf("writing status: %w", err)
	}
	return ctrl.Result{}, nil
}

// names are the ScaledObjects and ScaledJobs that use the authentication.
func (r *Reconciler) names(ctx context.Context, req ctrl.Request) (objects, scaledJobs string, err error) {
	users := []client.ListOption{
		client.InNamespace(req.Namespace), client.UnsafeDisableDeepCopy,
		client.MatchingFields{scaledobject.AuthIndex: scaledobject.AuthKey(r.Kind(), req.Name)},
	}
	var sos kedav1alpha1.ScaledObjectList
	if err := r.Client.List(ctx, &sos, users...); err != nil {
		return "", "", fmt.Errorf("listing ScaledObjects that use %s: %w", req.Name, err)
	}
	var sjs kedav1alpha1.ScaledJobList
	if err := r.Client.List(ctx, &sjs, users...); err != nil {
		return "", "", fmt.Errorf("listing ScaledJobs that use %s: %w", req.Name, err)
	}
	objects = r.join(len(sos.Items), func(i int) client.Object { return &sos.Items[i] })
	scaledJobs = r.join(len(sjs.Items), func(i int) client.Object { return &sjs.Items[i] })
	return objects, scaledJobs, nil
}

// join is the names of n objects, separated by commas, with their namespaces where
// these may differ.
func (r *Reconciler) join(n int, at func(i int) client.Object) string {
	names := make([]string, n)
	for i := range names {
		if names[i] = at(i).GetName(); r.Cluster {
			names[i] = at(i).GetNamespace() + "/" + names[i]
		}
	}
	slices.Sort(names)
	if more := n - maxNames; more > 0 {
		names = append(names[:maxNames], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ",")
}
