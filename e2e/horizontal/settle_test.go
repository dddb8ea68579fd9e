package horizontal

import (
	"fmt"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	ours "github.com/freshet-io/freshet/controller/horizontal"
)

// instants is at how many times, between the bounds of when a sync was decided, we
// decide too.
const instants = 5

// settle holds what the controller wrote in a sync to our decision. Where the two
// bounds of its time make a difference, the controller's is to be ours at one of
// the times between them, and the step counts as one on the edge.
func (t *trial) settle(hpa *autoscalingv2.HorizontalPodAutoscaler, target *unstructured.Unstructured) error {
	s := t.sync
	replicas, _, _ := unstructured.NestedInt64(target.Object, "spec", "replicas")
	did := outcome(int32(replicas), &hpa.Status)
	var could []string
	for i := range instants {
		d, _ := ours.Decide(t.spec, &s.input, t.memories[i], between(s.early, s.late, i))
		could = append(could, t.outcome(&d))
	}
	matched := -1
	for i, one := range could {
		if one == did {
			matched = i
		}
	}
	if matched < 0 {
		d, _ := ours.Decide(t.spec, &s.input, t.memories[0], s.early)
		return fmt.Errorf("%s: the controller did\n%s\nand we, at the times from %s to %s,\n%s\nspec: %+v\nup: %+v\ndown: %+v\ninput: %+v\ndecision: %+v\nmemory: %+v",
			t.name, did, s.early, s.late, strings.Join(could, "\n"), t.spec, t.spec.Up, t.spec.Down, s.input, d, t.memories)
	}
	d, _ := ours.Decide(t.spec, &s.input, t.memories[matched], between(s.early, s.late, matched))
	t.remember(&d)
	if t.steps++; could[0] != could[instants-1] {
		t.edges++
	}
	return nil
}

// between is one of the instants from a to b.
func between(a, b time.Time, instant int) time.Time {
	return a.Add(b.Sub(a) * time.Duration(instant) / (instants - 1))
}

// remember keeps what the controller did in this sync. The first of the memories has
// it at the latest possible time, so that at the earliest time of the next sync the
// least has passed since, and the last of them at the earliest.
func (t *trial) remember(d *ours.Decision) {
	t.seen.add(d)
	for _, c := range d.Conditions {
		t.told[c.Type] = c
	}
	for i := range t.memories {
		m, at := &t.memories[i], between(t.sync.late, t.sync.early, i)
		if len(m.Recommendations) == 0 {
			m.Recommendations = append(m.Recommendations, ours.Recommendation{Replicas: d.Current, At: at})
		}
		if d.Outcome == ours.Computed { // those that no window looks back on do no harm
			m.Recommendations = append(m.Recommendations, ours.Recommendation{Replicas: d.Proposed, At: at})
		}
		if d.Rescaled {
			*m = m.Scaled(t.spec, d.Current, d.Desired, at)
		}
	}
}

// outcome is all that a sync left behind.
func outcome(replicas int32, status *autoscalingv2.HorizontalPodAutoscalerStatus) string {
	metrics := make([]string, len(status.CurrentMetrics))
	for i := range status.CurrentMetrics {
		metrics[i] = shown(&status.CurrentMetrics[i])
	}
	return fmt.Sprintf("%d -> %d (desired %d), %v, %v", status.CurrentReplicas, replicas, status.DesiredReplicas, metrics, conditionsOf(status))
}

// outcome is the same of ours.
func (t *trial) outcome(d *ours.Decision) string {
	metrics := make([]string, len(d.Metrics))
	for i := range d.Metrics {
		metrics[i] = shownBy(&d.Metrics[i])
	}
	told := map[autoscalingv2.HorizontalPodAutoscalerConditionType]ours.Condition{}
	for kind, c := range t.told {
		told[kind] = c
	}
	for _, c := range d.Conditions {
		told[c.Type] = c
	}
	current, desired := statusReplicas(d, &t.sync.was)
	return fmt.Sprintf("%d -> %d (desired %d), %v, %v", current, d.Desired, desired, metrics, toldOf(told))
}
