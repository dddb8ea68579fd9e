package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// replicas is how many each Deployment of a set is to have, as it is watched. It
// is safe for concurrent use.
type replicas struct {
	mu      sync.Mutex
	of      map[string]int32
	changes int
}

// see takes in what a Deployment is to have.
func (r *replicas) see(name string, n int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if before, ok := r.of[name]; ok && before != n {
		r.changes++
	}
	r.of[name] = n
}

// with counts the Deployments that are to have n.
func (r *replicas) with(n int32) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	count := 0
	for _, has := range r.of {
		if has == n {
			count++
		}
	}
	return count
}

// takeChanges is how many changes there were since it was asked before.
func (r *replicas) takeChanges() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.changes
	r.changes = 0
	return n
}

// watchReplicas watches a set until ctx ends.
func (b *bench) watchReplicas(ctx context.Context, s set) (*replicas, error) {
	deployments, err := b.watch(ctx, &appsv1.DeploymentList{}, client.MatchingLabels{setLabel: s.prefix})
	if err != nil {
		return nil, err
	}
	r := &replicas{of: map[string]int32{}}
	go func() {
		for {
			select {
			case obj := <-deployments:
				if d := obj.(*appsv1.Deployment); d.Spec.Replicas != nil {
					r.see(d.Name, *d.Spec.Replicas)
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return r, nil
}

// waitFor waits until all Deployments of a set are to have n.
func (b *bench) waitFor(ctx context.Context, r *replicas, s set, n int32) error {
	ctx, cancel := context.WithTimeout(ctx, b.options.patience)
	defer cancel()
	for r.with(n) < s.objects {
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("waiting until %d Deployments have %d replicas (%d do): %w", s.objects, n, r.with(n), err)
		}
	}
	return nil
}

// waitScaled waits until a set has the replicas that its items demand.
func (b *bench) waitScaled(ctx context.Context, s set) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	r, err := b.watchReplicas(ctx, s)
	if err != nil {
		return err
	}
	if err := b.waitFor(ctx, r, s, demanded(s.items)); err != nil {
		return err
	}
	b.log("all have their %d replicas after %.1f s more", demanded(s.items), time.Since(began).Seconds())
	return nil
}
