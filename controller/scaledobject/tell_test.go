package scaledobject

import (
	"errors"
	"strings"
	"testing"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers/poll"
)

const (
	startedEvent = "Normal KEDAScalersStarted: Started scalers watch; Scaler tray is built"
	builtEvent   = "Normal KEDAScalersStarted: Scaler tray is built"
)

// TestWatchIsTold: what begins and ceases to be read is told when it does, and a
// restart tells nothing again.
func TestWatchIsTold(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders", withTriggers(newTrigger("orders"), kedav1alpha1.ScaleTriggers{Type: "tray"})))
	change := func(triggers ...kedav1alpha1.ScaleTriggers) func() {
		return func() {
			so := newObject("orders")
			w.change(so, func() { so.Generation++; so.Spec.Triggers = triggers })
		}
	}
	steps := []struct {
		reason string
		do     func()
		events []string
	}{
		{"it begins, and of two triggers one can be built", func() {}, []string{
			"Warning KEDAScalerFailed: trigger 1 (tray): parameter name is missing (set in metadata name)", startedEvent,
		}},
		{"a restart", func() {
			leader := poll.NewLeader("that")
			leader.Elect()
			w.restart(leader)
		}, nil},
		{"the other is mended", change(newTrigger("orders"), newTrigger("parcels")), []string{builtEvent}},
		{"cpu comes, which the HPA reads", change(newTrigger("orders"), newTrigger("parcels"), kedav1alpha1.ScaleTriggers{
			Type: "cpu", MetricType: "Utilization", Metadata: map[string]string{"value": "60"},
		}), []string{"Normal KEDAScalersStarted: Scaler cpu is built"}},
		{"a target changes, which makes no other trigger", change(newTrigger("orders", "sheets", "9"), newTrigger("parcels")), nil},
		{"the HPA gets another name", func() {
			so := newObject("orders")
			w.change(so, func() {
				so.Spec.Advanced = &kedav1alpha1.AdvancedConfig{HorizontalPodAutoscalerConfig: &kedav1alpha1.HorizontalPodAutoscalerConfig{Name: "mine"}}
			})
		}, nil},
		{"it is paused", func() { w.annotate("orders", kedav1alpha1.AnnotationPaused, "true") }, []string{
			"Normal ScaledObjectPaused: ScaledObject is paused: its HPA is removed until the annotation is", stoppedEvent,
		}},
		{"it goes on", func() { w.annotate("orders", kedav1alpha1.AnnotationPaused, "") }, []string{
			"Normal ScaledObjectUnpaused: ScaledObject is no longer paused", "Normal KEDAScalersStarted: Started scalers watch; Scaler tray is built",
		}},
	}
	for _, step := range steps {
		t.Run(step.reason, func(t *testing.T) {
			w.T = t
			step.do()
			w.settle("orders")
			w.expectEvents(step.events...)
			w.settle("orders")
			w.expectEvents()
		})
	}
}

// TestNothingIsWatchedOfAFault: an object that cannot be scaled starts nothing.
func TestNothingIsWatchedOfAFault(t *testing.T) {
	w := newWorld(t, newObject("orders"))
	w.settle("orders")
	for _, e := range w.events.take() {
		if strings.Contains(e, "KEDAScalersStarted") {
			t.Errorf("told is %q, and there is no target", e)
		}
	}
}

// TestUnwrittenIsTold: an object that cannot be written is told of once for each
// error in a row, and again after it could be.
func TestUnwrittenIsTold(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders", withRestore))
	down, refused := errors.New("the server is down"), errors.New("the webhook refuses")
	const finalizer, status = "patch ScaledObject", "patch status of ScaledObject"
	steps := []struct {
		reason string
		do     func()
		event  string
	}{
		{"the finalizer cannot be added", func() { w.fail[finalizer] = down },
			"Warning ScaledObjectUpdateFailed: adding finalizer: the server is down"},
		{"it still cannot", func() {}, ""},
		{"the status cannot be written", func() { delete(w.fail, finalizer); w.fail[status] = down },
			"Warning ScaledObjectUpdateFailed: writing status: the server is down"},
		{"for another reason", func() { w.fail[status] = refused },
			"Warning ScaledObjectUpdateFailed: writing status: the webhook refuses"},
		{"it can", func() { delete(w.fail, status) }, ""},
		{"it cannot again", func() { w.read("orders", 0, 3); w.fail[status] = refused },
			"Warning ScaledObjectUpdateFailed: writing status: the webhook refuses"},
	}
	for _, step := range steps {
		t.Run(step.reason, func(t *testing.T) {
			w.T = t
			step.do()
			_, err := w.reconcile("orders")
			var told []string
			for _, e := range w.events.take() {
				if strings.HasPrefix(e, "Warning ScaledObjectUpdateFailed") {
					told = append(told, e)
				}
			}
			switch {
			case step.event == "" && len(told) > 0:
				t.Errorf("told is %q", told)
			case step.event != "" && (err == nil || len(told) != 1 || told[0] != step.event):
				t.Errorf("told is %q (%v), want %q", told, err, step.event)
			}
		})
	}
}

// TestFailedReason: of a formula, a source that fails is another event than a trigger
// that cannot be built.
func TestFailedReason(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders", withFormula("a + 1")))
	w.settle("orders")
	w.forgetPast()
	w.fails("orders", 0, errTray)
	w.settle("orders")
	w.expectEvents(`Warning KEDAMetricSourceFailed: trigger "a" (tray): the tray does not answer`)
	w.settle("orders")
	w.expectEvents()
}
