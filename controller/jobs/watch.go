package jobs

import (
	"context"
	"fmt"
	"sync"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// Watch keeps a tracker current by a cache that has the Jobs of ScaledJobs, and their
// pods once somebody asks about them.
type Watch struct {
	// Cache has them: nothing else may be in it.
	Cache cache.Cache
	// Tracker is told of them.
	Tracker *Tracker
	// Namespaces are those that the cache is of; nil is all.
	Namespaces []string

	mu         sync.Mutex
	jobs, pods toolscache.ResourceEventHandlerRegistration
}

// Start begins to watch Jobs. It does not wait for them.
func (w *Watch) Start(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var err error
	w.jobs, err = follow(ctx, w.Cache, &batchv1.Job{}, w.Tracker.See, w.Tracker.Gone)
	return err
}

// Synced tells whether all Jobs are known and, with pods, all of their pods.
func (w *Watch) Synced(ctx context.Context, pods bool) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.jobs == nil || !w.jobs.HasSynced() {
		return false, nil
	}
	if !pods {
		return true, nil
	}
	if w.pods == nil {
		var err error
		if w.pods, err = follow(ctx, w.Cache, &corev1.Pod{}, w.Tracker.SeePod, w.Tracker.GonePod); err != nil {
			return false, err
		}
	}
	return w.pods.HasSynced(), nil
}

// CatchUp asks the API server itself for all Jobs and has those that the watch did not
// tell of yet count as asked for. Whoever takes over calls it first: what another
// replica made a moment ago may not be in the cache.
func (w *Watch) CatchUp(ctx context.Context, live client.Reader) error {
	namespaces := w.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	for _, namespace := range namespaces {
		if err := w.catchUp(ctx, live, namespace); err != nil {
			return err
		}
	}
	return nil
}

func (w *Watch) catchUp(ctx context.Context, live client.Reader, namespace string) error {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(batchv1.SchemeGroupVersion.WithKind("JobList"))
	for {
		const page = 500
		err := live.List(ctx, list, client.InNamespace(namespace), client.HasLabels{kedav1alpha1.LabelScaledJobName}, client.Limit(page), client.Continue(list.Continue))
		if err != nil {
			return fmt.Errorf("listing Jobs: %w", err)
		}
		for i := range list.Items {
			w.Tracker.Expect(ownerOf(&list.Items[i]), list.Items[i].Name)
		}
		if list.Continue == "" {
			return nil
		}
	}
}

// follow calls see with every object of a kind as it changes, and gone with those
// that go.
func follow[T client.Object](ctx context.Context, c cache.Cache, kind T, see, gone func(T)) (toolscache.ResourceEventHandlerRegistration, error) {
	informer, err := c.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watching %T: %w", kind, err)
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			if o, ok := obj.(T); ok {
				see(o)
			}
		},
		UpdateFunc: func(_, obj any) {
			if o, ok := obj.(T); ok {
				see(o)
			}
		},
		DeleteFunc: func(obj any) {
			if tombstone, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
				obj = tombstone.Obj
			}
			if o, ok := obj.(T); ok {
				gone(o)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("watching %T: %w", kind, err)
	}
	return registration, nil
}
