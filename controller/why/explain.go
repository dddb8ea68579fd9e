package why

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/controller/activation"
	"github.com/freshet-io/freshet/controller/horizontal"
)

// Explain says what is done with the object and why.
func Explain(f *Facts) *whyv1alpha1.Explanation {
	x := &explainer{f: f, e: &whyv1alpha1.Explanation{
		TypeMeta:   metav1.TypeMeta{APIVersion: whyv1alpha1.GroupVersion.String(), Kind: "Explanation"},
		ObjectMeta: metav1.ObjectMeta{Name: f.Name, Namespace: f.Namespace},
		Made:       metav1.NewTime(f.Now.Truncate(time.Second)),
		Target:     whyv1alpha1.Target{Kind: f.Target.Kind, Name: f.Target.Name, Replicas: f.Target.Replicas, Writer: f.Target.Writer, Error: f.Target.Err},
		Decisions:  f.Decisions,
		Witness:    f.Witness,
	}}
	x.e.Object.Kind = kedav1alpha1.KindScaledObject
	if f.Object == nil {
		x.deleted()
		return x.e
	}
	x.object()
	if !x.foreign() {
		x.expected = expect(f)
	}
	x.hpa()
	x.readings()
	x.judge()
	return x.e
}

// explainer makes one explanation.
type explainer struct {
	f        *Facts
	e        *whyv1alpha1.Explanation
	expected *expectation
	// ours is what Freshet would decide now.
	ours activation.Decision
}

func (x *explainer) verdict() *whyv1alpha1.Verdict { return &x.e.Verdict }

// count is how many replicas there are; known is false when that is not known.
func (x *explainer) count() (n int32, known bool) {
	if x.f.Target.Replicas == nil {
		return 0, false
	}
	return *x.f.Target.Replicas, true
}

// rests tells whether the workload has no more than its idle replicas, where the HPA
// has nothing to say.
func (x *explainer) rests() bool {
	n, known := x.count()
	idle := x.f.Object.IdleReplicas()
	return known && (n == 0 || idle != nil && n <= *idle && n < x.f.Object.MinReplicas())
}

// step is what the HPA makes of a metric, or nil.
func (x *explainer) step(metric string) *horizontal.MetricStep {
	if x.expected == nil {
		return nil
	}
	for i := range x.expected.decision.Metrics {
		if s := &x.expected.decision.Metrics[i]; s.Metric.Name == metric {
			return s
		}
	}
	return nil
}

func (x *explainer) deleted() {
	o := &x.e.Object
	o.State = whyv1alpha1.StateDeleted
	v := x.verdict()
	if x.f.Deleted.IsZero() {
		v.Now = "Nothing is known of this object."
		return
	}
	at := metav1.NewTime(x.f.Deleted.Truncate(time.Second))
	o.Deleted = &at
	v.Now = fmt.Sprintf("The ScaledObject was deleted %s ago. What was decided before is below.", span(x.f.Now.Sub(x.f.Deleted)))
	v.Next = "Nothing: its HPA is deleted with it, and nobody scales the workload for it any more."
	v.Unknown = append(v.Unknown, "Who deleted it: the audit log of the API server has that.")
}

func (x *explainer) object() {
	so, o := x.f.Object, &x.e.Object
	o.Min, o.Max, o.Idle = so.MinReplicas(), so.MaxReplicas(), so.IdleReplicas()
	if ready := so.Status.Conditions.Get(kedav1alpha1.ConditionReady); !ready.IsTrue() {
		o.Ready = ready.Message
	}
	if m := so.ScalingModifiers(); m != nil {
		x.e.Formula = &whyv1alpha1.Formula{Text: m.Formula}
		if x.f.Formula != nil {
			x.e.Formula.Error = x.f.Formula.Err
		}
	}
	if fb := so.Spec.Fallback; fb != nil {
		x.e.Fallback = &whyv1alpha1.Fallback{Replicas: fb.Replicas, Threshold: fb.FailureThreshold, Behavior: string(fb.Behavior)}
	}
}

// foreign tells whether the HPA of the object's name is somebody else's.
func (x *explainer) foreign() bool {
	hpa, so := x.f.HPA, x.f.Object
	if hpa == nil {
		return false
	}
	owner := metav1.GetControllerOf(hpa)
	return owner == nil || owner.Kind != kedav1alpha1.KindScaledObject || owner.Name != so.Name
}

func (x *explainer) hpa() {
	hpa := x.f.HPA
	h := &whyv1alpha1.HPA{Name: x.f.Object.HPAName()}
	x.e.HPA = h
	if hpa == nil {
		h.Missing = true
		return
	}
	h.Name, h.Max, h.Min = hpa.Name, hpa.Spec.MaxReplicas, 1
	if hpa.Spec.MinReplicas != nil {
		h.Min = *hpa.Spec.MinReplicas
	}
	h.Current, h.Desired, h.LastScale = hpa.Status.CurrentReplicas, hpa.Status.DesiredReplicas, hpa.Status.LastScaleTime
	for _, c := range hpa.Status.Conditions {
		h.Conditions = append(h.Conditions, whyv1alpha1.Condition{Type: string(c.Type), Status: string(c.Status), Reason: c.Reason, Message: c.Message})
	}
	h.Edited = Editors(hpa.ManagedFields)
	if x.foreign() {
		h.Foreign = "nobody"
		if owner := metav1.GetControllerOf(hpa); owner != nil {
			h.Foreign = owner.Kind + " " + owner.Name
		}
		return
	}
	if x.expected != nil && !x.rests() {
		x.expectation(h)
	}
}

// expectation is what the HPA is expected to do, and what that supposes.
func (x *explainer) expectation(h *whyv1alpha1.HPA) {
	spec, d := x.expected.spec, &x.expected.decision
	h.Assumed = whyv1alpha1.Assumed{
		SyncSeconds: int64(syncPeriod.Seconds()), ToleranceUp: spec.ToleranceUp, ToleranceDown: spec.ToleranceDown,
		ToleranceKnown:    ownTolerance(x.f.HPA),
		WindowDownSeconds: int64(spec.Settings.DownscaleStabilization.Seconds()),
	}
	if spec.Up != nil {
		h.Assumed.WindowUpSeconds, h.Assumed.WindowDownSeconds = int64(spec.Up.Window.Seconds()), int64(spec.Down.Window.Seconds())
	}
	if d.Outcome == horizontal.Disabled || d.Outcome == horizontal.NoTarget {
		return
	}
	desired := d.Desired
	h.Expected = &desired
	h.Steps = Steps(spec, d)
	for _, l := range x.expected.later {
		h.Later = append(h.Later, whyv1alpha1.Later{Replicas: l.replicas, InSeconds: int64(l.in.Seconds()), Why: l.why})
	}
}
