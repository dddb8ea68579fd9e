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
		memory, now := t.at(float64(i) / (instants - 1))
		d, _ := ours.Decide(t.spec, &s.input, memory, now)
		could = append(could, t.outcome(&d))
	}
	matched := -1
	for i, one := range could {
		if one == did {
			matched = i
		}
	}
	if matched < 0 {
		d, _ := ours.Decide(t.spec, &s.input, t.early, s.early)
		return fmt.Errorf("%s: the controller did\n%s\nand we, at the times from %s to %s,\n%s\nspec: %+v\nup: %+v\ndown: %+v\ninput: %+v\ndecision: %+v\nmemory: %+v\nto %+v",
			t.name, did, s.early, s.late, strings.Join(could, "\n"), t.spec, t.spec.Up, t.spec.Down, s.input, d, t.early, t.late)
	}
	memory, now := t.at(float64(matched) / (instants - 1))
	d, _ := ours.Decide(t.spec, &s.input, memory, now)
	t.remember(&d)
	if t.steps++; could[0] != could[instants-1] {
		t.edges++
	}
	return nil
}

// at is the memory, and the time of the sync, for a share of what is not known of
// its times: at 0 the least time has passed since all that is remembered, at 1 the most.
func (t *trial) at(share float64) (ours.Memory, time.Time) {
	between := func(a, b time.Time) time.Time { return a.Add(time.Duration(share * float64(b.Sub(a)))) }
	m := ours.Memory{}
	for i := range t.late.Recommendations {
		late, early := t.late.Recommendations[i], t.early.Recommendations[i]
		m.Recommendations = append(m.Recommendations, ours.Recommendation{Replicas: late.Replicas, At: between(late.At, early.At)})
	}
	events := func(late, early []ours.Event) (all []ours.Event) {
		for i := range late {
			all = append(all, ours.Event{Change: late[i].Change, At: between(late[i].At, early[i].At), Outdated: late[i].Outdated})
		}
		return all
	}
	m.Ups, m.Downs = events(t.late.Ups, t.early.Ups), events(t.late.Downs, t.early.Downs)
	return m, between(t.sync.early, t.sync.late)
}

// remember keeps what the controller does of this sync, with both bounds of its time.
// Nothing is forgotten, which changes no answer.
func (t *trial) remember(d *ours.Decision) {
	t.seen.add(d)
	for _, c := range d.Conditions {
		t.told[c.Type] = c
	}
	for m, at := range map[*ours.Memory]time.Time{&t.early: t.sync.early, &t.late: t.sync.late} {
		if len(m.Recommendations) == 0 {
			m.Recommendations = append(m.Recommendations, ours.Recommendation{Replicas: d.Current, At: at})
		}
		if d.Outcome == ours.Computed {
			m.Recommendations = append(m.Recommendations, ours.Recommendation{Replicas: d.Proposed, At: at})
		}
		switch {
		case t.spec.Up == nil || !d.Rescaled:
		case d.Desired > d.Current:
			m.Ups = append(m.Ups, ours.Event{Change: d.Desired - d.Current, At: at})
		default:
			m.Downs = append(m.Downs, ours.Event{Change: d.Current - d.Desired, At: at})
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
