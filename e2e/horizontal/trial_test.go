package horizontal

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	ours "github.com/freshet-io/freshet/controller/horizontal"
)

// trial is one HPA of a cluster, seen from the metrics it asks for. The controller
// asks for them in their order, after it has read the target and before it writes:
// so with the first request of a sync the one before is over and all it wrote is
// there to read, and between two syncs only the trial changes anything.
type trial struct {
	dice
	ground *ground
	name   string
	spec   *ours.Spec
	pods   int

	mu   sync.Mutex
	told map[autoscalingv2.HorizontalPodAutoscalerConditionType]ours.Condition
	// early and late are the memory with the least and the most times that the
	// controller may have seen on its clock.
	early, late ours.Memory
	// sync is the one under way, or the last.
	sync *observed
	done chan struct{}

	// steps are those that were compared, and edges those of them for which it
	// matters when exactly the controller looked at its clock.
	steps, edges int
	seen         sights
	fault        error
}

// observed is what is known of a sync.
type observed struct {
	input ours.Input
	// was is the HPA's status before.
	was autoscalingv2.HorizontalPodAutoscalerStatus
	// early and late are the bounds of the time at which it was decided.
	early, late time.Time
	answered    int
}

// asked is called for each metric in each sync.
func (t *trial) asked(ctx context.Context, number string) ([]int64, error) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := strconv.Atoi(number)
	if err != nil || n >= len(t.spec.Metrics) {
		return nil, fmt.Errorf("metric %q is unknown", number)
	}
	if t.finished() {
		return nil, errors.New("the trial is over")
	}
	if n == 0 {
		if err := t.begin(ctx, now); err != nil {
			t.end(err)
			return nil, err
		}
	}
	s := t.sync
	if n != s.answered {
		t.end(fmt.Errorf("%s: metric %d was asked for after %d others", t.name, n, s.answered))
		return nil, t.fault
	}
	s.answered++
	reading := &s.input.Readings[n]
	if s.answered == len(t.spec.Metrics) {
		t.move(ctx)
		s.early = time.Now()
	}
	return reading.Values, reading.Err
}

// begin ends the sync before, and makes up the next.
func (t *trial) begin(ctx context.Context, now time.Time) error {
	hpa, target, err := t.read(ctx)
	if err != nil {
		return err
	}
	if s := t.sync; s != nil && s.answered > 0 {
		// The controller waits for a period between the end of a sync and the next. A
		// resync of its cache may fall into a sync, and then the wait begins with that.
		s.late = now.Add(-syncPeriod)
		if soonest := s.early.Add(100 * time.Millisecond); s.late.Before(soonest) {
			s.late = soonest
		}
		if err := t.settle(hpa, target); err != nil {
			return err
		}
		if t.steps >= stepsOfTrial {
			t.end(nil)
			return errors.New("the trial is over")
		}
	}
	replicas, _, _ := unstructured.NestedInt64(target.Object, "spec", "replicas")
	has, _, _ := unstructured.NestedInt64(target.Object, "status", "replicas")
	in := ours.Input{
		Replicas: int32(replicas), StatusReplicas: int32(has), ScaledToZero: t.told[autoscalingv2.ScaledToZero].Status,
		Pods: t.ground.ready(t.pods), Readings: make([]ours.Reading, len(t.spec.Metrics)),
	}
	for i := range in.Readings {
		in.Readings[i] = t.reading(&t.spec.Metrics[i], in.StatusReplicas)
	}
	t.sync = &observed{input: in, was: hpa.Status}
	return nil
}

// reading makes up what is read of a metric.
func (t *trial) reading(m *ours.Metric, replicas int32) ours.Reading {
	if t.chance(10) {
		return ours.Reading{Err: errUnanswered}
	}
	if m.Target.Type == autoscalingv2.ValueMetricType {
		replicas = 1
	}
	values := make([]int64, t.between(1, 2))
	for i := range values {
		if !t.chance(15) {
			values[i] = t.usage(m.Target.Milli, replicas)
		}
	}
	return ours.Reading{Values: values}
}

// move has the target come up with as many as it is asked to have, or not yet. The
// controller has read it in this sync, and reads it again in the next.
func (t *trial) move(ctx context.Context) {
	has := t.sync.input.Replicas
	if has == t.sync.input.StatusReplicas && !t.chance(10) {
		return
	}
	if t.chance(20) {
		has = int32(t.between(0, 12))
	}
	if err := t.ground.setStatus(ctx, t.name, has); err != nil {
		t.end(err)
	}
}

func (t *trial) read(ctx context.Context) (*autoscalingv2.HorizontalPodAutoscaler, *unstructured.Unstructured, error) {
	hpa, target := &autoscalingv2.HorizontalPodAutoscaler{}, newTarget(t.name)
	key := client.ObjectKeyFromObject(target)
	if err := t.ground.client.Get(ctx, key, hpa); err != nil {
		return nil, nil, fmt.Errorf("reading HPA %s: %w", t.name, err)
	}
	if err := t.ground.client.Get(ctx, key, target); err != nil {
		return nil, nil, fmt.Errorf("reading target %s: %w", t.name, err)
	}
	return hpa, target, nil
}

func (t *trial) finished() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}

// end is the end of the trial, with what was wrong.
func (t *trial) end(fault error) {
	if !t.finished() {
		t.fault = fault
		close(t.done)
	}
}
