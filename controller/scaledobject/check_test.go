package scaledobject

import (
	"errors"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// foreignHPA is an HPA that no ScaledObject made, unless an edit says so.
func foreignHPA(name string, owners ...metav1.OwnerReference) *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name), OwnerReferences: owners},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "orders"},
			MaxReplicas:    3,
		},
	}
}

func ownedBy(name string) metav1.OwnerReference {
	return *metav1.NewControllerRef(newObject(name), kedav1alpha1.GroupVersion.WithKind(kedav1alpha1.KindScaledObject))
}

// TestFaults: what the user has to change is said on the object, in words that
// do not change, once as an event, and looked at again by itself.
func TestFaults(t *testing.T) {
	cases := []struct {
		reason  string
		edit    func(*kedav1alpha1.ScaledObject)
		others  []client.Object
		message string
	}{
		{
			reason: "the target does not exist",
			edit:   func(so *kedav1alpha1.ScaledObject) { so.Spec.ScaleTargetRef.Name = "nothing" },
			message: "the target apps/v1.Deployment shop/nothing does not exist or has no scale subresource: " +
				"create it or correct scaleTargetRef",
		},
		{
			reason: "the target of another kind does not exist",
			edit: func(so *kedav1alpha1.ScaledObject) {
				so.Spec.ScaleTargetRef = kedav1alpha1.ScaleTarget{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Name: "orders"}
			},
			message: "the target argoproj.io/v1alpha1.Rollout shop/orders does not exist or has no scale subresource: " +
				"create it or correct scaleTargetRef",
		},
		{
			reason: "the kind of the target is unknown",
			edit: func(so *kedav1alpha1.ScaledObject) {
				so.Spec.ScaleTargetRef.APIVersion, so.Spec.ScaleTargetRef.Kind = "example.com/v1", "Machine"
			},
			message: "scaleTargetRef names the kind Machine of example.com/v1, which the cluster does not know: correct kind and apiVersion",
		},
		{
			reason: "the version of the target is unknown",
			edit:   func(so *kedav1alpha1.ScaledObject) { so.Spec.ScaleTargetRef.APIVersion = "apps/v1beta1" },
			message: "scaleTargetRef names the kind Deployment of apps/v1beta1, which the cluster does not know: " +
				"correct kind and apiVersion",
		},
		{
			reason: "all faults of the spec are told at once",
			edit: func(so *kedav1alpha1.ScaledObject) {
				so.Spec.MinReplicaCount, so.Spec.IdleReplicaCount = new(int32(1)), new(int32(1))
				so.Spec.ScaleTargetRef.Name = ""
			},
			message: "[spec.scaleTargetRef.name: Required value: name the workload to scale, spec.idleReplicaCount: Invalid value: 1: " +
				"lower it to less than minReplicaCount, which is 1, or raise minReplicaCount]",
		},
		{
			reason: "the annotation that pauses is no number",
			edit:   withAnnotation(kedav1alpha1.AnnotationPausedReplicas, "many"),
			message: `metadata.annotations[autoscaling.keda.sh/paused-replicas]: Invalid value: "many": ` +
				"set it to the number of replicas to pause at, or remove it",
		},
		{
			reason: "there is a formula, and a trigger without a name",
			edit: func(so *kedav1alpha1.ScaledObject) {
				so.Spec.Advanced = &kedav1alpha1.AdvancedConfig{ScalingModifiers: &kedav1alpha1.ScalingModifiers{Formula: "a + 1", Target: "2"}}
			},
			message: "spec.advanced.scalingModifiers: trigger 0 (tray) has no name, and there is a formula: name each trigger that is not cpu or memory",
		},
		{
			reason:  "the formula names no trigger",
			edit:    withFormula("b + 1"),
			message: `spec.advanced.scalingModifiers: the formula "b + 1" cannot be used: unknown name b (1:1)`,
		},
		{
			reason:  "the formula gives no number",
			edit:    withFormula("a > 1"),
			message: `spec.advanced.scalingModifiers: the formula "a > 1" gives a bool: it must give a number`,
		},
		{
			reason:  "the only trigger is malformed",
			edit:    withTriggers(newTrigger("orders", "sheets", "many")),
			message: `trigger 0 (tray): parameter sheets is "many", which is not a finite number (set in metadata sheets)`,
		},
		{
			reason: "an older object has the target",
			edit:   func(*kedav1alpha1.ScaledObject) {},
			others: []client.Object{newObject("elder", func(so *kedav1alpha1.ScaledObject) {
				so.Spec.ScaleTargetRef.Name = "orders"
				so.CreationTimestamp = metav1.NewTime(deployed.Add(-time.Minute))
			})},
			message: "apps/v1.Deployment shop/orders is already scaled by ScaledObject elder: two cannot share a target, so delete one of them",
		},
		{
			reason: "somebody else has an HPA of that name",
			edit:   func(*kedav1alpha1.ScaledObject) {},
			others: []client.Object{foreignHPA("keda-hpa-orders")},
			message: "HPA keda-hpa-orders exists and does not belong to this ScaledObject: delete it, choose another name in " +
				`advanced.horizontalPodAutoscalerConfig.name, or take it over with the annotation scaledobject.keda.sh/transfer-hpa-ownership: "true"`,
		},
		{
			reason: "an HPA that another object made is not taken over",
			edit:   withAnnotation(kedav1alpha1.AnnotationTransferHPAOwnership, "true"),
			others: []client.Object{foreignHPA("keda-hpa-orders", ownedBy("elder"))},
			message: "HPA keda-hpa-orders exists and does not belong to this ScaledObject: delete it, choose another name in " +
				`advanced.horizontalPodAutoscalerConfig.name, or take it over with the annotation scaledobject.keda.sh/transfer-hpa-ownership: "true"`,
		},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t, append(tc.others, newDeployment("orders", 2), newObject("orders", tc.edit))...)
			result := w.settle("orders")
			if result.RequeueAfter != faultRecheck {
				t.Errorf("the object is looked at again after %s, want %s", result.RequeueAfter, faultRecheck)
			}
			w.expectCondition("orders", kedav1alpha1.ConditionReady, metav1.ConditionFalse, kedav1alpha1.ReasonScaledObjectCheckFailed, tc.message)
			w.expectCondition("orders", kedav1alpha1.ConditionActive, metav1.ConditionUnknown, kedav1alpha1.ReasonUnknownState,
				"Whether the triggers are active is not known")
			w.expectEvents("Warning ScaledObjectCheckFailed: " + tc.message)
			w.expectWrites("patch status of ScaledObject")
			w.settle("orders")
			w.expectEvents()
			w.expectWrites()
			w.expectScaled()
		})
	}
}

// TestFaultMended: an object whose fault is mended goes on as if it never had one.
func TestFaultMended(t *testing.T) {
	w := newWorld(t, newObject("orders"))
	w.settle("orders")
	w.forgetPast()
	if err := w.client.Create(t.Context(), newDeployment("orders", 0)); err != nil {
		t.Fatal(err)
	}
	w.settle("orders")
	w.read("orders", 0, 12)
	w.settle("orders")
	w.expectScaled(3)
	w.expectCondition("orders", kedav1alpha1.ConditionReady, metav1.ConditionTrue, kedav1alpha1.ReasonScaledObjectReady, "ScaledObject is ready for scaling")
	if original := w.object("orders").Status.OriginalReplicaCount; original == nil || *original != 0 {
		t.Errorf("the original count is %v, want 0: that of the target when it was first seen", original)
	}
}

// TestTargetGoesAway: the object keeps what it knew of a target that is deleted,
// and its HPA.
func TestTargetGoesAway(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders"))
	w.settle("orders")
	w.read("orders", 0, 12)
	w.settle("orders")
	if err := w.client.Delete(t.Context(), newDeployment("orders", 0)); err != nil {
		t.Fatal(err)
	}
	w.settle("orders")
	w.expectCondition("orders", kedav1alpha1.ConditionReady, metav1.ConditionFalse, kedav1alpha1.ReasonScaledObjectCheckFailed,
		"the target apps/v1.Deployment shop/orders does not exist or has no scale subresource: create it or correct scaleTargetRef")
	if w.hpa("keda-hpa-orders") == nil {
		t.Error("the HPA is gone with the target, which may come back")
	}
	if got := w.object("orders").Status.HpaName; got != "keda-hpa-orders" {
		t.Errorf("status.hpaName is %q, want what it was", got)
	}
}

// TestForbidden: what Freshet may not do is said with the right that is missing.
func TestForbidden(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders"))
	w.settle("orders")
	w.read("orders", 0, 12)
	w.scales.before = func() error {
		return apierrors.NewForbidden(autoscalingv2.Resource("scales"), "orders", errors.New("no"))
	}
	w.settle("orders")
	w.expectCondition("orders", kedav1alpha1.ConditionReady, metav1.ConditionFalse, kedav1alpha1.ReasonScaledObjectCheckFailed,
		"Freshet may not read or scale the target apps/v1.Deployment shop/orders: "+
			"grant its ServiceAccount get and update on deployments/scale")
}

// TestOutage: what the user cannot change is an error, which is tried again
// with a back-off, and said on the object.
func TestOutage(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders"))
	down := errors.New("the server is down")
	w.fail["create HorizontalPodAutoscaler"] = down
	if _, err := w.reconcile("orders"); !errors.Is(err, down) {
		t.Errorf("the reconcile ends with %v, want %v", err, down)
	}
	w.expectCondition("orders", kedav1alpha1.ConditionReady, metav1.ConditionFalse, kedav1alpha1.ReasonScaledObjectCheckFailed,
		"creating HPA keda-hpa-orders: the server is down")
}

func TestOlder(t *testing.T) {
	at := func(name string, since time.Duration) *kedav1alpha1.ScaledObject {
		return newObject(name, func(so *kedav1alpha1.ScaledObject) { so.CreationTimestamp = metav1.NewTime(deployed.Add(since)) })
	}
	cases := []struct {
		reason string
		a, b   *kedav1alpha1.ScaledObject
		want   bool
	}{
		{"made before", at("b", 0), at("a", time.Second), true},
		{"made after", at("a", time.Second), at("b", 0), false},
		{"made in the same second, the name decides", at("a", 0), at("b", 0), true},
		{"made in the same second, the name decides the other way too", at("b", 0), at("a", 0), false},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			if got := older(tc.a, tc.b); got != tc.want {
				t.Errorf("older is %t, want %t", got, tc.want)
			}
		})
	}
}

// TestRivals: of two objects on one target one works and one does not, and the
// other takes over when the first is gone.
func TestRivals(t *testing.T) {
	onOrders := func(so *kedav1alpha1.ScaledObject) { so.Spec.ScaleTargetRef.Name = "orders" }
	other := func(edit func(*kedav1alpha1.ScaledObject)) client.Object {
		return newObject("c", func(so *kedav1alpha1.ScaledObject) {
			so.CreationTimestamp = metav1.NewTime(deployed.Add(-time.Hour))
			edit(so)
		})
	}
	w := newWorld(t, newDeployment("orders", 0), newObject("a", onOrders), newObject("b", onOrders),
		other(func(so *kedav1alpha1.ScaledObject) { so.Namespace = "elsewhere"; onOrders(so) }),
		newObject("d", func(so *kedav1alpha1.ScaledObject) { so.Spec.ScaleTargetRef.Name = "returns" }),
		newObject("e", func(so *kedav1alpha1.ScaledObject) {
			so.CreationTimestamp = metav1.NewTime(deployed.Add(-time.Hour))
			onOrders(so)
			so.Spec.ScaleTargetRef.Kind = "StatefulSet"
		}))
	for _, name := range []string{"a", "b"} {
		w.settle(name)
		w.read(name, 0, 12)
		w.settle(name)
	}
	w.expectScaled(3)
	if w.hpa("keda-hpa-a") == nil || w.hpa("keda-hpa-b") != nil {
		t.Error("the HPA of a is missing, or b has one too")
	}
	if !w.object("a").Status.Conditions.Get(kedav1alpha1.ConditionReady).IsTrue() {
		t.Error("the older object is not ready")
	}
	w.expectCondition("b", kedav1alpha1.ConditionReady, metav1.ConditionFalse, kedav1alpha1.ReasonScaledObjectCheckFailed,
		"apps/v1.Deployment shop/orders is already scaled by ScaledObject a: two cannot share a target, so delete one of them")
	if err := w.client.Delete(t.Context(), newObject("a")); err != nil {
		t.Fatal(err)
	}
	w.settle("a")
	w.settle("b")
	if !w.object("b").Status.Conditions.Get(kedav1alpha1.ConditionReady).IsTrue() || w.hpa("keda-hpa-b") == nil {
		t.Error("the younger object does not take over")
	}
}
