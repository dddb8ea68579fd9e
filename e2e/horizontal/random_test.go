// Package horizontal holds the proof that controller/horizontal decides as
// Kubernetes' HPA controller does: the controller's own code in this process, on
// random syncs of all kinds of metrics and on a clock of the test's, and the real
// kube-controller-manager on random external metrics.
package horizontal

import (
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
)

// dice make random things.
type dice struct{ *rand.Rand }

// seedVariable repeats a run: it has the seed that the run printed.
const seedVariable = "FRESHET_SEED"

// newSeed is another one in every run, and printed.
func newSeed(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv(seedVariable); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("%s is not a number: %v", seedVariable, err)
		}
	}
	t.Logf("%s=%d repeats this run", seedVariable, seed)
	return seed
}

// diceOf are those of one life in a run.
func diceOf(seed, life uint64) dice { return dice{rand.New(rand.NewPCG(seed, life))} }

func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

// between is from low to high, both included.
func (d dice) between(low, high int) int { return low + d.IntN(high-low+1) }

func oneOf[T any](d dice, all ...T) T { return all[d.IntN(len(all))] }

// spec is that of a random HPA, as a user writes it. Kinds are what its metrics
// may be.
func (d dice) spec(kinds ...autoscalingv2.MetricSourceType) autoscalingv2.HorizontalPodAutoscalerSpec {
	least := oneOf(d, 0, 0, 1, 1, 2, 5)
	spec := autoscalingv2.HorizontalPodAutoscalerSpec{
		MinReplicas: ptr.To(int32(least)), MaxReplicas: int32(max(1, least+oneOf(d, 0, 1, 4, 10, 30, 200, 1000))),
		Behavior: d.behavior(),
	}
	for range d.between(1, 3) {
		spec.Metrics = append(spec.Metrics, d.metric(oneOf(d, kinds...)))
	}
	if least == 0 && !external(spec.Metrics) {
		spec.MinReplicas = nil
	}
	return spec
}

// external tells whether a metric can be read without pods.
func external(metrics []autoscalingv2.MetricSpec) bool {
	for _, m := range metrics {
		if m.Type == autoscalingv2.ExternalMetricSourceType || m.Type == autoscalingv2.ObjectMetricSourceType {
			return true
		}
	}
	return false
}

func (d dice) metric(kind autoscalingv2.MetricSourceType) autoscalingv2.MetricSpec {
	m := autoscalingv2.MetricSpec{Type: kind}
	named := autoscalingv2.MetricIdentifier{Name: "m"}
	switch kind {
	case autoscalingv2.ExternalMetricSourceType:
		m.External = &autoscalingv2.ExternalMetricSource{Metric: named, Target: d.target(autoscalingv2.AverageValueMetricType, autoscalingv2.ValueMetricType)}
	case autoscalingv2.ObjectMetricSourceType:
		m.Object = &autoscalingv2.ObjectMetricSource{
			DescribedObject: autoscalingv2.CrossVersionObjectReference{Kind: "Service", Name: "s", APIVersion: "v1"},
			Metric:          named, Target: d.target(autoscalingv2.AverageValueMetricType, autoscalingv2.ValueMetricType),
		}
	case autoscalingv2.PodsMetricSourceType:
		m.Pods = &autoscalingv2.PodsMetricSource{Metric: named, Target: d.target(autoscalingv2.AverageValueMetricType)}
	case autoscalingv2.ResourceMetricSourceType:
		m.Resource = &autoscalingv2.ResourceMetricSource{
			Name: oneOf(d, corev1.ResourceCPU, corev1.ResourceMemory), Target: d.target(autoscalingv2.AverageValueMetricType, autoscalingv2.UtilizationMetricType),
		}
	case autoscalingv2.ContainerResourceMetricSourceType:
		m.ContainerResource = &autoscalingv2.ContainerResourceMetricSource{
			Name: oneOf(d, corev1.ResourceCPU, corev1.ResourceMemory), Container: oneOf(d, "worker", "sidecar"),
			Target: d.target(autoscalingv2.AverageValueMetricType, autoscalingv2.UtilizationMetricType),
		}
	}
	return m
}

func (d dice) target(kinds ...autoscalingv2.MetricTargetType) autoscalingv2.MetricTarget {
	target := autoscalingv2.MetricTarget{Type: oneOf(d, kinds...)}
	quantity := resource.NewMilliQuantity(oneOf(d, int64(1), 100, 333, 500, 1000, 5000, 10_000, 123_456), resource.DecimalSI)
	switch target.Type {
	case autoscalingv2.ValueMetricType:
		target.Value = quantity
	case autoscalingv2.AverageValueMetricType:
		target.AverageValue = quantity
	default:
		target.AverageUtilization = ptr.To(int32(oneOf(d, 1, 50, 70, 80, 100, 150)))
	}
	return target
}

// behavior is none, or any part of one.
func (d dice) behavior() *autoscalingv2.HorizontalPodAutoscalerBehavior {
	if d.chance(30) {
		return nil
	}
	b := &autoscalingv2.HorizontalPodAutoscalerBehavior{}
	if d.chance(70) {
		b.ScaleUp = d.rules()
	}
	if d.chance(70) {
		b.ScaleDown = d.rules()
	}
	return b
}

func (d dice) rules() *autoscalingv2.HPAScalingRules {
	r := &autoscalingv2.HPAScalingRules{}
	if d.chance(60) {
		r.StabilizationWindowSeconds = ptr.To(int32(oneOf(d, 0, 0, 2, 3, 6, 15, 30, 60, 300)))
	}
	if d.chance(60) {
		r.SelectPolicy = ptr.To(oneOf(d, autoscalingv2.MaxChangePolicySelect, autoscalingv2.MinChangePolicySelect,
			autoscalingv2.MaxChangePolicySelect, autoscalingv2.MinChangePolicySelect, autoscalingv2.DisabledPolicySelect))
	}
	for range d.between(0, 3) {
		r.Policies = append(r.Policies, autoscalingv2.HPAScalingPolicy{
			Type:          oneOf(d, autoscalingv2.PodsScalingPolicy, autoscalingv2.PercentScalingPolicy),
			Value:         int32(oneOf(d, 1, 2, 3, 5, 10, 33, 50, 100, 200)),
			PeriodSeconds: int32(oneOf(d, 1, 2, 3, 6, 15, 30, 60, 300, 1800)),
		})
	}
	if d.chance(40) {
		r.Tolerance = ptr.To(oneOf(d, resource.MustParse("0"), resource.MustParse("0.01"), resource.MustParse("0.1"), resource.MustParse("0.5"), resource.MustParse("2")))
	}
	return r
}

// usage is a value near what so many replicas bear, or far from it.
func (d dice) usage(target int64, replicas int32) int64 {
	at := float64(target) * float64(max(1, replicas))
	switch d.IntN(20) {
	case 0, 1:
		return 0
	case 2:
		if d.chance(60) {
			return 1
		}
		return oneOf(d, -1, -target, int64(math.MaxInt64), math.MaxInt64/3, math.MaxInt64/2+1)
	case 3:
		if d.chance(50) {
			return int64(at)
		}
		return int64(min(at*math.Pow(10, float64(d.between(1, 12))), math.MaxInt64/4))
	case 4, 5, 6, 7:
		return int64(math.Round(at * oneOf(d, 0.9, 1, 1.1, 0.99, 1.01, 0.5, 1.5, 2)))
	case 8, 9, 10:
		return int64(math.Round(at*oneOf(d, 0.9, 1, 1.1))) + int64(d.between(-1, 1))
	default:
		return int64(at * 2.5 * d.Float64())
	}
}
