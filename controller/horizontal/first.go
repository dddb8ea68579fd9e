package horizontal

import autoscalingv2 "k8s.io/api/autoscaling/v2"

// UpFrom is how far an HPA with that behavior takes a target up in the first sync
// that asks for more: nothing was counted before, and a window for scaling up has
// the count it began with.
func UpFrom(replicas int32, behavior *autoscalingv2.HorizontalPodAutoscalerBehavior) int32 {
	r := round{
		spec:     SpecOf(&autoscalingv2.HorizontalPodAutoscalerSpec{Behavior: behavior}, DefaultSettings()),
		Decision: Decision{Current: replicas, Limit: Limit{Decisive: -1}},
	}
	switch {
	case r.spec.Up == nil:
		return max(r.firstLimit(), replicas)
	case r.spec.Up.Window > 0:
		return replicas
	default:
		return max(r.allow(Up), replicas)
	}
}
