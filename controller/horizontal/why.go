package horizontal

import (
	"fmt"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// Why is the decision in one sentence. Times are told from the decision on.
func (d *Decision) Why() string {
	switch d.Outcome {
	case NoTarget:
		return fmt.Sprintf("the target cannot be read: %v", d.Err)
	case Disabled:
		return "the target has no replicas, and it was not this HPA that took it there"
	case AboveMax:
		return fmt.Sprintf("%d replicas are above the maximum of %d", d.Current, d.Desired)
	case BelowMin:
		return fmt.Sprintf("%d replicas are below the minimum of %d", d.Current, d.Desired)
	case Failed:
		return fmt.Sprintf("%v, so the count stays%s", d.Err, d.overruled())
	}
	clauses := []string{d.Metrics[d.Winner].why()}
	if s := &d.Stabilization; s.Held != "" {
		clauses = append(clauses, s.why(d.At))
	}
	if l := &d.Limit; l.Bound != "" || l.Raised {
		clauses = append(clauses, l.why(d))
	}
	if d.Err != nil && !d.Rescaled && d.Desired != d.Current {
		clauses = append(clauses, fmt.Sprintf("the count cannot be written: %v", d.Err))
	} else if d.Err != nil {
		clauses = append(clauses, d.Err.Error())
	}
	return strings.Join(clauses, "; ")
}

// overruled are the metrics that would have asked for less.
func (d *Decision) overruled() string {
	var asked []string
	for i := range d.Metrics {
		if m := &d.Metrics[i]; m.Verdict == Overruled {
			asked = append(asked, fmt.Sprintf("%s asks for %d", m.Metric.Name, m.Desired))
		}
	}
	if asked == nil {
		return ""
	}
	return ", though " + strings.Join(asked, " and ")
}

// why is what the metric asks for.
func (m *MetricStep) why() string {
	asks := fmt.Sprintf("%s asks for %d", m.Metric.Name, m.Desired)
	switch {
	case m.Tolerated && m.Untolerated != m.Desired:
		asks += fmt.Sprintf(", for %s of its target is within the tolerance, without which it would be %d", percent(m.Ratio), m.Untolerated)
	case m.Pods != nil && m.Pods.Turned:
		asks += ", for pods without a value would turn the direction"
	}
	return asks
}

func percent(ratio float64) string { return fmt.Sprintf("%.4g %%", ratio*100) }

// why is what a window holds back.
func (s *Stabilization) why(now time.Time) string {
	side := "highest"
	if s.Held == Up {
		side = "lowest"
	}
	return fmt.Sprintf("held at %d by the window of %s, whose %s is %d for another %s", s.To, s.Window, side, s.By.Replicas, s.Until.Sub(now).Truncate(time.Millisecond))
}

// why is what cut the count.
func (l *Limit) why(d *Decision) string {
	switch {
	case l.Raised:
		return fmt.Sprintf("the minimum is %d", d.Desired)
	case l.Bound == ByMax:
		return fmt.Sprintf("the maximum is %d", l.To)
	case l.Bound == ByMin:
		return fmt.Sprintf("the minimum is %d", l.To)
	case l.Disabled:
		return fmt.Sprintf("the behavior forbids to scale %s", strings.ToLower(string(l.Direction)))
	case l.Decisive < 0:
		return fmt.Sprintf("at most %d in one step without a behavior", l.To)
	}
	text := fmt.Sprintf("%s allows %d", l.Policies[l.Decisive].Policy, l.To)
	if !l.Frees.IsZero() {
		text += fmt.Sprintf(" for another %s", l.Frees.Sub(d.At).Truncate(time.Millisecond))
	}
	return text
}

// String is a policy as a person would say it.
func (p Policy) String() string {
	unit := " pods"
	switch {
	case p.Type == autoscalingv2.PercentScalingPolicy:
		unit = " %"
	case p.Value == 1:
		unit = " pod"
	}
	return fmt.Sprintf("the policy of %d%s in %s", p.Value, unit, p.Period)
}
