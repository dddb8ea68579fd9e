package horizontal

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"

	ours "github.com/freshet-io/freshet/controller/horizontal"

	"github.com/freshet-io/freshet/e2e/cluster"
)

const (
	trials       = 60
	stepsOfTrial = 10
	leastSteps   = 500
	// syncPeriod is no divisor of whole seconds, in which windows and periods are
	// given, so that few syncs fall on their very end.
	syncPeriod = 1300 * time.Millisecond
)

// The real kube-controller-manager and we make the same of at least 500 random
// syncs: what it read is known, and so is all it wrote.
func TestDecidesAsTheController(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	seed := newSeed(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	c, err := cluster.Start(ctx, cluster.Options{Log: os.Stderr, HPASyncPeriod: syncPeriod})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	g := newGround(ctx, t, c)
	a := &adapter{trials: map[string]*trial{}}
	for i := range uint64(trials) {
		one := newTrial(g, fmt.Sprint("trial", i), diceOf(seed, i))
		a.trials[one.name] = one
	}
	a.serve(t, g)
	g.awaitAdapter()
	var wait sync.WaitGroup
	for _, one := range a.trials {
		wait.Go(func() { one.run(ctx) })
	}
	wait.Wait()

	seen, steps, edges := sights{}, 0, 0
	for _, one := range a.trials {
		if one.fault != nil {
			t.Error(one.fault)
		}
		steps, edges = steps+one.steps, edges+one.edges
		for what, n := range one.seen {
			seen[what] += n
		}
	}
	t.Logf("%d steps, %d of them at the end of a window or a period: %v", steps, edges, seen)
	if steps-edges < leastSteps {
		t.Errorf("%d steps were compared, want %d", steps-edges, leastSteps)
	}
	for _, what := range []string{"scaled up", "scaled down", "held Up", "held Down", "bound PolicyUp", "bound PolicyDown", "tolerated", "verdict Broken", "verdict Overruled", "outcome Failed"} {
		if seen[what] == 0 {
			t.Errorf("%q was not seen", what)
		}
	}
}

// newTrial is one with a random HPA on external metrics.
func newTrial(g *ground, name string, d dice) *trial {
	return &trial{
		dice: d, ground: g, name: name, pods: d.between(0, 3),
		told: map[autoscalingv2.HorizontalPodAutoscalerConditionType]ours.Condition{}, seen: sights{}, done: make(chan struct{}),
	}
}

// run takes the trial to its end.
func (t *trial) run(ctx context.Context) {
	if err := t.start(ctx); err != nil {
		t.mu.Lock()
		t.end(err)
		t.mu.Unlock()
	}
	select {
	case <-t.done:
	case <-ctx.Done():
		t.mu.Lock()
		t.end(fmt.Errorf("%s: not over after %d steps: %w", t.name, t.steps, ctx.Err()))
		t.mu.Unlock()
	}
}

// start makes the target and the HPA. It keeps the metrics waiting until the first
// sync is compared, should that be one without metrics.
func (t *trial) start(ctx context.Context) error {
	written := t.dice.spec(autoscalingv2.ExternalMetricSourceType)
	t.hasten(&written)
	for i := range written.Metrics {
		written.Metrics[i].External.Metric.Name = fmt.Sprintf("%s-%d", t.name, i)
	}
	written.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{APIVersion: targetAPI, Kind: targetKind, Name: t.name}
	initial := int32(oneOf(t.dice, 0, 1, 2, 3, 5, 10, 40))
	if err := t.ground.populate(ctx, t.name, initial, t.pods); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spec = ours.SpecOf(&written, ours.DefaultSettings())
	t.sync = &observed{input: ours.Input{Replicas: initial}, early: time.Now()}
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: t.name, Namespace: trialNamespace}, Spec: written}
	if err := t.ground.client.Create(ctx, hpa); err != nil {
		return fmt.Errorf("creating HPA %s: %w", t.name, err)
	}
	switch d, _ := ours.Decide(t.spec, &t.sync.input, ours.Memory{}, time.Now()); d.Outcome {
	case ours.Disabled:
		if err := t.first(ctx, &d); err != nil {
			return err
		}
		return t.ground.setReplicas(ctx, t.name, int32(t.between(int(max(1, t.spec.Min)), int(t.spec.Max))))
	case ours.AboveMax, ours.BelowMin:
		return t.first(ctx, &d)
	default:
		return nil
	}
}

// hasten has most HPAs scale down within a trial, which the default window outlasts.
func (t *trial) hasten(written *autoscalingv2.HorizontalPodAutoscalerSpec) {
	if t.chance(20) {
		return
	}
	if written.Behavior == nil {
		written.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{}
	}
	if written.Behavior.ScaleDown == nil {
		written.Behavior.ScaleDown = &autoscalingv2.HPAScalingRules{}
	}
	down := written.Behavior.ScaleDown
	down.StabilizationWindowSeconds = ptr.To(int32(oneOf(t.dice, 0, 0, 2, 3, 6)))
	if down.Policies == nil && t.chance(60) {
		down.Policies = []autoscalingv2.HPAScalingPolicy{{
			Type: oneOf(t.dice, autoscalingv2.PodsScalingPolicy, autoscalingv2.PercentScalingPolicy), Value: int32(t.between(1, 30)), PeriodSeconds: int32(t.between(2, 9)),
		}}
	}
}

// first waits for the end of the first sync, which asks for no metric, and compares it.
func (t *trial) first(ctx context.Context, d *ours.Decision) error {
	for {
		hpa, target, err := t.read(ctx)
		if err != nil {
			return err
		}
		if outcome(d.Desired, &hpa.Status) == t.outcome(d) {
			t.sync.late = time.Now()
			return t.settle(hpa, target)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: its first sync is %s, want %s: %w", t.name, outcome(d.Desired, &hpa.Status), t.outcome(d), ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
