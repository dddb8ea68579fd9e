package horizontal

import (
	"errors"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

var errNoRequests = errors.New("the pods with values request none of the resource")

// gauge compares the usage of pods with a target: with that of one pod, or with
// a share of what the pods request.
type gauge struct {
	spec    *Metric
	reading *Reading
	pods    []Pod
	// used, requested and count are sums over the pods that count.
	used, requested int64
	count           int
}

// gauge adds up the values that count. Of an AverageValue also those of pods that
// are not there any more do, as the controller has it.
func (r *round) gauge(step *MetricStep, reading *Reading, pods *sorted) *gauge {
	g := &gauge{spec: &step.Metric, reading: reading, pods: r.in.Pods}
	if !g.utilization() {
		for _, v := range reading.Pods {
			g.used += v.Milli
			g.count++
		}
		for i, left := range pods.left {
			if v, found := reading.Pods[g.pods[i].Name]; found && left {
				g.used -= v.Milli
				g.count--
			}
		}
		return g
	}
	if reading.RequestsErr != nil {
		step.Err = reading.RequestsErr
		return g
	}
	for i, left := range pods.left {
		if v, found := reading.Pods[g.pods[i].Name]; found && !left {
			g.add(g.pods[i].Name, v.Milli)
		}
	}
	if g.requested == 0 {
		step.Err = errNoRequests
	}
	return g
}

func (g *gauge) utilization() bool {
	return g.spec.Target.Type == autoscalingv2.UtilizationMetricType
}

// add counts a pod whose request is known.
func (g *gauge) add(pod string, used int64) {
	if request, found := g.reading.Requests[pod]; found {
		g.used += used
		g.requested += request
		g.count++
	}
}

// put counts pods without a value: as using nothing, or what the target is, which
// of a Utilization is their request at least.
func (g *gauge) put(pods []int, full bool) {
	for _, i := range pods {
		name, used := g.pods[i].Name, int64(0)
		if !g.utilization() {
			if full {
				used = g.spec.Target.Milli
			}
			g.used += used
			g.count++
			continue
		}
		if full {
			used = g.reading.Requests[name] * int64(max(100, g.spec.Target.Percent)) / 100
		}
		g.add(name, used)
	}
}

// usage is the average of a pod, and the percentage of the requests.
func (g *gauge) usage() (average int64, percent int32) {
	if g.count > 0 {
		average = g.used / int64(g.count)
	}
	if g.requested != 0 {
		percent = int32(g.used * 100 / g.requested)
	}
	return average, percent
}

// ratio compares whole percents, or whole thousandths on average.
func (g *gauge) ratio() float64 {
	average, percent := g.usage()
	if g.utilization() {
		return float64(percent) / float64(g.spec.Target.Percent)
	}
	return float64(average) / float64(g.spec.Target.Milli)
}
