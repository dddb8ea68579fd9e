package scaledobject

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers/poll"
)

func named(name string) func(*kedav1alpha1.ScaledObject) {
	return func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Advanced = &kedav1alpha1.AdvancedConfig{
			HorizontalPodAutoscalerConfig: &kedav1alpha1.HorizontalPodAutoscalerConfig{Name: name},
		}
	}
}

// TestHPAIsRestored: what somebody changes in the HPA by hand is undone.
func TestHPAIsRestored(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 1), newObject("orders"))
	w.settle("orders")
	want := w.hpa("keda-hpa-orders").Spec
	edits := []struct {
		reason string
		edit   func(*autoscalingv2.HorizontalPodAutoscaler)
	}{
		{"the maximum", func(h *autoscalingv2.HorizontalPodAutoscaler) { h.Spec.MaxReplicas = 3 }},
		{"the value of a metric", func(h *autoscalingv2.HorizontalPodAutoscaler) {
			h.Spec.Metrics[0].External.Target.AverageValue = new(resource.MustParse("50"))
		}},
		{"one metric more", func(h *autoscalingv2.HorizontalPodAutoscaler) {
			h.Spec.Metrics = append(h.Spec.Metrics, autoscalingv2.MetricSpec{
				Type: autoscalingv2.ResourceMetricSourceType,
				Resource: &autoscalingv2.ResourceMetricSource{
					Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(int32(50))},
				},
			})
		}},
		{"a label", func(h *autoscalingv2.HorizontalPodAutoscaler) { delete(h.Labels, kedav1alpha1.LabelScaledObjectName) }},
	}
	first := []string{"patch HorizontalPodAutoscaler"} // see TestHPALosesWhatIsNotAskedFor
	for _, tc := range edits {
		t.Run(tc.reason, func(t *testing.T) {
			w.T = t
			hpa := w.hpa("keda-hpa-orders")
			w.change(hpa, func() { tc.edit(hpa) })
			w.forgetPast()
			w.settle("orders")
			w.expectWrites(append(first, "apply HorizontalPodAutoscaler")...)
			first = nil
			got := w.hpa("keda-hpa-orders")
			if diff := cmp.Diff(want, got.Spec); diff != "" {
				t.Errorf("spec (-want +got):\n%s", diff)
			}
			if got.Labels[kedav1alpha1.LabelScaledObjectName] != "orders" {
				t.Errorf("the label is not restored: %v", got.Labels)
			}
			w.settle("orders")
			w.expectWrites()
		})
	}
}

// TestHPAIsMadeAgain: an HPA that somebody deletes comes back.
func TestHPAIsMadeAgain(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 1), newObject("orders"))
	w.settle("orders")
	if err := w.client.Delete(t.Context(), w.hpa("keda-hpa-orders")); err != nil {
		t.Fatal(err)
	}
	w.forgetPast()
	w.settle("orders")
	w.expectWrites("create HorizontalPodAutoscaler")
	if w.hpa("keda-hpa-orders") == nil {
		t.Error("the HPA does not come back")
	}
}

// TestHPAFollowsTheObject: what changes in the object changes in the HPA, and
// what a new version of Freshet would write is written.
func TestHPAFollowsTheObject(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 1), newObject("orders"))
	w.settle("orders")
	so := newObject("orders")
	w.change(so, func() { so.Spec.MaxReplicaCount = new(int32(7)) })
	w.settle("orders")
	if got := w.hpa("keda-hpa-orders").Spec.MaxReplicas; got != 7 {
		t.Errorf("the maximum is %d, want 7", got)
	}
	leader := poll.NewLeader("that")
	leader.Elect()
	w.restart(leader)
	w.forgetPast()
	w.settle("orders")
	w.expectWrites()
	w.r.Version = "v2.0.0"
	w.settle("orders")
	w.expectWrites("apply HorizontalPodAutoscaler")
}

// TestHPALosesWhatIsNotAskedFor: what an HPA was created with and is not asked for any
// more goes, and what others set beside it stays. That it was created, and not applied,
// is mended once.
func TestHPALosesWhatIsNotAskedFor(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 1), newObject("orders", func(so *kedav1alpha1.ScaledObject) {
		so.Labels = map[string]string{"team": "shop", "stage": "test"}
	}))
	w.settle("orders")
	hpa := w.hpa("keda-hpa-orders")
	hpa.Labels["theirs"] = "yes"
	if err := w.client.Update(t.Context(), hpa, client.FieldOwner("others")); err != nil {
		t.Fatal(err)
	}
	w.forgetPast()
	for _, step := range []struct {
		gone   string
		writes []string
	}{
		{"team", []string{"patch HorizontalPodAutoscaler", "apply HorizontalPodAutoscaler"}},
		{"stage", []string{"apply HorizontalPodAutoscaler"}},
	} {
		so := newObject("orders")
		w.change(so, func() { delete(so.Labels, step.gone) })
		w.settle("orders")
		w.expectWrites(step.writes...)
		if labels := w.hpa("keda-hpa-orders").Labels; labels[step.gone] != "" || labels["theirs"] != "yes" || labels[kedav1alpha1.LabelScaledObjectName] != "orders" {
			t.Errorf("without the label %s of the object the HPA has %v", step.gone, labels)
		}
	}
}

// TestHPAIsThereAlready: an HPA that the cache does not know yet is no fault.
func TestHPAIsThereAlready(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 1), newObject("orders"))
	w.fail["create HorizontalPodAutoscaler"] = apierrors.NewAlreadyExists(autoscalingv2.Resource("horizontalpodautoscalers"), "keda-hpa-orders")
	if got := w.settle("orders").RequeueAfter; got != conflictRecheck {
		t.Errorf("it is looked at again after %s, want %s", got, conflictRecheck)
	}
	w.expectWrites("create HorizontalPodAutoscaler")
	w.expectEvents()
}

// TestHPAIsRenamed: another name deletes the HPA of the old one.
func TestHPAIsRenamed(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 1), newObject("orders"))
	w.settle("orders")
	so := newObject("orders")
	w.change(so, func() { named("mine")(so) })
	w.forgetPast()
	w.settle("orders")
	w.expectWrites("delete HorizontalPodAutoscaler", "create HorizontalPodAutoscaler", "patch status of ScaledObject")
	if w.hpa("keda-hpa-orders") != nil {
		t.Error("the HPA of the old name is still there")
	}
	if w.hpa("mine") == nil {
		t.Error("the HPA of the new name is missing")
	}
	if got := w.object("orders").Status.HpaName; got != "mine" {
		t.Errorf("status.hpaName is %q, want mine", got)
	}
}

// TestHPAIsRenamedToForeign: the new name is somebody else's, which stays as it
// is, and as it was called by the object's status.
func TestHPAIsRenamedToForeign(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 1), newObject("orders"), foreignHPA("mine"))
	w.settle("orders")
	so := newObject("orders")
	w.change(so, func() { named("mine")(so) })
	w.settle("orders")
	if diff := cmp.Diff(foreignHPA("mine").Spec, w.hpa("mine").Spec); diff != "" {
		t.Errorf("the foreign HPA was changed (-want +got):\n%s", diff)
	}
	if so := w.object("orders"); !so.Status.Conditions.Get(kedav1alpha1.ConditionReady).IsFalse() {
		t.Error("the object is not told that the name is taken")
	}
	if w.hpa("keda-hpa-orders") == nil {
		t.Error("the object has no HPA any more, for a name that it cannot have")
	}
}

// TestHPAIsTakenOver: with the annotation, an HPA that nobody controls becomes
// the object's.
func TestHPAIsTakenOver(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 1), foreignHPA("mine"),
		newObject("orders", named("mine"), withAnnotation(kedav1alpha1.AnnotationTransferHPAOwnership, "true")))
	w.settle("orders")
	hpa := w.hpa("mine")
	if diff := cmp.Diff([]metav1.OwnerReference{ownedBy("orders")}, hpa.OwnerReferences); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
	if hpa.UID != "mine" {
		t.Error("the HPA was not taken over but made anew")
	}
	if hpa.Spec.MaxReplicas != 100 || len(hpa.Spec.Metrics) != 1 {
		t.Errorf("the HPA is not the object's: %+v", hpa.Spec)
	}
	w.forgetPast()
	w.settle("orders")
	w.expectWrites()
}
