package horizontal

import (
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// TestScaled: a change that was seen and not decided here counts for the policies
// of its direction, and the memory it is added to stays as it was.
func TestScaled(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	hpa := &autoscalingv2.HorizontalPodAutoscalerSpec{MaxReplicas: 100, Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{}}
	hpa.Metrics = []autoscalingv2.MetricSpec{{Type: autoscalingv2.ExternalMetricSourceType}}
	spec := SpecOf(hpa, DefaultSettings())
	spec.Metrics[0].Target = Target{Type: autoscalingv2.AverageValueMetricType, Milli: 1000}
	in := &Input{Replicas: 5, StatusReplicas: 5, Readings: []Reading{{Values: []int64{50_000}}}}

	none := Memory{}
	scaled := none.Scaled(spec, 1, 5, now)
	if len(none.Ups) != 0 || len(scaled.Ups) != 1 || len(scaled.Downs) != 0 {
		t.Errorf("the memory became %+v from %+v", scaled, none)
	}
	d, _ := Decide(spec, in, scaled, now.Add(14*time.Second))
	if c, _ := d.Condition(scalingLimited); d.Desired != 5 || c.Reason != "ScaleUpLimit" || !d.Limit.Frees.Equal(now.Add(15*time.Second)) {
		t.Errorf("14 s after four came: %d replicas, %+v, %+v", d.Desired, d.Limit, c)
	}
	if d, _ := Decide(spec, in, scaled, now.Add(15*time.Second)); d.Desired != 10 {
		t.Errorf("15 s after four came: %d replicas, want 10", d.Desired)
	}
	if _, found := d.Condition("Other"); found {
		t.Error("there is a condition that nobody wrote")
	}
	hpa.Behavior = nil
	if m := none.Scaled(SpecOf(hpa, DefaultSettings()), 5, 1, now); len(m.Ups)+len(m.Downs) != 0 {
		t.Errorf("without a behavior a change is kept: %+v", m)
	}
}

// TestMemoryStaysSmall: what no window looks back on makes room.
func TestMemoryStaysSmall(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	target := Target{Type: autoscalingv2.AverageValueMetricType, Milli: 1000}
	spec := &Spec{
		Min: 1, Max: 1000, Metrics: []Metric{{Type: autoscalingv2.ExternalMetricSourceType, Target: target}},
		Up: DefaultUp(), Down: DefaultDown(Settings{DownscaleStabilization: time.Minute}),
	}
	var memory Memory
	var d Decision
	in := &Input{Replicas: 1}
	for i := range 10_000 {
		in.StatusReplicas = in.Replicas
		in.Readings = []Reading{{Values: []int64{int64(i%40) * 20_000}}}
		d, memory = Decide(spec, in, memory, now.Add(time.Duration(i)*15*time.Second))
		in.Replicas = d.Desired
	}
	if len(memory.Recommendations) > 6 || len(memory.Ups) > 2 || len(memory.Downs) > 2 {
		t.Errorf("after 10,000 syncs there are %d recommendations, %d and %d changes", len(memory.Recommendations), len(memory.Ups), len(memory.Downs))
	}
}
