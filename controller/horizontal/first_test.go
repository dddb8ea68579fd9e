package horizontal

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// TestUpFrom: an HPA without a behavior goes by other rules than one with a behavior
// that says nothing.
func TestUpFrom(t *testing.T) {
	up := func(edit func(*autoscalingv2.HPAScalingRules)) *autoscalingv2.HorizontalPodAutoscalerBehavior {
		rules := &autoscalingv2.HPAScalingRules{}
		edit(rules)
		return &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: rules}
	}
	for _, tc := range []struct {
		reason   string
		behavior *autoscalingv2.HorizontalPodAutoscalerBehavior
		from     int32
		want     int32
	}{
		{"without a behavior four are always allowed", nil, 1, 4},
		{"and otherwise twice as many", nil, 10, 20},
		{"a count that cannot double stays", nil, math.MaxInt32, math.MaxInt32},
		{"the default policies are four more", &autoscalingv2.HorizontalPodAutoscalerBehavior{}, 1, 5},
		{"or twice as many", &autoscalingv2.HorizontalPodAutoscalerBehavior{}, 10, 20},
		{"a window holds", up(func(r *autoscalingv2.HPAScalingRules) { r.StabilizationWindowSeconds = new(int32(1)) }), 3, 3},
		{"and so does a direction that is forbidden", up(func(r *autoscalingv2.HPAScalingRules) { r.SelectPolicy = new(autoscalingv2.DisabledPolicySelect) }), 3, 3},
		{"the smallest change may be asked for", up(func(r *autoscalingv2.HPAScalingRules) { r.SelectPolicy = new(autoscalingv2.MinChangePolicySelect) }), 3, 6},
	} {
		if got := UpFrom(tc.from, tc.behavior); got != tc.want {
			t.Errorf("%s: from %d it may be %d, want %d", tc.reason, tc.from, got, tc.want)
		}
	}
}

// TestSpecOfFillsIn: what an HPA leaves out is what the API server and the
// controller make of it.
func TestSpecOfFillsIn(t *testing.T) {
	settings := DefaultSettings()
	settings.DownscaleStabilization = 90*time.Second + time.Millisecond
	got := SpecOf(&autoscalingv2.HorizontalPodAutoscalerSpec{MaxReplicas: 7, Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{}}, settings)
	want := &Spec{
		Min: 1, Max: 7, ToleranceUp: 0.1, ToleranceDown: 0.1, Settings: settings,
		Metrics: []Metric{{Type: autoscalingv2.ResourceMetricSourceType, Name: "cpu", Target: Target{Type: autoscalingv2.UtilizationMetricType, Percent: 80}}},
		Up: &Rules{Select: autoscalingv2.MaxChangePolicySelect, Policies: []Policy{
			{autoscalingv2.PodsScalingPolicy, 4, 15 * time.Second}, {autoscalingv2.PercentScalingPolicy, 100, 15 * time.Second},
		}},
		Down: &Rules{Window: 90 * time.Second, Select: autoscalingv2.MaxChangePolicySelect, Policies: []Policy{
			{autoscalingv2.PercentScalingPolicy, 100, 15 * time.Second},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the spec (-want +got):\n%s", diff)
	}
}

// TestNothingToGoBy: targets that are not set, metrics that are unknown and readings
// that are not there fail, rather than ask for nothing.
func TestNothingToGoBy(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	average := Target{Type: autoscalingv2.AverageValueMetricType, Milli: 1000}
	for _, tc := range []struct {
		reason string
		metric Metric
		want   string
	}{
		{"no target", Metric{Type: autoscalingv2.ExternalMetricSourceType, Name: "m"}, "it has no target"},
		{"no target of pods", Metric{Type: autoscalingv2.ResourceMetricSourceType, Name: "m"}, "it has no target"},
		{"an unknown type", Metric{Type: "Other", Name: "m", Target: average}, `a metric of type "Other" is unknown`},
		{"no reading", Metric{Type: autoscalingv2.PodsMetricSourceType, Name: "m", Target: average}, "it was not read"},
	} {
		spec := &Spec{Min: 1, Max: 9, Metrics: []Metric{tc.metric}, Settings: DefaultSettings()}
		d, _ := Decide(spec, &Input{Replicas: 4}, Memory{}, now)
		if d.Outcome != Failed || d.Desired != 4 || !strings.Contains(d.Why(), tc.want) {
			t.Errorf("%s: %s, %d replicas: %s", tc.reason, d.Outcome, d.Desired, d.Why())
		}
	}
	d, _ := Decide(&Spec{Min: 1, Max: 9}, &Input{Replicas: 4}, Memory{}, now)
	if d.Outcome != Failed || d.Desired != 4 {
		t.Errorf("no metrics: %s, %d replicas: %s", d.Outcome, d.Desired, d.Why())
	}
}
