package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pushed is how many items a push holds, which demand the most replicas.
const pushed = 100

// activation is one object from the push to the replicas that it demands.
type activation struct {
	push            time.Time
	first, demanded time.Duration // since the push; 0 while not there
}

// see takes in the replicas at a time. Those before the push are none.
func (a *activation) see(replicas int32, now time.Time) {
	if a.push.IsZero() || replicas == 0 {
		return
	}
	if a.first == 0 {
		a.first = now.Sub(a.push)
	}
	if a.demanded == 0 && replicas >= demanded(pushed) {
		a.demanded = now.Sub(a.push)
	}
}

// activate pushes to idle objects, at random moments within one polling
// interval, and watches their Deployments.
func (b *bench) activate(ctx context.Context, s set) error {
	ctx, cancel := context.WithTimeout(ctx, b.options.patience)
	defer cancel()
	deployments, err := b.watch(ctx, &appsv1.DeploymentList{}, client.MatchingLabels{setLabel: s.prefix})
	if err != nil {
		return err
	}
	// Spread over the set, so that they are not neighbours in any order of it.
	waiting := map[string]*activation{}
	pushes := make(chan string)
	for i := range b.options.activations {
		name := s.name(i * s.objects / b.options.activations)
		waiting[name] = &activation{}
		time.AfterFunc(rand.N(s.interval), func() { //nolint:gosec // no secret
			select {
			case pushes <- name:
			case <-ctx.Done():
			}
		})
	}
	b.log("pushing to %d of %d idle objects within %s", len(waiting), s.objects, s.interval)
	for left := len(waiting); left > 0; {
		select {
		case name := <-pushes:
			waiting[name].push = time.Now()
			if err := b.pushMany(ctx, name); err != nil {
				return err
			}
		case obj := <-deployments:
			d := obj.(*appsv1.Deployment)
			a := waiting[d.Name]
			if a == nil || a.demanded != 0 || d.Spec.Replicas == nil {
				continue
			}
			a.see(*d.Spec.Replicas, time.Now())
			if a.demanded != 0 {
				left--
			}
		case <-ctx.Done():
			return fmt.Errorf("waiting for the replicas of %d of %d objects: %w", left, len(waiting), ctx.Err())
		}
	}
	b.result.Activate = activationsOf(waiting)
	b.log("first replica p50 %.3f s, max %.3f s; demanded replicas p50 %.3f s, max %.3f s",
		b.result.Activate.First.P50, b.result.Activate.First.Max, b.result.Activate.Demanded.P50, b.result.Activate.Demanded.Max)
	return nil
}

func (b *bench) pushMany(ctx context.Context, list string) error {
	values := make([]any, pushed)
	for i := range values {
		values[i] = i
	}
	if err := b.redis.RPush(ctx, list, values...).Err(); err != nil {
		return fmt.Errorf("pushing to list %s: %w", list, err)
	}
	return nil
}

func activationsOf(all map[string]*activation) *activationFigures {
	var first, demanded []time.Duration
	for _, a := range all {
		first = append(first, a.first)
		demanded = append(demanded, a.demanded)
	}
	return &activationFigures{Objects: len(all), First: spreadOf(first), Demanded: spreadOf(demanded)}
}
