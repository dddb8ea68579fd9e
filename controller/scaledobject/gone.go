package scaledobject

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/events"
	"github.com/freshet-io/freshet/scalers/poll"
)

// departures are objects that are gone and not yet seen off. One without the
// finalizer can no longer be read when its end is told.
type departures struct {
	// objects are as they were last.
	objects map[client.ObjectKey]*kedav1alpha1.ScaledObject
	// told are those that finalize let go, and recorded so.
	told map[client.ObjectKey]types.UID
}

// whenGone keeps an object that is gone, and has it seen off by a reconcile.
func (r *Reconciler) whenGone() handler.EventHandler {
	return handler.Funcs{
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			if so, ok := e.Object.(*kedav1alpha1.ScaledObject); ok {
				r.keepGone(so)
				queue.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(so)})
			}
		},
	}
}

func (r *Reconciler) keepGone(so *kedav1alpha1.ScaledObject) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone.objects == nil {
		r.gone.objects = map[client.ObjectKey]*kedav1alpha1.ScaledObject{}
	}
	r.gone.objects[client.ObjectKeyFromObject(so)] = so
}

// seeOff ends what an object of that name left behind, if one is gone: its HPA, which
// the garbage collection takes some time later, is deleted at once, so that it does
// not ask for metrics that nobody reads. A new object may have the name by now.
func (r *Reconciler) seeOff(ctx context.Context, name client.ObjectKey) error {
	r.mu.Lock()
	so, told := r.gone.objects[name], r.gone.told[name]
	r.mu.Unlock()
	if so == nil {
		return nil
	}
	owns := poll.Owns(r.Ownership, Key(name))
	r.forget(Key(name))
	if owns {
		if err := r.sweep(ctx, so, told == so.UID); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone.objects[name] == so {
		delete(r.gone.objects, name)
		delete(r.gone.told, name)
	}
	return nil
}

// sweep deletes the HPA of an object that is gone, and records its end unless that was
// told. An object that only left the selection of labels keeps what it has.
func (r *Reconciler) sweep(ctx context.Context, so *kedav1alpha1.ScaledObject, told bool) error {
	var live kedav1alpha1.ScaledObject
	err := r.Live.Get(ctx, client.ObjectKeyFromObject(so), &live)
	switch {
	case err == nil && live.UID == so.UID:
		return nil
	case client.IgnoreNotFound(err) != nil:
		return fmt.Errorf("looking whether the ScaledObject is gone: %w", err)
	}
	if _, err := r.deleteHPAs(ctx, so); err != nil {
		return err
	}
	if !told {
		r.sayFarewell(so)
	}
	return nil
}

// sayFarewell records that an object goes.
func (r *Reconciler) sayFarewell(so *kedav1alpha1.ScaledObject) {
	if so.Status.HpaName != "" {
		r.Events.Stopped(so, "Stopped scalers watch")
	}
	r.Events.Warn(so, events.ScaledObjectDeleted, "ScaledObject was deleted")
}

// letGo remembers that the end of an object was recorded before it came.
func (r *Reconciler) letGo(so *kedav1alpha1.ScaledObject) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone.told == nil {
		r.gone.told = map[client.ObjectKey]types.UID{}
	}
	r.gone.told[client.ObjectKeyFromObject(so)] = so.UID
}
