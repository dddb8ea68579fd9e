package horizontal

import autoscalingv2 "k8s.io/api/autoscaling/v2"

const (
	ableToScale    = autoscalingv2.AbleToScale
	scalingActive  = autoscalingv2.ScalingActive
	scalingLimited = autoscalingv2.ScalingLimited
	scaledToZero   = autoscalingv2.ScaledToZero
)

// says writes a condition over the one of its type, as the controller does
// several times on its way.
func (r *round) says(kind autoscalingv2.HorizontalPodAutoscalerConditionType, status bool, reason string) {
	for i := range r.Conditions {
		if r.Conditions[i].Type == kind {
			r.Conditions[i].Status, r.Conditions[i].Reason = status, reason
			return
		}
	}
	if r.Conditions == nil {
		r.Conditions = make([]Condition, 0, 4) // there are no more types
	}
	r.Conditions = append(r.Conditions, Condition{Type: kind, Status: status, Reason: reason})
}

// Condition returns what is written for a type in this sync.
func (d *Decision) Condition(kind autoscalingv2.HorizontalPodAutoscalerConditionType) (Condition, bool) {
	for _, c := range d.Conditions {
		if c.Type == kind {
			return c, true
		}
	}
	return Condition{}, false
}
