package why_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/controller/why"
)

// random makes situations of all kinds, also such as cannot be.
type random struct{ *rand.Rand }

func (r random) one(share float64) bool { return r.Float64() < share }

func (r random) number() float64 {
	return []float64{0, 1, 5, 41, 1e6, 0.3, -2, math.NaN(), math.Inf(1), 1e300}[r.IntN(10)]
}

func (r random) rules() *autoscalingv2.HPAScalingRules {
	if r.one(0.5) {
		return nil
	}
	rules := &autoscalingv2.HPAScalingRules{}
	if r.one(0.5) {
		rules.StabilizationWindowSeconds = new(int32(r.IntN(400)))
	}
	if r.one(0.5) {
		rules.SelectPolicy = new([]autoscalingv2.ScalingPolicySelect{"Max", "Min", "Disabled"}[r.IntN(3)])
	}
	for range r.IntN(3) {
		rules.Policies = append(rules.Policies, autoscalingv2.HPAScalingPolicy{
			Type: []autoscalingv2.HPAScalingPolicyType{"Pods", "Percent"}[r.IntN(2)], Value: int32(1 + r.IntN(50)), PeriodSeconds: int32(1 + r.IntN(300)),
		})
	}
	return rules
}

func (r random) triggers() (all []trigger) {
	for i := range r.IntN(4) {
		t := trigger{Target: math.Abs(r.number()), Kind: []autoscalingv2.MetricTargetType{"AverageValue", "Value", "Utilization", ""}[r.IntN(4)]}
		t.Index, t.Type, t.Metric, t.Value, t.Active = i, "redis", fmt.Sprintf("s%d-redis", i), r.number(), r.one(0.5)
		if t.Kind == autoscalingv2.UtilizationMetricType {
			t.Resource, t.Metric = true, "cpu"
		}
		if r.one(0.8) {
			t.Ago.Duration = time.Duration(r.IntN(1000)) * time.Second
		}
		if r.one(0.3) {
			t.Err, t.Failures = "no answer", int32(r.IntN(10))
		}
		if r.one(0.2) {
			t.StandIn = new(r.number())
		}
		if r.one(0.1) {
			t.Index = -1
		}
		all = append(all, t)
	}
	return all
}

func (r random) situation() *situation {
	s := &situation{Triggers: r.triggers(), NoHPA: r.one(0.1), HPA: &autoscalingv2.HorizontalPodAutoscaler{}}
	so := &kedav1alpha1.ScaledObject{}
	so.Spec.MinReplicaCount, so.Spec.MaxReplicaCount = new(int32(r.IntN(5))), new(int32(r.IntN(30)))
	so.Annotations = map[string]string{}
	for _, a := range []string{kedav1alpha1.AnnotationPaused, kedav1alpha1.AnnotationPausedReplicas, kedav1alpha1.AnnotationPausedScaleIn, kedav1alpha1.AnnotationPausedScaleOut, kedav1alpha1.AnnotationForceActivation} {
		if r.one(0.05) {
			so.Annotations[a] = "true"
		}
	}
	if r.one(0.2) {
		so.Spec.IdleReplicaCount = new(int32(r.IntN(3)))
	}
	if r.one(0.3) {
		so.Spec.Fallback = &kedav1alpha1.Fallback{FailureThreshold: 3, Replicas: 6}
	}
	if r.one(0.2) {
		so.Spec.Advanced = &kedav1alpha1.AdvancedConfig{ScalingModifiers: &kedav1alpha1.ScalingModifiers{Formula: "a", Target: "5"}}
	}
	for range r.IntN(4) {
		so.Spec.Triggers = append(so.Spec.Triggers, kedav1alpha1.ScaleTriggers{Type: []string{"redis", "prometheus", "cpu", "cron"}[r.IntN(4)], Metadata: map[string]string{"query": "avg(rate(x))"}})
	}
	s.Object = so
	s.HPA.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: r.rules(), ScaleDown: r.rules()}
	for _, c := range []autoscalingv2.HorizontalPodAutoscalerConditionType{autoscalingv2.ScalingActive, autoscalingv2.AbleToScale} {
		s.HPA.Status.Conditions = append(s.HPA.Status.Conditions, autoscalingv2.HorizontalPodAutoscalerCondition{
			Type: c, Status: []corev1.ConditionStatus{"True", "False"}[r.IntN(2)], Reason: []string{"ScaleDownStabilized", "Failed"}[r.IntN(2)],
		})
	}
	if r.one(0.9) {
		s.Facts.Target.Replicas = new(int32(r.IntN(35)))
	}
	if r.one(0.3) {
		s.Facts.Target.Writer = &whyv1alpha1.Writer{Manager: "kubectl", Who: whyv1alpha1.MakerOther}
	}
	for i := range r.IntN(4) {
		s.Asked = append(s.Asked, struct {
			Replicas int32           `json:"replicas"`
			Ago      metav1.Duration `json:"ago"`
		}{int32(r.IntN(30)), metav1.Duration{Duration: time.Duration(400-100*i) * time.Second}})
		s.Facts.Decisions = append(s.Facts.Decisions, whyv1alpha1.Decision{At: metav1.NewTime(now.Add(-time.Duration(i) * time.Minute)), By: "HPA", From: int32(r.IntN(9)), To: int32(r.IntN(9))})
	}
	s.WatchedAgo.Duration, s.ActiveAgo.Duration = time.Hour, time.Duration(r.IntN(900))*time.Second
	s.Facts.Cursory = r.one(0.2)
	return s
}

// TestEverySituationIsExplained: whatever comes together, there is an answer that
// says what is so, that JSON can hold, and whose lines fit a screen.
func TestEverySituationIsExplained(t *testing.T) {
	r := random{rand.New(rand.NewPCG(7, 11))}
	states := map[whyv1alpha1.State]int{}
	for i := range 4000 {
		f := r.situation().facts()
		e := why.Explain(f)
		states[e.Object.State]++
		if _, err := json.Marshal(e); err != nil {
			t.Fatalf("situation %d: %v", i, err)
		}
		if e.Object.State == "" || e.Verdict.Now == "" || strings.Contains(why.Screen(e, 0), "%!") {
			t.Fatalf("situation %d is explained by\n%s", i, why.Screen(e, 0))
		}
		if e.HPA != nil && e.HPA.Expected != nil {
			if n := *e.HPA.Expected; n > max(e.HPA.Max, e.HPA.Min, f.HPA.Status.CurrentReplicas) {
				t.Fatalf("situation %d: %d replicas are expected, above the maximum of %d", i, n, e.HPA.Max)
			}
		}
		if f.HPA != nil {
			_, _ = why.Proposed(f)
			_, _ = why.Observed(f)
		}
	}
	if len(states) < 9 {
		t.Errorf("only these states came up: %v", states)
	}
}

func BenchmarkExplain(b *testing.B) {
	r := random{rand.New(rand.NewPCG(7, 11))}
	var all []*why.Facts
	for range 100 {
		f := r.situation().facts()
		f.Cursory = true
		all = append(all, f)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		why.Explain(all[i%len(all)])
	}
}
