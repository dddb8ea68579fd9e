package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
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
	return b.post(ctx, s)
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

// post creates the ScaledObjects.
func (b *bench) post(ctx context.Context, s set) error {
	began := time.Now()
	if err := b.createEach(ctx, s, func(i int) client.Object { return s.scaledObject(i, b.options.namespace) }); err != nil {
		return err
	}
	b.log("%d ScaledObjects posted in %.1f s", s.objects, time.Since(began).Seconds())
	return nil
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
	for _, k := range []metav1.TypeMeta{
		{APIVersion: kedav1alpha1.GroupVersion.String(), Kind: kedav1alpha1.KindScaledObject},
		{APIVersion: "apps/v1", Kind: "Deployment"},
	} {
		if err := b.deleteEach(ctx, k, prefix); err != nil {
			return err
		}
		if err := b.waitGone(ctx, k, prefix); err != nil {
			return err
		}
	}
	if err := b.waitGone(ctx, metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, prefix); err != nil {
		return err
	}
	b.log("%s… torn down in %.1f s", prefix, time.Since(began).Seconds())
	return nil
}

// left are the objects of a kind that are there.
func (b *bench) left(ctx context.Context, kind metav1.TypeMeta, prefix string) ([]metav1.PartialObjectMetadata, error) {
	list := &metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: kind.APIVersion, Kind: kind.Kind + "List"}}
	if err := call(ctx, func(ctx context.Context) error {
		return b.client.List(ctx, list, client.InNamespace(b.options.namespace), client.MatchingLabels{setLabel: prefix})
	}); err != nil {
		return nil, fmt.Errorf("listing each %s: %w", kind.Kind, err)
	}
	return list.Items, nil
}

// deleteEach deletes objects one by one: all in one call take longer than a call may.
func (b *bench) deleteEach(ctx context.Context, kind metav1.TypeMeta, prefix string) error {
	items, err := b.left(ctx, kind, prefix)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for i := range items {
		obj := &items[i]
		obj.TypeMeta = kind
		group.Go(func() error {
			err := call(ctx, func(ctx context.Context) error {
				return b.client.Delete(ctx, obj, client.PropagationPolicy(metav1.DeletePropagationBackground))
			})
			if client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("deleting %s %s: %w", kind.Kind, obj.Name, err)
			}
			return nil
		})
	}
	return group.Wait() //nolint:wrapcheck // ours
}

func (b *bench) waitGone(ctx context.Context, kind metav1.TypeMeta, prefix string) error {
	ctx, cancel := context.WithTimeout(ctx, b.options.patience)
	defer cancel()
	for {
		items, err := b.left(ctx, kind, prefix)
		if err != nil {
			return err
		}
		if len(items) == 0 {
			return nil
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return fmt.Errorf("waiting until each %s is gone (%d are left): %w", kind.Kind, len(items), err)
		}
	}
}
