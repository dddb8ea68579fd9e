package activation

import (
	"fmt"
	"math"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// demand is the count that a workload leaves idle for, and one clause on why:
// what the HPA would make of the readings in its first sync after the workload
// came up with its minimum, so that nobody waits for that sync.
func demand(spec Spec, triggers []Trigger, replicas int32) (int32, string) {
	base := max(1, spec.Min)
	want, by := base, ""
	for _, t := range triggers {
		asked := int32(0)
		switch {
		case t.Err != nil && spec.Fallback.Holds(t.Failures):
			asked = spec.Fallback.Count(replicas)
		case t.Err == nil && t.Known:
			asked = asks(t, base)
		}
		if asked > want {
			want, by = asked, t.Metric
		}
	}
	limit := upLimit(base, spec.Behavior)
	switch {
	case by == "":
		return min(want, spec.Max), fmt.Sprintf("up to the minimum of %d", base)
	case want > spec.Max && spec.Max <= limit:
		return spec.Max, fmt.Sprintf("%s asks for %d, the maximum is %d", by, want, spec.Max)
	case want > limit:
		return limit, fmt.Sprintf("%s asks for %d, the scale-up rules allow %d at first", by, want, limit)
	default:
		return want, fmt.Sprintf("%s asks for %d", by, want)
	}
}

// Asks is the count that one trigger asks for when the workload leaves its idle
// replicas.
func Asks(t *Trigger, spec *Spec) int32 {
	if t.Err != nil || !t.Known {
		return 0
	}
	return asks(*t, max(1, spec.Min))
}

// asks is the count that one trigger asks for while there are base replicas.
func asks(t Trigger, base int32) int32 {
	if t.Target <= 0 || t.Value <= 0 {
		return 0
	}
	const milli = 1000 // the HPA compares thousandths
	n := math.Round(t.Value*milli) / math.Round(t.Target*milli)
	if t.Total {
		n *= float64(base)
	}
	return int32(min(math.Ceil(n), math.MaxInt32))
}

// upLimit is how far the HPA's scale-up rules let base grow at once. A
// stabilization window holds the HPA at base while it lasts.
func upLimit(base int32, behavior *autoscalingv2.HorizontalPodAutoscalerBehavior) int32 {
	rules := autoscalingv2.HPAScalingRules{}
	if behavior != nil && behavior.ScaleUp != nil {
		rules = *behavior.ScaleUp
	}
	if rules.StabilizationWindowSeconds != nil && *rules.StabilizationWindowSeconds > 0 {
		return base
	}
	selection := autoscalingv2.MaxChangePolicySelect
	if rules.SelectPolicy != nil {
		selection = *rules.SelectPolicy
	}
	if selection == autoscalingv2.DisabledPolicySelect {
		return base
	}
	policies := rules.Policies
	if len(policies) == 0 { // what Kubernetes fills in
		policies = []autoscalingv2.HPAScalingPolicy{
			{Type: autoscalingv2.PodsScalingPolicy, Value: 4},
			{Type: autoscalingv2.PercentScalingPolicy, Value: 100},
		}
	}
	limit := reach(base, policies[0])
	for _, p := range policies[1:] {
		if selection == autoscalingv2.MinChangePolicySelect {
			limit = min(limit, reach(base, p))
		} else {
			limit = max(limit, reach(base, p))
		}
	}
	return limit
}

// reach is how far one policy lets base grow in its period.
func reach(base int32, p autoscalingv2.HPAScalingPolicy) int32 {
	grown := float64(base) + float64(p.Value)
	if p.Type == autoscalingv2.PercentScalingPolicy {
		grown = math.Ceil(float64(base) * (1 + float64(p.Value)/100))
	}
	return int32(min(grown, math.MaxInt32))
}
