package kube

import (
	"context"
	"sync"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// informers is what a reader has that can tell of changes.
type informers interface {
	GetInformer(ctx context.Context, obj client.Object, opts ...cache.InformerGetOption) (cache.Informer, error)
}

// changes tell of single objects: however many are listened to, each kind has
// one handler. The zero value is ready.
type changes struct {
	mu sync.Mutex
	// kinds are by the name of the kind.
	kinds map[string]*kindChanges
}

// kindChanges are those of one kind. Its listeners, by the object's namespace/name,
// are guarded by the mutex of changes.
type kindChanges struct {
	listeners map[string]map[*func()]bool
	remove    func()
}

// listen calls changed now, when the object changes, appears or goes, until ctx
// ends. A reader that cannot tell of changes has listen wait for that only.
func (c *changes) listen(ctx context.Context, reader client.Reader, kind string, obj client.Object, name client.ObjectKey, changed func()) error {
	source, ok := reader.(informers)
	if !ok {
		<-ctx.Done()
		return ctx.Err()
	}
	if err := c.add(ctx, source, kind, obj, name.String(), &changed); err != nil {
		return err
	}
	changed() // what happened before, since it was last read
	<-ctx.Done()
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.kinds[kind]; k != nil {
		delete(k.listeners[name.String()], &changed)
		if len(k.listeners[name.String()]) == 0 {
			delete(k.listeners, name.String())
		}
	}
	return ctx.Err()
}

// add adds a listener, and the handler of its kind when there is none.
func (c *changes) add(ctx context.Context, source informers, kind string, obj client.Object, name string, changed *func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.kinds[kind]
	if k == nil {
		k = &kindChanges{listeners: map[string]map[*func()]bool{}}
		informer, err := source.GetInformer(ctx, obj, cache.BlockUntilSynced(false))
		if err != nil {
			return err
		}
		handle, err := informer.AddEventHandler(c.handler(k))
		if err != nil {
			return err //nolint:wrapcheck // the host names the source
		}
		k.remove = func() { _ = informer.RemoveEventHandler(handle) } // fails only where there is none
		if c.kinds == nil {
			c.kinds = map[string]*kindChanges{}
		}
		c.kinds[kind] = k
	}
	if k.listeners[name] == nil {
		k.listeners[name] = map[*func()]bool{}
	}
	k.listeners[name][changed] = true
	return nil
}

// handler tells the listeners of k.
func (c *changes) handler(k *kindChanges) toolscache.ResourceEventHandler {
	tell := func(obj any) {
		name, err := toolscache.DeletionHandlingMetaNamespaceKeyFunc(obj)
		if err != nil {
			return // it is no object
		}
		c.mu.Lock()
		told := make([]*func(), 0, len(k.listeners[name]))
		for changed := range k.listeners[name] {
			told = append(told, changed)
		}
		c.mu.Unlock()
		for _, changed := range told {
			(*changed)()
		}
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc: tell, DeleteFunc: tell, UpdateFunc: func(_, obj any) { tell(obj) },
	}
}

// deafen removes the handlers.
func (c *changes) deafen() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.kinds {
		k.remove()
	}
	c.kinds = nil
}
