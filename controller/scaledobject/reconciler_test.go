package scaledobject

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers/poll"
)

// TestLife: an object appears, its queue fills, empties, and it rests. Every
// step writes what is new, and another reconcile after it writes nothing.
func TestLife(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders", func(so *kedav1alpha1.ScaledObject) {
		so.Spec.CooldownPeriod = new(int32(60))
	}))
	steps := []struct {
		reason string
		do     func()
		writes []string
		events []string
		scaled []int32
	}{
		{
			reason: "a new object gets its HPA and status", do: func() {},
			writes: []string{"create HorizontalPodAutoscaler", "patch status of ScaledObject"},
			events: []string{startedEvent},
		},
		{
			reason: "the queue was read, and is empty", do: func() { w.read("orders", 0, 0) },
			writes: []string{"patch status of ScaledObject"},
			events: []string{"Normal ScaledObjectReady: ScaledObject is ready for scaling"},
		},
		{
			reason: "the queue fills", do: func() { w.read("orders", 0, 12) },
			writes: []string{"patch status of ScaledObject"},
			events: []string{"Normal KEDAScaleTargetActivated: Scaled apps/v1.Deployment shop/orders from 0 to 3, " +
				"triggered by s0-tray-orders (s0-tray-orders active: s0-tray-orders asks for 3)"},
			scaled: []int32{3},
		},
		{
			reason: "it fills further, which is the HPA's concern", do: func() { w.read("orders", 0, 50) },
		},
		{
			reason: "the queue empties", do: func() { w.read("orders", 0, 0) },
			writes: []string{"patch status of ScaledObject"},
		},
		{
			reason: "the cooldown passes", do: func() {
				so := newObject("orders")
				w.change(so, func() { so.Spec.CooldownPeriod = new(int32(0)) })
			},
			writes: []string{"patch status of ScaledObject"},
			events: []string{"Normal KEDAScaleTargetDeactivated: Deactivated apps/v1.Deployment shop/orders from 3 to 0 " +
				"(no trigger is active, and the cooldown is over)"},
			scaled: []int32{0},
		},
		{
			reason: "the queue cannot be read", do: func() { w.fails("orders", 0, errors.New("no answer")) },
			writes: []string{"patch status of ScaledObject"},
			events: []string{"Warning KEDAScalerFailed: trigger 0 (tray): no answer"},
		},
		{
			reason: "it still cannot be read", do: func() { w.fails("orders", 0, errors.New("no answer")) },
		},
		{
			reason: "it can be read again", do: func() { w.read("orders", 0, 0) },
			writes: []string{"patch status of ScaledObject"},
			events: []string{"Normal ScaledObjectReady: ScaledObject is ready for scaling"},
		},
	}
	for _, step := range steps {
		t.Run(step.reason, func(t *testing.T) {
			w.T = t
			step.do()
			w.settle("orders")
			w.expectWrites(step.writes...)
			w.expectEvents(step.events...)
			w.expectScaled(step.scaled...)
			w.settle("orders")
			w.expectWrites()
			w.expectEvents()
			w.expectScaled()
		})
	}
}

// TestStatus compares all of the status of an object that is active.
func TestStatus(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 2), newObject("orders", withTriggers(newTrigger("orders"), newTrigger("returns"))))
	w.settle("orders")
	w.read("orders", 0, 12)
	w.read("orders", 1, 0)
	w.settle("orders")
	so := w.object("orders")
	if len(so.Labels) > 0 || len(so.Finalizers) > 0 {
		t.Errorf("the object has the labels %v and the finalizers %v, want none", so.Labels, so.Finalizers)
	}
	got := so.Status
	if got.LastActiveTime == nil || time.Since(got.LastActiveTime.Time) > time.Minute {
		t.Errorf("last active at %v, want now", got.LastActiveTime)
	}
	got.LastActiveTime = nil
	for i := range got.Conditions {
		got.Conditions[i].LastTransitionTime = nil
	}
	condition := func(c kedav1alpha1.ConditionType, s metav1.ConditionStatus, reason, message string) kedav1alpha1.Condition {
		return kedav1alpha1.Condition{Type: c, Status: s, Reason: reason, Message: message, ObservedGeneration: 1}
	}
	want := kedav1alpha1.ScaledObjectStatus{
		ScaleTargetKind:      "apps/v1.Deployment",
		ScaleTargetGVKR:      &kedav1alpha1.GroupVersionKindResource{Group: "apps", Version: "v1", Kind: "Deployment", Resource: "deployments"},
		ScaleTargetName:      "orders",
		OriginalReplicaCount: new(int32(2)),
		ExternalMetricNames:  []string{"s0-tray-orders", "s1-tray-returns"},
		HpaName:              "keda-hpa-orders",
		TriggersTypes:        "tray",
		TriggersActivity: map[string]kedav1alpha1.TriggerActivityStatus{
			"s0-tray-orders": {IsActive: true}, "s1-tray-returns": {IsActive: false},
		},
		Conditions: kedav1alpha1.Conditions{
			condition(kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady", "ScaledObject is ready for scaling"),
			condition(kedav1alpha1.ConditionActive, metav1.ConditionTrue, "ScalerActive", "Scaling is performed because triggers are active"),
			condition(kedav1alpha1.ConditionFallback, metav1.ConditionFalse, "NoFallbackFound", "No fallback is configured"),
			condition(kedav1alpha1.ConditionPaused, metav1.ConditionFalse, "", ""),
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

// TestReady: what the Ready condition says of triggers that cannot be read.
func TestReady(t *testing.T) {
	broken := kedav1alpha1.ScaleTriggers{Type: "tray", Name: "mine"}
	down := errors.New("no answer")
	cases := []struct {
		reason   string
		triggers []kedav1alpha1.ScaleTriggers
		read     func(w *world)
		status   metav1.ConditionStatus
		why      string
		message  string
	}{
		{
			reason: "before the first reading it is not known", triggers: []kedav1alpha1.ScaleTriggers{newTrigger("a")},
			read: func(*world) {}, status: metav1.ConditionUnknown,
		},
		{
			reason: "before all were read it is not known", triggers: []kedav1alpha1.ScaleTriggers{newTrigger("a"), newTrigger("b")},
			read: func(w *world) { w.read("orders", 0, 1) }, status: metav1.ConditionUnknown,
		},
		{
			reason: "all were read", triggers: []kedav1alpha1.ScaleTriggers{newTrigger("a"), newTrigger("b")},
			read:   func(w *world) { w.read("orders", 0, 1); w.read("orders", 1, 0) },
			status: metav1.ConditionTrue, why: kedav1alpha1.ReasonScaledObjectReady, message: "ScaledObject is ready for scaling",
		},
		{
			reason: "one fails, another is active", triggers: []kedav1alpha1.ScaleTriggers{newTrigger("a"), newTrigger("b")},
			read:   func(w *world) { w.read("orders", 0, 1); w.fails("orders", 1, down) },
			status: metav1.ConditionUnknown, why: kedav1alpha1.ReasonPartialTriggerError, message: "trigger 1 (tray): no answer",
		},
		{
			reason: "one fails, none is active", triggers: []kedav1alpha1.ScaleTriggers{newTrigger("a"), newTrigger("b")},
			read:   func(w *world) { w.read("orders", 0, 0); w.fails("orders", 1, down) },
			status: metav1.ConditionFalse, why: kedav1alpha1.ReasonTriggerError, message: "trigger 1 (tray): no answer",
		},
		{
			reason: "one fails, another is unread", triggers: []kedav1alpha1.ScaleTriggers{newTrigger("a"), newTrigger("b")},
			read:   func(w *world) { w.fails("orders", 0, down) },
			status: metav1.ConditionFalse, why: kedav1alpha1.ReasonTriggerError, message: "trigger 0 (tray): no answer",
		},
		{
			reason: "two fail, in the order of their text", triggers: []kedav1alpha1.ScaleTriggers{newTrigger("a"), newTrigger("b")},
			read:   func(w *world) { w.fails("orders", 0, down); w.fails("orders", 1, down) },
			status: metav1.ConditionFalse, why: kedav1alpha1.ReasonTriggerError,
			message: "trigger 0 (tray): no answer; trigger 1 (tray): no answer",
		},
		{
			reason: "one cannot be decoded, another is active", triggers: []kedav1alpha1.ScaleTriggers{broken, newTrigger("b")},
			read:   func(w *world) { w.read("orders", 0, 1) },
			status: metav1.ConditionUnknown, why: kedav1alpha1.ReasonPartialTriggerError,
			message: `trigger "mine" (tray): parameter name is missing (set in metadata name)`,
		},
		{
			reason: "one cannot be decoded, another is not active", triggers: []kedav1alpha1.ScaleTriggers{broken, newTrigger("b")},
			read:   func(w *world) { w.read("orders", 0, 0) },
			status: metav1.ConditionFalse, why: kedav1alpha1.ReasonTriggerError,
			message: `trigger "mine" (tray): parameter name is missing (set in metadata name)`,
		},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t, newDeployment("orders", 1), newObject("orders", withTriggers(tc.triggers...)))
			w.settle("orders")
			tc.read(w)
			w.settle("orders")
			w.expectCondition("orders", kedav1alpha1.ConditionReady, tc.status, tc.why, tc.message)
		})
	}
}

// TestBrokenTriggerHolds: a trigger that cannot be decoded keeps its place in
// the HPA, and keeps the workload up, while the other one is read.
func TestBrokenTriggerHolds(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 4), newObject("orders",
		withTriggers(kedav1alpha1.ScaleTriggers{Type: "drawer", Metadata: map[string]string{}}, newTrigger("b"))))
	w.settle("orders")
	w.read("orders", 0, 0)
	w.settle("orders")
	w.expectScaled()
	var metrics []string
	for _, m := range w.hpa("keda-hpa-orders").Spec.Metrics {
		metrics = append(metrics, m.External.Metric.Name)
	}
	if diff := cmp.Diff([]string{"s0-drawer", "s1-tray-b"}, metrics); diff != "" {
		t.Errorf("metrics of the HPA (-want +got):\n%s", diff)
	}
}

// TestNotesAreToldOnce: what is odd about parameters is told once for each
// generation of the object, and not again after a restart.
func TestNotesAreToldOnce(t *testing.T) {
	note := "Normal KEDAScalerInfo: trigger 0 (tray): parameter shets is not known and has no effect"
	ready := "Normal ScaledObjectReady: ScaledObject is ready for scaling"
	w := newWorld(t, newDeployment("orders", 0), newObject("orders", withTriggers(newTrigger("orders", "shets", "7"))))
	w.settle("orders")
	w.read("orders", 0, 0)
	w.settle("orders")
	w.settle("orders")
	w.read("orders", 0, 3)
	w.settle("orders")
	var told []string
	for _, e := range w.events.take() {
		if e == note || e == ready {
			told = append(told, e)
		}
	}
	if diff := cmp.Diff([]string{ready, note}, told); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	leader := poll.NewLeader("that")
	leader.Elect()
	w.restart(leader)
	w.settle("orders")
	w.read("orders", 0, 3)
	w.settle("orders")
	w.expectEvents()

	so := newObject("orders")
	w.change(so, func() { so.Generation, so.Spec.MaxReplicaCount = 2, new(int32(7)) })
	w.settle("orders")
	w.settle("orders")
	w.expectEvents(note)
}

// TestWarningStands: what is odd about parameters stands on the object while it is so.
func TestWarningStands(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders", withTriggers(newTrigger("orders", "shets", "7"))))
	w.settle("orders")
	w.expectCondition("orders", kedav1alpha1.ConditionWarning, metav1.ConditionTrue, kedav1alpha1.ReasonTriggerParameters,
		"trigger 0 (tray): parameter shets is not known and has no effect")
	so := w.object("orders")
	w.change(so, func() { so.Generation, so.Spec.Triggers = 2, []kedav1alpha1.ScaleTriggers{newTrigger("orders")} })
	w.settle("orders")
	if c := w.object("orders").Status.Conditions; c.Has(kedav1alpha1.ConditionWarning) {
		t.Errorf("the warning is still there: %+v", c)
	}
}

// TestGone: an object that does not exist is forgotten.
func TestGone(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders"))
	w.settle("orders")
	if err := w.client.Delete(t.Context(), w.object("orders")); err != nil {
		t.Fatal(err)
	}
	w.settle("orders")
	if got := w.r.Engine.Size(); got != (poll.Size{}) {
		t.Errorf("the engine still holds %+v", got)
	}
	if w.r.Store.Find("shop", "orders", "s0-tray-orders") != nil {
		t.Error("the object is still answered for")
	}
}

// TestStatusFails: a status that cannot be written is an error, so that it is tried again.
func TestStatusFails(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders"))
	down := errors.New("the server is down")
	w.fail["patch status of ScaledObject"] = down
	if _, err := w.reconcile("orders"); !errors.Is(err, down) {
		t.Errorf("the reconcile ends with %v, want %v", err, down)
	}
}

// TestHPAActive: the object shows whether its HPA is able to scale.
func TestHPAActive(t *testing.T) {
	cases := []struct {
		reason    string
		condition autoscalingv2.HorizontalPodAutoscalerCondition
		status    metav1.ConditionStatus
		why       string
		message   string
	}{
		{
			"it is", autoscalingv2.HorizontalPodAutoscalerCondition{Status: corev1.ConditionTrue, Reason: "ValidMetricFound", Message: "computed 3"},
			metav1.ConditionTrue, kedav1alpha1.ReasonHPAActive, "The HPA is able to scale",
		},
		{
			"at zero it has nothing to do", autoscalingv2.HorizontalPodAutoscalerCondition{Status: corev1.ConditionFalse, Reason: "ScalingDisabled"},
			metav1.ConditionTrue, kedav1alpha1.ReasonScalingDisabled, "The target is at zero, where the HPA does not scale",
		},
		{
			"it gets no metric", autoscalingv2.HorizontalPodAutoscalerCondition{Status: corev1.ConditionFalse, Reason: "FailedGetExternalMetric", Message: "no answer"},
			metav1.ConditionFalse, "FailedGetExternalMetric", "no answer",
		},
		{
			"it gives no reason", autoscalingv2.HorizontalPodAutoscalerCondition{Status: corev1.ConditionUnknown, Message: "no answer"},
			metav1.ConditionFalse, kedav1alpha1.ReasonHPAMetricsUnavailable, "no answer",
		},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t, newDeployment("orders", 0), newObject("orders"))
			w.settle("orders")
			hpa := w.hpa("keda-hpa-orders")
			tc.condition.Type = autoscalingv2.ScalingActive
			hpa.Status.Conditions = append(hpa.Status.Conditions,
				autoscalingv2.HorizontalPodAutoscalerCondition{Type: autoscalingv2.AbleToScale, Status: corev1.ConditionTrue}, tc.condition)
			if err := w.client.Status().Update(t.Context(), hpa); err != nil {
				t.Fatal(err)
			}
			w.settle("orders")
			w.expectCondition("orders", kedav1alpha1.ConditionHPAActive, tc.status, tc.why, tc.message)
		})
	}
}
