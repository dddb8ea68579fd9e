package scaledobject

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/metricsadapter"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
)

var errTray = errors.New("the tray does not answer")

// withFallback gives a ScaledObject a fallback.
func withFallback(threshold, replicas int32, behavior kedav1alpha1.FallbackBehavior) func(*kedav1alpha1.ScaledObject) {
	return func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Fallback = &kedav1alpha1.Fallback{FailureThreshold: threshold, Replicas: replicas, Behavior: behavior}
	}
}

// withFormula names the first trigger a, the second b, and so on, and gives a
// ScaledObject a formula over them with a target of 2 and an activation target of 1.
func withFormula(text string) func(*kedav1alpha1.ScaledObject) {
	return func(so *kedav1alpha1.ScaledObject) {
		for i := range so.Spec.Triggers {
			so.Spec.Triggers[i].Name = string(rune('a' + i))
		}
		if so.Spec.Advanced == nil {
			so.Spec.Advanced = &kedav1alpha1.AdvancedConfig{}
		}
		so.Spec.Advanced.ScalingModifiers = &kedav1alpha1.ScalingModifiers{Formula: text, Target: "2", ActivationTarget: "1"}
	}
}

// answer is what the adapter gives the HPA for a metric: a number or "error".
func (w *world) answer(object, metric string) string {
	w.Helper()
	p := metricsadapter.NewProvider(w.r.Store, kedav1alpha1.LabelScaledObjectName).By(w.r.Rules)
	selector, err := labels.Parse(kedav1alpha1.LabelScaledObjectName + "=" + object)
	if err != nil {
		w.Fatal(err)
	}
	list, err := p.GetExternalMetric(w.Context(), "shop", selector, provider.ExternalMetricInfo{Metric: metric})
	if err != nil {
		return "error"
	}
	return list.Items[0].Value.String()
}

// metricNames are the external metrics of the object's HPA, with their targets.
func (w *world) metricNames(object string) []string {
	w.Helper()
	hpa := w.hpa("keda-hpa-" + object)
	if hpa == nil {
		w.Fatalf("%s has no HPA", object)
	}
	var names []string
	for _, m := range hpa.Spec.Metrics {
		switch {
		case m.External == nil:
			names = append(names, string(m.Type))
		case m.External.Target.Type == autoscalingv2.ValueMetricType:
			names = append(names, m.External.Metric.Name+" of "+m.External.Target.Value.String())
		default:
			names = append(names, m.External.Metric.Name+" at "+m.External.Target.AverageValue.String())
		}
	}
	return names
}

// TestFallback: past the threshold the fallback holds in the adapter's answer, in
// the decision, in the condition and in an event, and it ends with the first value.
func TestFallback(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders", withFallback(1, 3, "")))
	w.settle("orders")
	w.read("orders", 0, 0)
	w.settle("orders")
	w.expectCondition("orders", kedav1alpha1.ConditionFallback, metav1.ConditionFalse, kedav1alpha1.ReasonNoFallbackFound, "No trigger needs the fallback")
	w.forgetPast()

	w.fails("orders", 0, errTray)
	w.settle("orders")
	w.expectScaled()
	if got := w.answer("orders", "s0-tray-orders"); got != "error" {
		t.Errorf("below the threshold the HPA is given %s", got)
	}
	w.fails("orders", 0, errTray)
	w.settle("orders")
	w.expectScaled(3)
	if got := w.answer("orders", "s0-tray-orders"); got != "15" {
		t.Errorf("past the threshold the HPA is given %s, want 3 replicas of 5", got)
	}
	w.expectCondition("orders", kedav1alpha1.ConditionFallback, metav1.ConditionTrue, kedav1alpha1.ReasonFallbackExists,
		"The fallback stands in for s0-tray-orders, after more than 1 failures in a row")
	w.expectCondition("orders", kedav1alpha1.ConditionActive, metav1.ConditionTrue, kedav1alpha1.ReasonScalerActive, fallbackMessage)
	if !strings.Contains(strings.Join(w.events.take(), "\n"), "Warning ScaledObjectFallbackActivated: The fallback stands in") {
		t.Error("no event tells that the fallback began")
	}
	before := w.object("orders").Status.Health
	if diff := cmp.Diff(map[string]kedav1alpha1.HealthStatus{"s0-tray-orders": {NumberOfFailures: new(int32(2)), Status: kedav1alpha1.HealthStatusFailing}}, before); diff != "" {
		t.Errorf("health (-want +got):\n%s", diff)
	}
	w.forgetPast()
	for range 5 { // more of the same is not written
		w.fails("orders", 0, errTray)
		w.settle("orders")
	}
	w.expectWrites()
	w.read("orders", 0, 0)
	w.settle("orders")
	w.expectScaled() // the cooldown begins with the end of the fallback
	w.expectCondition("orders", kedav1alpha1.ConditionFallback, metav1.ConditionFalse, kedav1alpha1.ReasonNoFallbackFound, "No trigger needs the fallback")
	w.expectCondition("orders", kedav1alpha1.ConditionActive, metav1.ConditionFalse, kedav1alpha1.ReasonScalerCooldown, "No trigger is active, and the cooldown is not over")
	if !strings.Contains(strings.Join(w.events.take(), "\n"), "Normal ScaledObjectFallbackDeactivated") {
		t.Error("no event tells that the fallback ended")
	}
	if got := w.object("orders").Status.Health["s0-tray-orders"]; got.Status != kedav1alpha1.HealthStatusHappy || *got.NumberOfFailures != 0 {
		t.Errorf("health after a value: %+v", got)
	}
}

// TestFallbackOutlivesARestart: a new process goes on where the status says that
// counting had got to, before and after the threshold.
func TestFallbackOutlivesARestart(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 3), newObject("orders", withFallback(2, 3, "")))
	w.settle("orders")
	for range 3 {
		w.fails("orders", 0, errTray)
		w.settle("orders")
	}
	leader := poll.NewLeader("next")
	leader.Elect()
	w.restart(leader)
	w.settle("orders")
	if !w.object("orders").Status.Conditions.Get(kedav1alpha1.ConditionFallback).IsTrue() {
		t.Error("before its first reading the new process has ended the fallback")
	}
	w.fails("orders", 0, errTray)
	w.settle("orders")
	if got := w.answer("orders", "s0-tray-orders"); got != "15" {
		t.Errorf("after its first failed reading the new process answers %s", got)
	}
	w.read("orders", 0, 1)
	w.settle("orders")
	w.fails("orders", 0, errTray)
	w.settle("orders")
	if got := w.answer("orders", "s0-tray-orders"); got != "error" {
		t.Errorf("after a value, one failure is answered with %s", got)
	}
}

// TestFallbackBehaviors: what runs counts where the behavior says so.
func TestFallbackBehaviors(t *testing.T) {
	for behavior, want := range map[kedav1alpha1.FallbackBehavior]string{
		kedav1alpha1.FallbackBehaviorStatic:                  "15",
		kedav1alpha1.FallbackBehaviorCurrentReplicas:         "35",
		kedav1alpha1.FallbackBehaviorCurrentReplicasIfHigher: "35",
		kedav1alpha1.FallbackBehaviorCurrentReplicasIfLower:  "15",
	} {
		w := newWorld(t, newDeployment("orders", 7), newObject("orders", withFallback(0, 3, behavior)))
		w.settle("orders")
		w.fails("orders", 0, errTray)
		w.settle("orders")
		if got := w.answer("orders", "s0-tray-orders"); got != want {
			t.Errorf("%s: the HPA is given %s, want %s", behavior, got, want)
		}
		w.expectScaled()
	}
}

// TestFallbackOfBrokenTrigger: a trigger that cannot be built fails once each
// polling interval, and stops no other.
func TestFallbackOfBrokenTrigger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newDeployment("orders", 0), newObject("orders", withFallback(2, 4, ""),
			withTriggers(newTrigger("orders", "sheets", "many"))))
		result := w.settle("orders")
		if got := w.metricNames("orders"); cmp.Diff([]string{"s0-tray at 1"}, got) != "" {
			t.Errorf("metrics of the HPA: %v", got)
		}
		if got := w.answer("orders", "s0-tray"); got != "error" {
			t.Errorf("at first the HPA is given %s", got)
		}
		if result.RequeueAfter != time.Minute { // two intervals of 30 s
			t.Errorf("the fallback begins after %s, want 1m", result.RequeueAfter)
		}
		time.Sleep(result.RequeueAfter)
		w.settle("orders")
		w.expectScaled(4)
		if got := w.answer("orders", "s0-tray"); got != "4" {
			t.Errorf("past the threshold the HPA is given %s", got)
		}
		w.expectCondition("orders", kedav1alpha1.ConditionFallback, metav1.ConditionTrue, kedav1alpha1.ReasonFallbackExists,
			"The fallback stands in for s0-tray, after more than 2 failures in a row")
	})
}

// TestBrokenBesideGoodWithFallback: one broken trigger never stops the others.
func TestBrokenBesideGoodWithFallback(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders", withFallback(0, 2, ""),
		withTriggers(newTrigger("orders", "sheets", "many"), newTrigger("parcels"))))
	w.settle("orders")
	w.expectScaled(2) // at the threshold of 0 the fallback holds at once
	w.read("orders", 0, 20)
	w.settle("orders")
	if first, second := w.answer("orders", "s0-tray"), w.answer("orders", "s1-tray-parcels"); first != "2" || second != "20" {
		t.Errorf("the HPA is given %s and %s, want 2 and 20", first, second)
	}
}

// TestFormula: one metric takes the place of those that are read, and its result
// decides activity.
func TestFormula(t *testing.T) {
	cpu := kedav1alpha1.ScaleTriggers{Type: "cpu", MetricType: autoscalingv2.UtilizationMetricType, Metadata: map[string]string{"value": "60"}}
	w := newWorld(t, newDeployment("orders", 0), newObject("orders", withTriggers(newTrigger("orders"), newTrigger("parcels"), cpu), withFormula("a - b")))
	w.settle("orders")
	if diff := cmp.Diff([]string{"Resource", "composite-metric at 2"}, w.metricNames("orders")); diff != "" {
		t.Errorf("metrics of the HPA (-want +got):\n%s", diff)
	}
	status := w.object("orders").Status
	if status.CompositeScalerName != "composite-metric" || cmp.Diff([]string{"s0-tray-orders", "s1-tray-parcels"}, status.ExternalMetricNames) != "" {
		t.Errorf("the status names %q and %v", status.CompositeScalerName, status.ExternalMetricNames)
	}
	w.read("orders", 0, 9)
	w.read("orders", 1, 8)
	w.settle("orders")
	w.expectScaled() // 1 is not above the activation target
	w.expectCondition("orders", kedav1alpha1.ConditionActive, metav1.ConditionFalse, kedav1alpha1.ReasonScalerNotActive,
		"Scaling is not performed because triggers are not active")
	if got := w.answer("orders", "composite-metric"); got != "1" {
		t.Errorf("the HPA is given %s", got)
	}
	w.read("orders", 1, 2)
	w.settle("orders")
	w.expectScaled(4)
	w.forgetPast()
	w.fails("orders", 1, errTray)
	w.settle("orders")
	w.expectScaled()
	if got := w.answer("orders", "composite-metric"); got != "error" {
		t.Errorf("while a trigger fails the HPA is given %s", got)
	}
	w.change(newObject("orders"), func() {}) // no change
	so := newObject("orders")
	w.change(so, func() { so.Spec.Advanced.ScalingModifiers = nil })
	w.settle("orders")
	if diff := cmp.Diff([]string{"s0-tray-orders at 5", "s1-tray-parcels at 5", "Resource"}, w.metricNames("orders")); diff != "" {
		t.Errorf("metrics without the formula (-want +got):\n%s", diff)
	}
	if name := w.object("orders").Status.CompositeScalerName; name != "" {
		t.Errorf("without the formula the status names %q", name)
	}
}

// TestFormulaTurns: a reading that changes the outcome has the object looked at,
// though no trigger's own activity changed.
func TestFormulaTurns(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders", withFormula("a - 10")))
	w.r.Wakeups = &Wakeups{}
	woken := func() bool {
		name := types.NamespacedName{Namespace: "shop", Name: "orders"}
		was := w.r.Wakeups.waiting[name]
		delete(w.r.Wakeups.waiting, name)
		return was
	}
	w.settle("orders")
	w.read("orders", 0, 5)
	w.settle("orders")
	woken()
	w.read("orders", 0, 6)
	if woken() {
		t.Error("woken though the outcome is the same")
	}
	w.read("orders", 0, 50)
	if !woken() {
		t.Error("not woken though the formula became active")
	}
	w.settle("orders")
	w.expectScaled(4) // 20 replicas, as far as the scale-up rules allow at first
	last := time.Now()
	w.slot("orders", 0).Put(scalers.Reading{Value: scalers.Number(5), Active: true, At: last})
	if !woken() {
		t.Error("not woken though the formula became inactive")
	}
	w.settle("orders")
	w.expectCondition("orders", kedav1alpha1.ConditionActive, metav1.ConditionFalse, kedav1alpha1.ReasonScalerCooldown,
		"No trigger is active, and the cooldown is not over")
}

// TestFormulaWithoutNumber: what is no number is refused with a sentence, and
// nothing is scaled on it.
func TestFormulaWithoutNumber(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 3), newObject("orders", withFormula("10 / a")))
	w.settle("orders")
	w.read("orders", 0, 0)
	w.settle("orders")
	w.expectScaled()
	w.expectCondition("orders", kedav1alpha1.ConditionReady, metav1.ConditionFalse, kedav1alpha1.ReasonTriggerError,
		"the formula gives +Inf with a=0, which is no number to scale to: does it divide by a value that may be 0?")
	if got := w.answer("orders", "composite-metric"); got != "error" {
		t.Errorf("the HPA is given %s", got)
	}
}

// TestFormulaFallbacks: the fallback stands in for the whole formula, or a trigger
// is nil to it.
func TestFormulaFallbacks(t *testing.T) {
	two := withTriggers(newTrigger("orders"), newTrigger("parcels"))
	static := newWorld(t, newDeployment("orders", 0), newObject("orders", two, withFormula("a + b"), withFallback(0, 3, "")))
	nilable := newWorld(t, newDeployment("orders", 0),
		newObject("orders", two, withFormula("a ?? b"), withFallback(0, 3, kedav1alpha1.FallbackBehaviorScalingModifiers)))
	for _, tc := range []struct {
		reason string
		w      *world
		answer string
		scaled []int32
	}{
		{"static", static, "6", []int32{3}},
		{"by formula", nilable, "8", []int32{4}},
	} {
		tc.w.settle("orders")
		tc.w.fails("orders", 0, errTray)
		tc.w.read("orders", 1, 8)
		tc.w.settle("orders")
		if got := tc.w.answer("orders", "composite-metric"); got != tc.answer {
			t.Errorf("%s: the HPA is given %s, want %s", tc.reason, got, tc.answer)
		}
		tc.w.expectScaled(tc.scaled...)
		if !tc.w.object("orders").Status.Conditions.Get(kedav1alpha1.ConditionFallback).IsTrue() {
			t.Errorf("%s: the condition does not tell of the fallback", tc.reason)
		}
	}
}

// TestFormulaIsCompiledOnce: reconciles share what was compiled, until it changes.
func TestFormulaIsCompiledOnce(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders", withFormula("a + 1")))
	key := Key(client.ObjectKey{Namespace: "shop", Name: "orders"})
	w.settle("orders")
	first := w.r.formulas[key]
	w.settle("orders")
	if w.r.formulas[key] != first {
		t.Error("compiled again without a change")
	}
	so := newObject("orders")
	w.change(so, func() { so.Spec.Advanced.ScalingModifiers.Formula = "a + 2" })
	w.settle("orders")
	if w.r.formulas[key] == first {
		t.Error("not compiled again after a change")
	}
	w.annotate("orders", kedav1alpha1.AnnotationPaused, "true")
	w.settle("orders")
	if w.r.formulas[key] != nil || w.r.Rules.Of(key) != nil {
		t.Error("a paused object keeps its formula")
	}
}

// TestReplicasCannotBeRead: an API server that does not tell the count is named by a
// reason of its own, and scales nothing.
func TestReplicasCannotBeRead(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders", func(so *kedav1alpha1.ScaledObject) {
		so.Spec.ScaleTargetRef = kedav1alpha1.ScaleTarget{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Name: "orders"}
	}))
	w.scales.failGet = errors.New("the server is down")
	if _, err := w.reconcile("orders"); err == nil {
		t.Error("the reconcile is not tried again")
	}
	w.expectCondition("orders", kedav1alpha1.ConditionReady, metav1.ConditionFalse, kedav1alpha1.ReasonErrorGettingCurrentReplicas,
		"scaling argoproj.io/v1alpha1.Rollout shop/orders: the server is down")
	w.expectScaled()
}
