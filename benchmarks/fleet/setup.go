package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// writers are the calls to the API server that are made at a time.
const writers = 16

// setUp creates the set's Deployments, and then its ScaledObjects.
func (b *bench) setUp(ctx context.Context, s set) error {
	if err := b.prepare(ctx, s); err != nil {
		return err
	}
	_, err := b.post(ctx, s)
	return err
}

// prepare makes everything but the ScaledObjects.
func (b *bench) prepare(ctx context.Context, s set) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: b.options.namespace}}
	if err := b.create(ctx, ns); err != nil {
		return err
	}
	if err := b.fill(ctx, s.names(), s.items); err != nil {
		return err
	}
	began := time.Now()
	if err := b.createEach(ctx, s, func(i int) client.Object { return s.deployment(i, b.options.namespace) }); err != nil {
		return err
	}
	b.log("%d Deployments created in %.1f s", s.objects, time.Since(began).Seconds())
	return nil
}

// post creates the ScaledObjects and returns how long that took.
func (b *bench) post(ctx context.Context, s set) (time.Duration, error) {
	began := time.Now()
	if err := b.createEach(ctx, s, func(i int) client.Object { return s.scaledObject(i, b.options.namespace) }); err != nil {
		return 0, err
	}
	took := time.Since(began)
	b.log("%d ScaledObjects posted in %.1f s", s.objects, took.Seconds())
	return took, nil
}

func (b *bench) createEach(ctx context.Context, s set, object func(i int) client.Object) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for i := range s.objects {
		group.Go(func() error { return b.create(ctx, object(i)) })
	}
	return group.Wait() //nolint:wrapcheck // ours
}

// create creates an object. One that is there already is as good: setup may be
// run again.
func (b *bench) create(ctx context.Context, obj client.Object) error {
	err := call(ctx, func(ctx context.Context) error { return b.client.Create(ctx, obj) })
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating %T %s: %w", obj, obj.GetName(), err)
	}
	return nil
}

// tearDown deletes a set and returns when it, and its pods, are gone: what it
// leaves behind would be measured with the next one.
func (b *bench) tearDown(ctx context.Context, prefix string) error {
	began := time.Now()
	kinds := []struct {
		object client.Object
		kind   string
		group  string
		delete bool
	}{
		{&kedav1alpha1.ScaledObject{}, "ScaledObjectList", kedav1alpha1.GroupVersion.String(), true},
		{&appsv1.Deployment{}, "DeploymentList", "apps/v1", true},
		{&corev1.Pod{}, "PodList", "v1", false},
	}
	in := []client.ListOption{client.InNamespace(b.options.namespace), client.MatchingLabels{setLabel: prefix}}
	for _, k := range kinds {
		if k.delete {
			if err := call(ctx, func(ctx context.Context) error {
				return b.client.DeleteAllOf(ctx, k.object, client.InNamespace(b.options.namespace), client.MatchingLabels{setLabel: prefix},
					client.PropagationPolicy(metav1.DeletePropagationBackground))
			}); err != nil {
				return fmt.Errorf("deleting each %T: %w", k.object, err)
			}
		}
		list := &metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: k.group, Kind: k.kind}}
		if err := b.waitGone(ctx, list, in); err != nil {
			return err
		}
	}
	b.log("%s… torn down in %.1f s", prefix, time.Since(began).Seconds())
	return nil
}

func (b *bench) waitGone(ctx context.Context, list *metav1.PartialObjectMetadataList, in []client.ListOption) error {
	ctx, cancel := context.WithTimeout(ctx, b.options.patience)
	defer cancel()
	for {
		if err := call(ctx, func(ctx context.Context) error { return b.client.List(ctx, list, in...) }); err != nil {
			return fmt.Errorf("listing what is left as %s: %w", list.Kind, err)
		}
		if len(list.Items) == 0 {
			return nil
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return fmt.Errorf("waiting until %d of %s are gone: %w", len(list.Items), list.Kind, err)
		}
	}
}
