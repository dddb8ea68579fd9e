package horizontal

import (
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
)

// BenchmarkDecide is a sync of an HPA with a behavior and three metrics, after a
// while in which it was decided every 15 seconds.
func BenchmarkDecide(b *testing.B) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	hpa := &autoscalingv2.HorizontalPodAutoscalerSpec{MaxReplicas: 100, Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{}}
	for _, name := range []string{"s0-queue", "s1-topic", "s2-stream"} {
		target := autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: resource.NewQuantity(5, resource.DecimalSI)}
		hpa.Metrics = append(hpa.Metrics, autoscalingv2.MetricSpec{
			Type:     autoscalingv2.ExternalMetricSourceType,
			External: &autoscalingv2.ExternalMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: name}, Target: target},
		})
	}
	spec := SpecOf(hpa, DefaultSettings())
	reading := func(values ...int64) Reading { return Reading{Values: values, At: now} }
	for _, tc := range []struct {
		name  string
		in    Input
		steps int
		want  Outcome
	}{
		{"first", Input{Replicas: 3, StatusReplicas: 3, Readings: []Reading{reading(40_000), reading(1000), reading(9000)}}, 0, Computed},
		{"up", Input{Replicas: 3, StatusReplicas: 3, Readings: []Reading{reading(40_000), reading(1000), reading(9000)}}, 20, Computed},
		{"held", Input{Replicas: 8, StatusReplicas: 8, Readings: []Reading{reading(4000), reading(1000), reading(9000)}}, 20, Computed},
		{"failing", Input{Replicas: 8, StatusReplicas: 8, Readings: []Reading{reading(4000), {Err: errNoReading}, reading(9000)}}, 20, Failed},
	} {
		b.Run(tc.name, func(b *testing.B) {
			var memory Memory
			for i := range tc.steps {
				steady := tc.in
				steady.Readings = []Reading{reading(tc.in.Readings[0].Values[0]), reading(0), reading(0)}
				_, memory = Decide(spec, &steady, memory, now.Add(time.Duration(i-tc.steps)*15*time.Second))
			}
			b.ReportAllocs()
			for b.Loop() {
				if d, _ := Decide(spec, &tc.in, memory, now); d.Outcome != tc.want {
					b.Fatal(d)
				}
			}
		})
	}
}
