package why

import (
	"fmt"
	"math"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/freshet-io/freshet/controller/horizontal"
)

// changes says what would change the HPA's answer: other settings, by running the
// algorithm with them, and other readings.
func (x *explainer) changes(d *horizontal.Decision, winner *horizontal.MetricStep) {
	if x.f.Cursory {
		return
	}
	x.otherTolerance(d, winner)
	v := x.verdict()
	if d.Limit.Bound == horizontal.ByMax {
		if n := x.with(func(s *horizontal.Spec) { s.Max = math.MaxInt32 }); n > d.Desired {
			v.Change = append(v.Change, fmt.Sprintf("With a higher maxReplicaCount it would go to %d at the next look, and to %d in the end.", n, d.Limit.From))
		}
	}
	if d.Limit.Bound == horizontal.ByMin {
		if n := x.with(func(s *horizontal.Spec) { s.Min = 1 }); n < d.Desired {
			v.Change = append(v.Change, fmt.Sprintf("With minReplicaCount 1 it would be %d.", n))
		}
	}
	if d.Stabilization.Held != "" {
		if n := x.with(withoutWindows); n != d.Desired {
			v.Change = append(v.Change, fmt.Sprintf("Without the stabilization window it would be %d now.", n))
		}
	}
	x.otherReadings(d, winner)
}

// with is what the HPA would ask for under other settings.
func (x *explainer) with(edit func(*horizontal.Spec)) int32 {
	spec := *x.expected.spec
	edit(&spec)
	other, _ := horizontal.Decide(&spec, inputOf(x.f, *x.f.Target.Replicas), remembered(x.f, &spec), x.f.Now)
	return other.Desired
}

func withoutWindows(s *horizontal.Spec) {
	s.Settings.DownscaleStabilization = 0
	if s.Up != nil {
		up, down := *s.Up, *s.Down
		up.Window, down.Window = 0, 0
		s.Up, s.Down = &up, &down
	}
}

// otherTolerance says what a smaller tolerance would do.
func (x *explainer) otherTolerance(d *horizontal.Decision, winner *horizontal.MetricStep) {
	if !winner.Tolerated || winner.Untolerated == d.Current {
		return
	}
	off := math.Abs(winner.Ratio - 1)
	field := "behavior.scaleUp.tolerance"
	if winner.Ratio < 1 {
		field = "behavior.scaleDown.tolerance"
	}
	for _, tolerance := range []float64{0.05, 0.02, 0.01, 0} {
		if off <= tolerance {
			continue
		}
		n := x.with(func(s *horizontal.Spec) { s.ToleranceUp, s.ToleranceDown = tolerance, tolerance })
		if n != d.Desired {
			x.verdict().Change = append(x.verdict().Change, fmt.Sprintf("At a tolerance of %s (%s) it would be %d.", percent(tolerance), field, n))
		}
		return
	}
}

// otherReadings says beyond which readings of the winner there are more, or fewer.
func (x *explainer) otherReadings(d *horizontal.Decision, winner *horizontal.MetricStep) {
	t, spec, v := winner.Metric.Target, x.expected.spec, x.verdict()
	if t.Type != autoscalingv2.AverageValueMetricType || winner.Pods != nil || d.Proposed != d.Current {
		return
	}
	each, n := float64(t.Milli)/milli, float64(d.Current)
	if d.Current < spec.Max {
		v.Change = append(v.Change, fmt.Sprintf("Above %s, %s asks for more.", number(each*n*(1+spec.ToleranceUp)), winner.Metric.Name))
	}
	if d.Current > spec.Min && d.Current > 1 {
		fewer := min(each*n*(1-spec.ToleranceDown), each*(n-1))
		said := fmt.Sprintf("Below %s, it asks for fewer", number(fewer))
		if w := downWindow(spec); w > 0 {
			said += fmt.Sprintf(", and gets that %s later", span(w))
		}
		v.Change = append(v.Change, said+".")
	}
}

// downWindow is the stabilization window for scaling down.
func downWindow(spec *horizontal.Spec) time.Duration {
	if spec.Down == nil {
		return spec.Settings.DownscaleStabilization
	}
	return spec.Down.Window
}
