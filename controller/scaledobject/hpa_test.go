package scaledobject

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

var update = flag.Bool("update", false, "write the HPAs into testdata, to be read before they are kept")

// TestNewHPA makes the HPA of each testdata/hpa/NAME.yaml, a ScaledObject, and
// compares it with NAME.hpa.yaml beside it.
func TestNewHPA(t *testing.T) {
	paths, err := filepath.Glob("testdata/hpa/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	objects := 0
	for _, path := range paths {
		if strings.HasSuffix(path, ".hpa.yaml") {
			continue
		}
		objects++
		name := strings.TrimSuffix(path, ".yaml")
		t.Run(filepath.Base(name), func(t *testing.T) { testNewHPA(t, path, name+".hpa.yaml") })
	}
	if objects == 0 {
		t.Error("testdata/hpa holds no ScaledObject")
	}
}

func testNewHPA(t *testing.T, input, golden string) {
	text, err := os.ReadFile(input)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(text, []byte("# ")) {
		t.Errorf("%s does not begin with what it shows, as a comment", input)
	}
	so := &kedav1alpha1.ScaledObject{}
	if err := yaml.UnmarshalStrict(text, so); err != nil {
		t.Fatal(err)
	}
	before := so.DeepCopy()
	hpa := hpaOf(t, so)
	if diff := cmp.Diff(before, so); diff != "" {
		t.Errorf("making the HPA changed the ScaledObject (-before +after):\n%s", diff)
	}
	if hpa.Annotations[appliedAnnotation] == "" {
		t.Errorf("the annotation %s is empty", appliedAnnotation)
	}
	delete(hpa.Annotations, appliedAnnotation) // a hash of the rest
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(hpa)
	if err != nil {
		t.Fatal(err)
	}
	delete(fields, "status")
	got, err := yaml.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is another (-want +got); go test -update writes it:\n%s", golden, diff)
	}
}

// hpaOf is the HPA that is made of the object, with its triggers as a reconcile
// resolves them.
func hpaOf(t *testing.T, so *kedav1alpha1.ScaledObject) *autoscalingv2.HorizontalPodAutoscaler {
	t.Helper()
	r := newWorld(t).r
	tgt, err := r.Targets.Resolve(so.Namespace, &so.Spec.ScaleTargetRef)
	if err != nil {
		t.Fatal(err)
	}
	return newHPA(so, tgt.GVKR, r.resolve(t.Context(), so), nil, false, "v1.2.3")
}

func TestHPAHashFollowsTheHPA(t *testing.T) {
	hash := func(edits ...func(*kedav1alpha1.ScaledObject)) string {
		return hpaOf(t, newObject("orders", edits...)).Annotations[appliedAnnotation]
	}
	if a, b := hash(), hash(); a != b {
		t.Errorf("one object has two hashes, %s and %s", a, b)
	}
	if hash() == hash(func(so *kedav1alpha1.ScaledObject) { so.Spec.MaxReplicaCount = new(int32(7)) }) {
		t.Error("another maximum does not change the hash")
	}
	if hash() == hash(withAnnotation("team", "shop")) {
		t.Error("another annotation does not change the hash")
	}
	if hash() != hash(func(so *kedav1alpha1.ScaledObject) { so.Spec.CooldownPeriod = new(int32(7)) }) {
		t.Error("the cooldown, which is not the HPA's, changes the hash")
	}
}

// fullObject is an object whose HPA has every field that Freshet sets.
func fullObject() *kedav1alpha1.ScaledObject {
	return newObject("orders", withAnnotation("team", "shop"), func(so *kedav1alpha1.ScaledObject) {
		so.Labels = map[string]string{"app": "orders"}
		so.Spec.MinReplicaCount, so.Spec.MaxReplicaCount = new(int32(2)), new(int32(20))
		so.Spec.Triggers = append(so.Spec.Triggers, newTrigger("returns"))
		so.Spec.Advanced = &kedav1alpha1.AdvancedConfig{
			HorizontalPodAutoscalerConfig: &kedav1alpha1.HorizontalPodAutoscalerConfig{
				Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{
					ScaleUp: &autoscalingv2.HPAScalingRules{
						Policies: []autoscalingv2.HPAScalingPolicy{{Type: autoscalingv2.PodsScalingPolicy, Value: 2, PeriodSeconds: 60}},
					},
					ScaleDown: &autoscalingv2.HPAScalingRules{
						StabilizationWindowSeconds: new(int32(0)),
						SelectPolicy:               new(autoscalingv2.MinChangePolicySelect),
						Policies: []autoscalingv2.HPAScalingPolicy{
							{Type: autoscalingv2.PodsScalingPolicy, Value: 1, PeriodSeconds: 60},
						},
					},
				},
			},
		}
	})
}

// defaulted is the HPA as the API server keeps it.
func defaulted(hpa *autoscalingv2.HorizontalPodAutoscaler) *autoscalingv2.HorizontalPodAutoscaler {
	kept := hpa.DeepCopy()
	kept.UID, kept.ResourceVersion, kept.Generation = "a", "7", 1
	kept.Status.DesiredReplicas = 4
	if kept.Spec.Behavior == nil {
		return kept
	}
	if kept.Spec.Behavior.ScaleUp == nil {
		kept.Spec.Behavior.ScaleUp = &autoscalingv2.HPAScalingRules{}
	}
	if kept.Spec.Behavior.ScaleDown == nil {
		kept.Spec.Behavior.ScaleDown = &autoscalingv2.HPAScalingRules{}
	}
	fill := func(r *autoscalingv2.HPAScalingRules, window int32, policies ...autoscalingv2.HPAScalingPolicy) {
		if r.StabilizationWindowSeconds == nil {
			r.StabilizationWindowSeconds = &window
		}
		if r.SelectPolicy == nil {
			r.SelectPolicy = new(autoscalingv2.MaxChangePolicySelect)
		}
		if r.Policies == nil {
			r.Policies = policies
		}
	}
	fill(kept.Spec.Behavior.ScaleUp, 0,
		autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PodsScalingPolicy, Value: 4, PeriodSeconds: 15},
		autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15})
	fill(kept.Spec.Behavior.ScaleDown, 300,
		autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15})
	return kept
}

func TestUpToDate(t *testing.T) {
	type HPA = autoscalingv2.HorizontalPodAutoscaler
	cases := []struct {
		reason string
		edit   func(*HPA)
		want   bool
	}{
		{"what the API server fills in is no change", func(*HPA) {}, true},
		{"the HPA controller's status is no change", func(h *HPA) { h.Status.DesiredReplicas = 9 }, true},
		{"somebody else may add a label", func(h *HPA) { h.Labels["cost-centre"] = "7" }, true},
		{"somebody else may add an annotation", func(h *HPA) { h.Annotations["note"] = "mine" }, true},
		{"an equal quantity in other words is no change", func(h *HPA) {
			h.Spec.Metrics[0].External.Target.AverageValue = new(resource.MustParse("5000m"))
		}, true},
		{"another minimum", func(h *HPA) { h.Spec.MinReplicas = new(int32(1)) }, false},
		{"no minimum", func(h *HPA) { h.Spec.MinReplicas = nil }, false},
		{"another maximum", func(h *HPA) { h.Spec.MaxReplicas = 21 }, false},
		{"another target", func(h *HPA) { h.Spec.ScaleTargetRef.Name = "returns" }, false},
		{"another kind of target", func(h *HPA) { h.Spec.ScaleTargetRef.Kind = "StatefulSet" }, false},
		{"another version of the target", func(h *HPA) { h.Spec.ScaleTargetRef.APIVersion = "apps/v1beta1" }, false},
		{"another metric", func(h *HPA) { h.Spec.Metrics[0].External.Metric.Name = "s0-mine" }, false},
		{"another value to reach", func(h *HPA) {
			h.Spec.Metrics[0].External.Target.AverageValue = new(resource.MustParse("6"))
		}, false},
		{"another type of value", func(h *HPA) {
			h.Spec.Metrics[0].External.Target = autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: new(resource.MustParse("5"))}
		}, false},
		{"another selector", func(h *HPA) {
			h.Spec.Metrics[0].External.Metric.Selector.MatchLabels[kedav1alpha1.LabelScaledObjectName] = "returns"
		}, false},
		{"one metric less", func(h *HPA) { h.Spec.Metrics = h.Spec.Metrics[:1] }, false},
		{"one metric more", func(h *HPA) {
			h.Spec.Metrics = append(h.Spec.Metrics, autoscalingv2.MetricSpec{
				Type: autoscalingv2.ResourceMetricSourceType,
				Resource: &autoscalingv2.ResourceMetricSource{
					Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(int32(50))},
				},
			})
		}, false},
		{"metrics in another order", func(h *HPA) {
			h.Spec.Metrics[0], h.Spec.Metrics[1] = h.Spec.Metrics[1], h.Spec.Metrics[0]
		}, false},
		{"no behavior", func(h *HPA) { h.Spec.Behavior = nil }, false},
		{"another window, where ours is 0", func(h *HPA) { h.Spec.Behavior.ScaleDown.StabilizationWindowSeconds = new(int32(300)) }, false},
		{"another select policy", func(h *HPA) {
			h.Spec.Behavior.ScaleDown.SelectPolicy = new(autoscalingv2.MaxChangePolicySelect)
		}, false},
		{"another policy", func(h *HPA) { h.Spec.Behavior.ScaleDown.Policies[0].PeriodSeconds = 30 }, false},
		{"one policy more", func(h *HPA) {
			h.Spec.Behavior.ScaleDown.Policies = append(h.Spec.Behavior.ScaleDown.Policies,
				autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15})
		}, false},
		{"one policy more for scaling up", func(h *HPA) {
			h.Spec.Behavior.ScaleUp.Policies = append(h.Spec.Behavior.ScaleUp.Policies,
				autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15})
		}, false},
		{"another label of ours", func(h *HPA) { h.Labels["app"] = "returns" }, false},
		{"a label of ours is gone", func(h *HPA) { delete(h.Labels, kedav1alpha1.LabelScaledObjectName) }, false},
		{"another annotation of ours", func(h *HPA) { h.Annotations["team"] = "mine" }, false},
		{"an annotation of ours is gone", func(h *HPA) { delete(h.Annotations, "team") }, false},
		{"another hash", func(h *HPA) { h.Annotations[appliedAnnotation] = "0" }, false},
		{"no owner", func(h *HPA) { h.OwnerReferences = nil }, false},
		{"another owner", func(h *HPA) { h.OwnerReferences[0].UID = "b" }, false},
		{"an owner that is no controller", func(h *HPA) { h.OwnerReferences[0].Controller = new(false) }, false},
		{"one owner more is no change", func(h *HPA) {
			h.OwnerReferences = append(h.OwnerReferences, metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "mine", UID: "c"})
		}, true},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			desired := hpaOf(t, fullObject())
			current := defaulted(desired)
			tc.edit(current)
			if got := upToDate(current, desired); got != tc.want {
				t.Errorf("upToDate is %t, want %t; the edit (-desired +current):\n%s", got, tc.want, cmp.Diff(desired.Spec, current.Spec))
			}
		})
	}
}

// TestUpToDateWithoutPolicies: those that the API server fills in are no change.
func TestUpToDateWithoutPolicies(t *testing.T) {
	so := fullObject()
	behavior := so.Spec.Advanced.HorizontalPodAutoscalerConfig.Behavior
	behavior.ScaleUp, behavior.ScaleDown.Policies = nil, nil
	desired := hpaOf(t, so)
	if current := defaulted(desired); !upToDate(current, desired) {
		t.Errorf("the HPA is not up to date with what is filled in:\n%s", cmp.Diff(desired.Spec, current.Spec))
	}
}

// TestUpToDateWithoutBehavior: the API server fills in nothing where there is
// no behavior, and an object without one does not mind one that is there.
func TestUpToDateWithoutBehavior(t *testing.T) {
	desired := hpaOf(t, newObject("orders"))
	current := defaulted(desired)
	if !upToDate(current, desired) {
		t.Error("an HPA without behavior is not up to date as it is")
	}
	current.Spec.Metrics = nil
	if upToDate(current, desired) {
		t.Error("an HPA whose metrics are gone counts as up to date")
	}
}

// TestHPALabelsAreValid: whatever an object and a build are called, the API
// server takes the labels.
func TestHPALabelsAreValid(t *testing.T) {
	for _, name := range []string{"a", "orders", "keda-hpa-" + strings.Repeat("a", 53) + "-.-b", strings.Repeat("x", 63), strings.Repeat("x", 200)} {
		for _, version := range []string{"v1.2.3", "v0.0.0-dev", "v0.0.0-20260101000000-0123456789ab+dirty"} {
			for key, value := range hpaLabels(newObject("orders"), name, version) {
				if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
					t.Errorf("HPA %s of version %s has label %s: %q: %v", name, version, key, value, problems)
				}
			}
		}
	}
}
