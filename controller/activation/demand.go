package activation

import (
	"fmt"
	"math"

	"github.com/freshet-io/freshet/controller/horizontal"
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
	limit := horizontal.UpFrom(base, spec.Behavior)
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
