package explanations

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/controller/ledger"
	"github.com/freshet-io/freshet/metricsadapter/fallback"
	"github.com/freshet-io/freshet/metricsadapter/rules"
	"github.com/freshet-io/freshet/scalers"
)

// TestExplain: what was read, what the HPA will do, who wrote the replicas.
func TestExplain(t *testing.T) {
	w := newWorld(t)
	w.read(41)
	e, known, err := w.Explain(t.Context(), "shop", "worker")
	if err != nil || !known {
		t.Fatalf("known is %v: %v", known, err)
	}
	if e.Object.State != whyv1alpha1.StateScaling || e.Target.Replicas == nil || *e.Target.Replicas != 7 {
		t.Errorf("it is %+v of %+v", e.Object, e.Target)
	}
	if r := e.Readings; len(r) != 1 || r[0].Value == nil || *r[0].Value != 41 || *r[0].Asks != 9 || !r[0].Active || r[0].Type != "redis" {
		t.Errorf("the readings are %+v", r)
	}
	if h := e.HPA; h == nil || h.Expected == nil || *h.Expected != 9 {
		t.Errorf("the HPA is %+v", h)
	}
	if writer := e.Target.Writer; writer == nil || writer.Who != whyv1alpha1.MakerHPA {
		t.Errorf("the replicas were written by %+v", writer)
	}
	if !e.Witness.Decides || e.Witness.Replica != "freshet-0" {
		t.Errorf("the witness is %+v", e.Witness)
	}
	if _, known, err := w.Explain(t.Context(), "shop", "nothing"); known || err != nil {
		t.Errorf("an object that never was is known: %v, %v", known, err)
	}
}

// TestFailing: an error is told, with what the fallback gives the HPA in its place.
func TestFailing(t *testing.T) {
	w := newWorld(t)
	cause := scalers.UnavailableError("no answer")
	for range 4 {
		w.slot.Put(scalers.Reading{Err: cause, At: time.Now()})
	}
	w.Rules.Set(keyOf("shop", "worker"), &rules.Rules{
		Fallback: &fallback.Spec{Threshold: 3, Replicas: 6}, Targets: map[string]fallback.Target{metric: {Value: 5}},
		Triggers: []rules.Trigger{{Metric: metric, Slot: w.slot}},
	})
	e, _, err := w.Explain(t.Context(), "shop", "worker")
	if err != nil {
		t.Fatal(err)
	}
	if r := e.Readings[0]; r.Error != "no answer" || r.Failures != 4 || !r.StandIn || *r.Value != 30 {
		t.Errorf("the reading is %+v", r)
	}
}

// TestBrokenTrigger: a trigger that cannot be built is told with what to change.
func TestBrokenTrigger(t *testing.T) {
	w := newWorld(t)
	w.Store.Remove(keyOf("shop", "worker"))
	w.Rules.Set(keyOf("shop", "worker"), &rules.Rules{Triggers: []rules.Trigger{{
		Metric: scalers.MetricName(0, "redis"), Broken: &rules.Broken{Err: scalers.ConfigurationError("listLength is no number"), Since: time.Now(), Interval: time.Minute},
	}}})
	e, _, err := w.Explain(t.Context(), "shop", "worker")
	if err != nil {
		t.Fatal(err)
	}
	if e.Object.State != whyv1alpha1.StateFailing || !slices.ContainsFunc(e.Verdict.Change, func(s string) bool { return strings.Contains(s, "Correcting the parameters") }) {
		t.Errorf("it is %s: %+v", e.Object.State, e.Verdict)
	}
}

// TestFormulaIsTold: what the formula makes of the readings, or why it cannot.
func TestFormulaIsTold(t *testing.T) {
	w := newWorld(t)
	w.read(41)
	w.Rules.Set(keyOf("shop", "worker"), &rules.Rules{CompositeErr: errors.New("the formula is unclear"), Triggers: []rules.Trigger{{Metric: metric, Slot: w.slot}}})
	e, _, err := w.Explain(t.Context(), "shop", "worker")
	if err != nil {
		t.Fatal(err)
	}
	if last := e.Readings[len(e.Readings)-1]; last.Metric != kedav1alpha1.CompositeMetricName || last.Error != "the formula is unclear" {
		t.Errorf("the readings are %+v", e.Readings)
	}
}

// TestWitness: the HPA's decisions are kept once, with what it read to the last item
// though its status has an average.
func TestWitness(t *testing.T) {
	w := newWorld(t)
	witness, hpa, key, now := &Witness{w.Gatherer}, newHPA(), keyOf("shop", "worker"), time.Now()
	w.read(33)
	for i := range 3 { // syncs that change nothing
		witness.scaled(hpa, now.Add(time.Duration(i)*time.Second))
	}
	next := hpa.DeepCopy()
	next.Status = statusOf(7, 7, "4715m") // rounded up from 33 by 7
	next.Status.Conditions[0].Reason = "ReadyForNewScale"
	witness.scaled(next, now.Add(15*time.Second))
	got, _ := w.Ledger.Of(key, now)
	if len(got) != 1 || got[0].From != 4 || got[0].To != 7 || got[0].Outcome != "ScaledUp" || got[0].Why != metric+" asks for 7: 33 by 5 each is 6.6" {
		t.Fatalf("kept is %+v", got)
	}
	if in := got[0].Inputs; len(in) != 1 || *in[0].Value != 33 || in[0].Asks != 7 || in[0].Target != 5 {
		t.Errorf("it was made of %+v", in)
	}
	held := next.DeepCopy()
	held.Status = statusOf(7, 7, "1429m") // 10 items
	held.Status.Conditions[0].Reason = "ScaleDownStabilized"
	witness.scaled(held, now.Add(30*time.Second))
	got, _ = w.Ledger.Of(key, now)
	if len(got) != 2 || got[0].Outcome != "Held" || !strings.Contains(got[0].Why, "asks for 2: 10 by 5 each is 2; 7 was asked for until") {
		t.Errorf("kept is %+v", got)
	}
	runs, _ := w.Ledger.AskedOf(key, now.Add(40*time.Second))
	if len(runs) != 2 || runs[0].Replicas != 7 || runs[1].Replicas != 2 {
		t.Errorf("asked for was %+v", runs)
	}
	failed := held.DeepCopy()
	failed.Status.Conditions[1] = autoscalingv2.HorizontalPodAutoscalerCondition{
		Type: autoscalingv2.ScalingActive, Status: "False", Reason: "FailedGetExternalMetric", Message: "unable to get external metric",
	}
	witness.scaled(failed, now.Add(45*time.Second))
	if got, _ = w.Ledger.Of(key, now); got[0].Outcome != "FailedGetExternalMetric" || got[0].Why != "unable to get external metric" {
		t.Errorf("kept is %+v", got[0])
	}
	foreign := hpa.DeepCopy()
	foreign.OwnerReferences = nil
	foreign.Status.DesiredReplicas = 9
	witness.scaled(foreign, now)
	if again, _ := w.Ledger.Of(key, now); len(again) != len(got) {
		t.Errorf("of somebody else's HPA is kept: %+v", again[0])
	}
}

// TestOnlooker: a replica that is not the owner keeps what the status tells, and says
// that it only looks on.
func TestOnlooker(t *testing.T) {
	w := newWorld(t)
	witness, so := &Witness{w.Gatherer}, newObject()
	witness.told(so, time.Now())
	if got, _ := w.Ledger.Of(keyOf("shop", "worker"), time.Now()); got != nil {
		t.Errorf("the owner keeps what it told itself: %+v", got)
	}
	w.owner.name = "freshet-1"
	for range 2 {
		witness.told(so, time.Now())
	}
	got, _ := w.Ledger.Of(keyOf("shop", "worker"), time.Now())
	if len(got) != 1 || got[0].Outcome != kedav1alpha1.ReasonScalerActive || got[0].To != 7 || !strings.Contains(got[0].Why, "as its status tells") {
		t.Errorf("kept is %+v", got)
	}
	e, _, err := w.Explain(t.Context(), "shop", "worker")
	if err != nil || e.Witness.Decides || !slices.ContainsFunc(e.Verdict.Unknown, func(s string) bool { return strings.Contains(s, "freshet-1 decides") }) {
		t.Errorf("the witness is %+v (%v), and not known is %q", e.Witness, err, e.Verdict.Unknown)
	}
}

// TestStorage: who may read the object is answered, others are not, whether or not
// there is one.
func TestStorage(t *testing.T) {
	w := newWorld(t)
	w.read(41)
	w.Ledger.Write(keyOf("shop", "old"), 1, &whyv1alpha1.Decision{At: ledger.Second(time.Now()), By: whyv1alpha1.MakerFreshet, Outcome: "Idle"})
	w.Ledger.Delete(keyOf("shop", "old"), &whyv1alpha1.Decision{At: ledger.Second(time.Now()), By: whyv1alpha1.MakerFreshet, Outcome: "Deleted"})
	s := NewStorage(w.Gatherer, &Access{who{"ann get shop/worker", "ann list shop/", "bob get shop/*", "cid list /"}})
	for _, tc := range []struct {
		user, namespace, name string
		want                  metav1.StatusReason
	}{
		{"ann", "shop", "worker", ""},
		{"ann", "shop", "old", metav1.StatusReasonForbidden},
		{"bob", "shop", "old", ""},
		{"bob", "shop", "nothing", metav1.StatusReasonNotFound},
		{"bob", "bank", "nothing", metav1.StatusReasonForbidden},
		{"cid", "shop", "worker", metav1.StatusReasonForbidden},
		{"", "shop", "worker", metav1.StatusReasonUnauthorized},
	} {
		got, err := s.Get(as(t, tc.user, tc.namespace), tc.name, &metav1.GetOptions{})
		if apierrors.ReasonForError(err) != tc.want || (err == nil) != (got != nil) {
			t.Errorf("%s reads %s/%s: %v, want %q", tc.user, tc.namespace, tc.name, err, tc.want)
		}
	}
	for _, tc := range []struct {
		user, namespace string
		options         *internalversion.ListOptions
		want            string
		reason          metav1.StatusReason
	}{
		{"ann", "shop", nil, "old Deleted, worker Scaling", ""},
		{"ann", "shop", &internalversion.ListOptions{LabelSelector: labels.SelectorFromSet(labels.Set{"team": "orders"})}, "worker Scaling", ""},
		{"ann", "shop", &internalversion.ListOptions{LabelSelector: labels.SelectorFromSet(labels.Set{"team": "mail"})}, "", ""},
		{"ann", "shop", &internalversion.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", "worker")}, "", metav1.StatusReasonBadRequest},
		{"ann", "", nil, "", metav1.StatusReasonForbidden},
		{"bob", "shop", nil, "", metav1.StatusReasonForbidden},
		{"cid", "", nil, "old Deleted, worker Scaling", ""},
	} {
		got, err := s.List(as(t, tc.user, tc.namespace), tc.options)
		if apierrors.ReasonForError(err) != tc.reason {
			t.Errorf("%s lists %q: %v, want %q", tc.user, tc.namespace, err, tc.reason)
			continue
		}
		if err != nil {
			continue
		}
		var names []string
		for _, e := range got.(*whyv1alpha1.ExplanationList).Items {
			names = append(names, e.Name+" "+string(e.Object.State))
		}
		if strings.Join(names, ", ") != tc.want {
			t.Errorf("%s lists %q: %q, want %q", tc.user, tc.namespace, names, tc.want)
		}
		table, err := s.ConvertToTable(t.Context(), got, nil)
		if err != nil || len(table.Rows) != len(names) {
			t.Errorf("as a table it is %+v, %v", table, err)
		}
	}
}

// TestGroup: the API group can be made, and all its kinds are described.
func TestGroup(t *testing.T) {
	g := Group(NewStorage(newWorld(t).Gatherer, &Access{who{}}))
	if v := g.Info.PrioritizedVersions; len(v) != 1 || v[0] != whyv1alpha1.GroupVersion || g.Info.VersionedResourcesStorageMap["v1alpha1"]["explanations"] == nil {
		t.Errorf("the versions are %v", v)
	}
}

// BenchmarkCursory is what one object of a list costs.
func BenchmarkCursory(b *testing.B) {
	t := &testing.T{}
	w := newWorld(t)
	w.read(41)
	so, now := newObject(), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		w.Cursory(b.Context(), so, now)
	}
}
