package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// TestReadiness: a set is complete when each of its objects is Ready and has an
// HPA, whatever others there are.
func TestReadiness(t *testing.T) {
	object := func(name, status string) *kedav1alpha1.ScaledObject {
		so := &kedav1alpha1.ScaledObject{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if status != "" {
			so.Status.Conditions = kedav1alpha1.Conditions{{Type: "Ready", Status: metav1.ConditionStatus(status)}}
		}
		return so
	}
	hpa := func(target string) *autoscalingv2.HorizontalPodAutoscaler {
		return &autoscalingv2.HorizontalPodAutoscaler{Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Name: target},
		}}
	}
	r := &readiness{names: map[string]bool{"q0": true, "q1": true}, hpas: map[string]bool{}, ready: map[string]bool{}}
	for _, step := range []struct {
		reason string
		see    any
		want   bool
	}{
		{"one is there", object("q0", ""), false},
		{"it is Ready", object("q0", "True"), false},
		{"it has an HPA", hpa("q0"), false},
		{"so has the other", hpa("q1"), false},
		{"somebody else's is Ready", object("x1", "True"), false},
		{"the other is not Ready", object("q1", "False"), false},
		{"now it is", object("q1", "True"), true},
		{"something else comes", &corev1.Pod{}, true},
		{"one is Ready no more", object("q0", "Unknown"), false},
	} {
		if r.see(step.see); r.complete() != step.want {
			t.Errorf("%s: complete is %t", step.reason, r.complete())
		}
	}
}

// TestActivation: times count from the push, each once.
func TestActivation(t *testing.T) {
	start := time.Unix(1000, 0)
	var a activation
	a.see(3, start) // before the push
	a.push = start.Add(time.Second)
	for _, step := range []struct {
		replicas        int32
		at              time.Duration // after the push
		first, demanded time.Duration
	}{
		{0, time.Second, 0, 0},
		{1, 2 * time.Second, 2 * time.Second, 0},
		{2, 3 * time.Second, 2 * time.Second, 0},
		{3, 4 * time.Second, 2 * time.Second, 4 * time.Second},
		{3, 5 * time.Second, 2 * time.Second, 4 * time.Second},
	} {
		a.see(step.replicas, a.push.Add(step.at))
		if a.first != step.first || a.demanded != step.demanded {
			t.Errorf("%d replicas at %s: first %s, demanded %s; want %s, %s", step.replicas, step.at, a.first, a.demanded, step.first, step.demanded)
		}
	}
	straight := activation{push: start}
	straight.see(3, start.Add(time.Second))
	if straight.first != time.Second || straight.demanded != time.Second {
		t.Errorf("straight to the demand: first %s, demanded %s; want 1s both", straight.first, straight.demanded)
	}
}

// TestGaps is a timeline of reads of three keys, due every 5 seconds.
func TestGaps(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	g := newGaps()
	g.see("a", at(-2))
	g.see("b", at(-9))
	keys := []string{"a", "b", "never"}
	g.start(keys, start)
	g.see("other", at(1))
	g.see("other", at(100))
	g.see("a", at(3))    // after 5: on time
	g.see("a", at(4))    // after 1: a demand read
	g.see("a", at(11.5)) // after 7.5: late by 2.5
	g.see("b", at(1))    // after 10: late by 5
	g.see("b", at(5))    // after 4
	want := []time.Duration{
		0, 0, 2500 * time.Millisecond, // a, not yet due again
		5 * time.Second, 0, 2 * time.Second, // b, which is 2 s late at the end
		7 * time.Second, // never read since the start
	}
	if diff := cmp.Diff(want, g.late(keys, 5*time.Second, at(12))); diff != "" {
		t.Errorf("lateness (-want +got):\n%s", diff)
	}
}

// TestReplicas: a change is a number that is not the one before.
func TestReplicas(t *testing.T) {
	r := &replicas{of: map[string]int32{}}
	r.see("a", 1)
	r.see("b", 2)
	if n := r.takeChanges(); n != 0 {
		t.Errorf("%d changes when all were seen once", n)
	}
	r.see("a", 2)
	r.see("b", 2)
	r.see("a", 1)
	if n := r.with(1); n != 1 {
		t.Errorf("%d have one replica, want 1", n)
	}
	if n := r.takeChanges(); n != 2 {
		t.Errorf("%d changes, want 2", n)
	}
	if n := r.takeChanges(); n != 0 {
		t.Errorf("%d changes are counted again", n)
	}
}

func TestPathOf(t *testing.T) {
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: "keda-hpa-q0", Namespace: "bench"}}
	if got, err := pathOf(hpa); got != "" || err != nil {
		t.Errorf("without metrics: %q, %v", got, err)
	}
	hpa.Spec.Metrics = []autoscalingv2.MetricSpec{
		{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{Name: "cpu"}},
		{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{Metric: autoscalingv2.MetricIdentifier{
			Name: "s1-redis-q0", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"scaledobject.keda.sh/name": "q0"}},
		}}},
	}
	const want = "/apis/external.metrics.k8s.io/v1beta1/namespaces/bench/s1-redis-q0?labelSelector=scaledobject.keda.sh%2Fname%3Dq0"
	if got, err := pathOf(hpa); got != want || err != nil {
		t.Errorf("path %q, %v; want %q", got, err, want)
	}
}

func TestLatenessOf(t *testing.T) {
	const text = `# HELP keda_internal_scale_loop_latency_seconds How late.
# TYPE keda_internal_scale_loop_latency_seconds gauge
keda_internal_scale_loop_latency_seconds{namespace="bench",resource="q3",type="scaledobject"} 0.25
keda_internal_scale_loop_latency_seconds{namespace="bench",resource="q0",type="scaledobject"} 7
# TYPE other gauge
other{resource="q3"} 9
`
	got, err := latenessOf([]byte(text), map[string]bool{"q3": true})
	if diff := cmp.Diff([]time.Duration{250 * time.Millisecond}, got); diff != "" || err != nil {
		t.Errorf("error %v; lateness (-want +got):\n%s", err, diff)
	}
	if got, err := latenessOf([]byte("other 1\n"), nil); len(got) > 0 || err != nil {
		t.Errorf("of metrics without it: %v, %v", got, err)
	}
	if _, err := latenessOf([]byte("<html>"), nil); err == nil {
		t.Error("what is no metrics is taken for some")
	}
}
