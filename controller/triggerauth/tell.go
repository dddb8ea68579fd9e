package triggerauth

import (
	"context"
	"fmt"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/checks"
	"github.com/freshet-io/freshet/controller/events"
)

// reasons are those of events on one kind.
type reasons struct{ added, updated, deleted, failed string }

func (r *Reconciler) reasons() reasons {
	if r.Cluster {
		return reasons{
			events.ClusterTriggerAuthenticationAdded, events.ClusterTriggerAuthenticationUpdated,
			events.ClusterTriggerAuthenticationDeleted, events.ClusterTriggerAuthenticationFailed,
		}
	}
	return reasons{
		events.TriggerAuthenticationAdded, events.TriggerAuthenticationUpdated,
		events.TriggerAuthenticationDeleted, events.TriggerAuthenticationFailed,
	}
}

// changes has authentications looked at, and tells of changes as they happen. What
// is there when this replica begins to lead was told by whoever led before.
func (r *Reconciler) changes() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	look := func(q queue, obj client.Object) {
		q.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(obj)})
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) {
			look(q, e.Object)
			if !e.IsInInitialList {
				r.tell(e.Object, r.reasons().added, "was added")
			}
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			look(q, e.ObjectNew)
			switch before, after := e.ObjectOld, e.ObjectNew; {
			case before.GetUID() != after.GetUID(): // deleted and made anew between two looks
				r.Events.Note(before, r.reasons().deleted, r.Kind()+" was deleted")
				r.tell(after, r.reasons().added, "was added")
			case before.GetGeneration() != after.GetGeneration() && after.GetDeletionTimestamp().IsZero():
				r.tell(after, r.reasons().updated, "was changed")
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) {
			r.gone.put(e.Object)
			look(q, e.Object)
		},
	}
}

// tell records what happened to an authentication, and what is wrong with it.
func (r *Reconciler) tell(obj client.Object, reason, what string) {
	r.Events.Note(obj, reason, r.Kind()+" "+what)
	var faults []string
	for _, f := range faultsOf(obj) {
		faults = append(faults, f.String())
	}
	if len(faults) > 0 {
		r.Events.Warn(obj, r.reasons().failed, strings.Join(faults, "; "))
	}
}

func faultsOf(obj client.Object) []checks.Finding {
	switch o := obj.(type) {
	case *kedav1alpha1.TriggerAuthentication:
		return checks.TriggerAuthentication(o).Faults
	case *kedav1alpha1.ClusterTriggerAuthentication:
		return checks.ClusterTriggerAuthentication(o).Faults
	}
	return nil
}

// tellDeleted records that an authentication was deleted. One that only left the
// selection of this program is still there.
func (r *Reconciler) tellDeleted(ctx context.Context, name client.ObjectKey) error {
	was := r.gone.take(name)
	if was == nil {
		return nil
	}
	obj, _ := r.empty()
	err := r.Live.Get(ctx, name, obj)
	switch {
	case err == nil && obj.GetUID() == was.GetUID():
	case err == nil || apierrors.IsNotFound(err):
		r.Events.Note(was, r.reasons().deleted, r.Kind()+" was deleted")
	default:
		r.gone.put(was)
		return fmt.Errorf("reading %s, which may be deleted: %w", r.Kind(), err)
	}
	return nil
}

// gone are the objects that left the cache, until it is told what became of them.
type gone struct {
	mu      sync.Mutex
	objects map[client.ObjectKey]client.Object
}

func (g *gone) put(obj client.Object) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.objects == nil {
		g.objects = map[client.ObjectKey]client.Object{}
	}
	g.objects[client.ObjectKeyFromObject(obj)] = obj
}

func (g *gone) take(name client.ObjectKey) client.Object {
	g.mu.Lock()
	defer g.mu.Unlock()
	obj := g.objects[name]
	delete(g.objects, name)
	return obj
}
