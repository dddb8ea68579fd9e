package main

import (
	"context"
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// setUpAndWait posts a set while it looks on how long it takes to be ready.
func (b *bench) setUpAndWait(ctx context.Context, s set) error {
	if err := b.prepare(ctx, s); err != nil {
		return err
	}
	b.log("a pause of %s, for the pods to be there", b.options.settle)
	if err := pause(ctx, b.options.settle); err != nil {
		return err
	}
	before, err := b.workSoFar(ctx)
	if err != nil {
		b.log("what the API server has to do is not known: %v", err)
	}
	began := time.Now()
	posted := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		err := b.post(ctx, s)
		if err != nil {
			cancel() // it will never be ready
		}
		posted <- err
	}()
	err = b.ready(ctx, s, began)
	if postErr := <-posted; postErr != nil {
		return postErr
	}
	b.keepWork(ctx, before)
	return err
}

// keepWork keeps what the API server had to do until the set was ready.
func (b *bench) keepWork(ctx context.Context, before *work) {
	if before == nil {
		return
	}
	after, err := b.workSoFar(ctx)
	if err != nil {
		b.log("what the API server had to do is not known: %v", err)
		return
	}
	f := after.since(before, max(1, b.result.Ready.Objects))
	b.result.Ready.Work = f
	b.log("for each object the API server used %.1f ms of CPU, and answered %.1f requests, %.1f of them the autoscaler's: %v; CPU in ms: %v", f.CPU, f.Total, f.Own, f.Requests, f.Used)
}

// ready waits for the set and keeps how long it took since began.
func (b *bench) ready(ctx context.Context, s set, began time.Time) error {
	seen, err := b.watchReady(ctx, s)
	b.result.Ready = &readyFigures{Seconds: seconds(time.Since(began)), HPAs: len(seen.hpas), Objects: len(seen.ready)}
	b.log("%d HPAs and %d Ready objects after %.1f s", len(seen.hpas), len(seen.ready), time.Since(began).Seconds())
	return err
}

// waitReady is ready for a set that no figure is about.
func (b *bench) waitReady(ctx context.Context, s set) error {
	began := time.Now()
	seen, err := b.watchReady(ctx, s)
	b.log("%d HPAs and %d Ready objects after %.1f s more", len(seen.hpas), len(seen.ready), time.Since(began).Seconds())
	return err
}

// readiness is what was seen of a set so far.
type readiness struct {
	names, hpas, ready map[string]bool
}

func (r *readiness) complete() bool {
	return len(r.hpas) == len(r.names) && len(r.ready) == len(r.names)
}

// see takes in an object of either kind.
func (r *readiness) see(obj any) {
	switch o := obj.(type) {
	case *autoscalingv2.HorizontalPodAutoscaler:
		if r.names[o.Spec.ScaleTargetRef.Name] {
			r.hpas[o.Spec.ScaleTargetRef.Name] = true
		}
	case *kedav1alpha1.ScaledObject:
		if !r.names[o.Name] {
			return
		}
		delete(r.ready, o.Name)
		for _, c := range o.Status.Conditions {
			if string(c.Type) == "Ready" && string(c.Status) == string(corev1.ConditionTrue) {
				r.ready[o.Name] = true
			}
		}
	}
}

// watchReady returns when each object of the set has an HPA and is Ready, and
// what it saw until then.
func (b *bench) watchReady(ctx context.Context, s set) (*readiness, error) {
	ctx, cancel := context.WithTimeout(ctx, b.options.patience)
	defer cancel()
	seen := &readiness{names: map[string]bool{}, hpas: map[string]bool{}, ready: map[string]bool{}}
	for _, name := range s.names() {
		seen.names[name] = true
	}
	hpas, err := b.watch(ctx, &autoscalingv2.HorizontalPodAutoscalerList{})
	if err != nil {
		return seen, err
	}
	objects, err := b.watch(ctx, &kedav1alpha1.ScaledObjectList{}, client.MatchingLabels{setLabel: s.prefix})
	if err != nil {
		return seen, err
	}
	for !seen.complete() {
		select {
		case obj := <-hpas:
			seen.see(obj)
		case obj := <-objects:
			seen.see(obj)
		case <-ctx.Done():
			return seen, fmt.Errorf("waiting for %d HPAs and Ready objects: %w", s.objects, ctx.Err())
		}
	}
	return seen, nil
}

// watch sends the objects there are, and then each one that changes or is made,
// until ctx ends. A watch that breaks off begins anew.
func (b *bench) watch(ctx context.Context, list client.ObjectList, more ...client.ListOption) (<-chan any, error) {
	opts := append([]client.ListOption{client.InNamespace(b.options.namespace)}, more...)
	w, err := b.client.Watch(ctx, list, opts...)
	if err != nil {
		return nil, fmt.Errorf("watching %T: %w", list, err)
	}
	objects := make(chan any, 1024)
	go func() {
		for ctx.Err() == nil {
			forward(ctx, w, objects)
			w.Stop()
			for ctx.Err() == nil {
				if w, err = b.client.Watch(ctx, list, opts...); err == nil {
					break
				}
				_ = pause(ctx, time.Second)
			}
		}
		if w != nil {
			w.Stop()
		}
	}()
	return objects, nil
}

// forward sends the objects of a watch until it ends.
func forward(ctx context.Context, w watch.Interface, objects chan<- any) {
	for {
		select {
		case e, ok := <-w.ResultChan():
			if !ok || e.Type == watch.Error {
				return
			}
			if _, isStatus := e.Object.(*metav1.Status); isStatus || e.Type == watch.Deleted {
				continue
			}
			select {
			case objects <- e.Object:
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
