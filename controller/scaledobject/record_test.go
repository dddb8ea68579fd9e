package scaledobject

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/controller/ledger"
)

// expectRecorded compares the decisions in the ledger, the newest first, but for
// their times.
func (w *world) expectRecorded(name string, want ...whyv1alpha1.Decision) {
	w.Helper()
	got, _ := w.r.Ledger.Of(Key(client.ObjectKey{Namespace: "shop", Name: name}), time.Now())
	ignored := []cmp.Option{
		cmpopts.IgnoreFields(whyv1alpha1.Decision{}, "At"), cmpopts.IgnoreFields(whyv1alpha1.Input{}, "AgeSeconds"),
	}
	if diff := cmp.Diff(want, got, ignored...); diff != "" {
		w.Errorf("recorded (-want +got):\n%s", diff)
	}
}

// TestDecisionsAreRecorded: each decision that is another than the one before, with
// what it was made of.
func TestDecisionsAreRecorded(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders"))
	w.r.Ledger = ledger.New(ledger.DefaultBounds())
	w.settle("orders")
	w.read("orders", 0, 12)
	w.settle("orders")
	metric, by := "s0-tray-orders", whyv1alpha1.MakerFreshet
	waiting := whyv1alpha1.Decision{By: by, Outcome: "Waiting", Why: "the triggers are being read for the first time",
		Inputs: []whyv1alpha1.Input{{Metric: metric, Target: 5}}}
	activated := whyv1alpha1.Decision{By: by, Outcome: "Activated", From: 0, To: 3, Why: metric + " active: " + metric + " asks for 3",
		Inputs: []whyv1alpha1.Input{{Metric: metric, Value: new(12.0), Target: 5, Asks: 3, Active: true}}}
	w.expectRecorded("orders", activated, waiting)
	for range 3 {
		w.read("orders", 0, 20)
		w.settle("orders")
	}
	active := whyv1alpha1.Decision{By: by, Outcome: "Active", From: 3, To: 3, Why: metric + " active: the HPA scales between 1 and 100",
		Inputs: []whyv1alpha1.Input{{Metric: metric, Value: new(20.0), Target: 5, Asks: 4, Active: true}}}
	w.expectRecorded("orders", active, activated, waiting)

	w.fails("orders", 0, errors.New("no answer"))
	w.settle("orders")
	failing := whyv1alpha1.Decision{By: by, Outcome: "Failing", From: 3, To: 3, Why: metric + " cannot be read, so the 3 replicas stay",
		Inputs: []whyv1alpha1.Input{{Metric: metric, Target: 5, Error: "no answer", Failures: 1}}}
	w.expectRecorded("orders", failing, active, activated, waiting)

	w.annotate("orders", kedav1alpha1.AnnotationPausedReplicas, "2")
	w.settle("orders")
	w.settle("orders")
	paused := whyv1alpha1.Decision{By: by, Outcome: "Paused", From: 3, To: 2, Why: "scaling is paused by an annotation"}
	w.expectRecorded("orders", paused, failing, active, activated, waiting)

	w.settle("orders")
	if err := w.client.Delete(t.Context(), w.object("orders")); err != nil {
		t.Fatal(err)
	}
	w.settle("orders")
	w.settle("orders")
	w.settle("orders")
	ended := whyv1alpha1.Decision{By: by, Outcome: "Deleted", From: 2, To: 2, Why: "the ScaledObject was deleted, or its labels are not selected any more"}
	w.expectRecorded("orders", ended, paused, failing, active, activated, waiting)
}

// TestFaultsAreRecorded: that nothing is decided, and why.
func TestFaultsAreRecorded(t *testing.T) {
	w := newWorld(t, newObject("orders"))
	w.r.Ledger = ledger.New(ledger.DefaultBounds())
	w.settle("orders")
	w.settle("orders")
	got, _ := w.r.Ledger.Of(Key(client.ObjectKey{Namespace: "shop", Name: "orders"}), time.Now())
	if len(got) != 1 || got[0].Outcome != "Faulty" || got[0].Why == "" {
		t.Errorf("recorded is %+v", got)
	}
}
