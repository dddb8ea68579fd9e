package why

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/controller/activation"
	"github.com/freshet-io/freshet/scalers"
)

// judge finds the sentences. What keeps anything from being decided comes first,
// then what Freshet decides, then the HPA.
func (x *explainer) judge() {
	so, o, v := x.f.Object, &x.e.Object, x.verdict()
	count, known := x.count()
	ready := so.Status.Conditions.Get(kedav1alpha1.ConditionReady)
	switch {
	case so.Paused():
		x.paused()
	case x.foreign():
		o.State = whyv1alpha1.StateFaulty
		v.Now = fmt.Sprintf("HPA %s exists and belongs to %s, so that nothing is scaled by this object.", x.e.HPA.Name, x.e.HPA.Foreign)
		v.Next = "Nothing, until it is out of the way."
		v.Change = append(v.Change, fmt.Sprintf("Delete that HPA, choose another name in advanced.horizontalPodAutoscalerConfig.name, or take it over with the annotation %s: \"true\".",
			kedav1alpha1.AnnotationTransferHPAOwnership))
	case ready.IsFalse() && ready.Reason == kedav1alpha1.ReasonScaledObjectCheckFailed, !known:
		o.State = whyv1alpha1.StateFaulty
		v.Now = "Nothing is decided: " + firstOf(ready.Message, x.f.Target.Err, "how many replicas there are is not known") + "."
		v.Next = "It is looked at again when something changes, and each 30 s."
	default:
		x.decide(count)
	}
	x.suspects()
	x.unknowns()
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return strings.TrimSuffix(t, ".")
		}
	}
	return ""
}

func (x *explainer) paused() {
	x.e.Object.State = whyv1alpha1.StatePaused
	v, so := x.verdict(), x.f.Object
	wanted, err := so.PausedReplicas()
	switch {
	case err != nil:
		v.Now = fmt.Sprintf("Scaling is paused, but not at a number of replicas: %v.", err)
	case wanted != nil:
		v.Now = fmt.Sprintf("The annotation %s holds the workload at %s.", kedav1alpha1.AnnotationPausedReplicas, replicas(*wanted))
	default:
		v.Now = fmt.Sprintf("The annotation %s leaves the replicas as they are.", kedav1alpha1.AnnotationPaused)
	}
	v.Next = "Nothing, until the annotation is taken away. There is no HPA meanwhile, and triggers are not read."
	v.NotMore = append(v.NotMore, "Scaling is paused.")
	v.NotFewer = append(v.NotFewer, "Scaling is paused.")
	v.Change = append(v.Change, "Taking the annotation away begins scaling again at once.")
}

// decide says what Freshet decides now, and what the HPA does where it scales.
func (x *explainer) decide(count int32) {
	so := x.f.Object
	spec := activation.SpecOf(so)
	x.ours = activation.Decide(spec, x.says(), activation.State{
		Replicas: count, LastActive: x.f.LastActive, Created: so.CreationTimestamp.Time,
	}, x.f.Now)
	rests := x.rests()
	if !rests && x.f.HPA == nil {
		x.e.Object.State = whyv1alpha1.StateFaulty
		x.verdict().Now = upper(stay(count)) + fmt.Sprintf(": the HPA %s is not there.", x.e.HPA.Name)
		x.verdict().Next = "Freshet makes the HPA anew when it looks at the object."
		return
	}
	if !rests {
		x.scaling()
	}
	x.between(count, &spec)
}

// says is what the triggers say to the decision of Freshet.
func (x *explainer) says() []activation.Trigger {
	triggers := x.f.Triggers
	if x.f.Formula != nil {
		triggers = []Trigger{*x.f.Formula}
	}
	var all []activation.Trigger
	for i := range triggers {
		t := &triggers[i]
		said := activation.Trigger{Metric: t.Metric, Known: t.Known, Failures: t.Failures, Active: t.Active, Value: t.Value}
		switch {
		case t.Resource && !x.f.Object.OnlyResourceTriggers():
			continue
		case t.Resource:
			said.Known, said.Active = true, true
		case t.Err != "":
			said.Err = errors.New(t.Err)
		}
		if target := x.target(t.Metric); target != nil {
			said.Target, said.Total = float64(target.Milli)/milli, target.Type == "Value"
		}
		all = append(all, said)
	}
	return all
}

// between says what Freshet decides between the idle replicas and the first ones.
func (x *explainer) between(count int32, spec *activation.Spec) {
	o, v, d := &x.e.Object, x.verdict(), &x.ours
	rest := spec.Min
	if spec.Idle != nil {
		rest = *spec.Idle
	}
	switch d.Outcome {
	case activation.Paused:
		o.State = whyv1alpha1.StatePaused
		v.Now = upper(d.Why) + ": " + stay(count) + "."
		v.Next = "Nothing, until the annotation is taken away."
	case activation.Waiting:
		o.State = whyv1alpha1.StateWaiting
		v.Now = "The triggers are being read for the first time."
		v.Next = "The first readings decide; they are seconds away."
		v.NotFewer = append(v.NotFewer, "What was not read yet is not zero: nothing is scaled in on it.")
	case activation.Failing:
		o.State = whyv1alpha1.StateFailing
		v.Now = upper(d.Why) + ": a number that is missing is not zero."
		v.Next = x.afterFailures(d)
		v.NotFewer = []string{fmt.Sprintf("Nothing is scaled in while %s cannot be read.", list(d.Failed))}
	case activation.Cooling:
		left := d.Recheck.Sub(x.f.Now)
		o.State = whyv1alpha1.StateCooling
		v.Now = fmt.Sprintf("No trigger is active, and %s until the cooldown is over.", stay(count))
		v.Next = fmt.Sprintf("In %s the workload goes to %s, unless a trigger becomes active before.", span(left), replicas(rest))
		v.NotFewer = append(v.NotFewer, x.cooldown(spec))
	case activation.Deactivated:
		o.State = whyv1alpha1.StateCooling
		v.Now = "No trigger is active, and the cooldown is over."
		v.Next = fmt.Sprintf("The workload goes to %s now.", replicas(rest))
	case activation.Raised:
		o.State = whyv1alpha1.StateWaiting
		v.Now = upper(d.Why) + "."
		v.Next = fmt.Sprintf("The workload goes to %s now.", replicas(rest))
	case activation.Activated:
		o.State = whyv1alpha1.StateWaiting
		v.Now = upper(d.Why) + "."
		v.Next = fmt.Sprintf("The workload goes to %s now.", replicas(*d.Replicas))
	case activation.Idle:
		if o.State == "" {
			x.idle(count)
		}
	case activation.Active:
		x.active(d)
	}
	x.repair(d)
	if len(d.StoodIn) > 0 {
		x.standsIn(d)
	}
}

// active says what keeps the workload up, beside what the HPA does with it.
func (x *explainer) active(d *activation.Decision) {
	o, v := &x.e.Object, x.verdict()
	if o.State == "" {
		o.State, v.Now = whyv1alpha1.StateScaling, upper(d.Why)+"."
	}
	if len(d.StoodIn) > 0 {
		o.State = whyv1alpha1.StateFallback
	}
	if len(d.By) == 0 {
		v.Now = fmt.Sprintf("The annotation %s keeps the workload up. %s", kedav1alpha1.AnnotationForceActivation, v.Now)
		v.Change = append(v.Change, "Taking the annotation away lets the triggers decide again.")
	}
}

func (x *explainer) cooldown(spec *activation.Spec) string {
	if x.f.LastActive.IsZero() {
		return fmt.Sprintf("No trigger was ever active, and the initialCooldownPeriod of %s counts from when the object was made.", span(spec.InitialCooldown))
	}
	return fmt.Sprintf("A trigger was active %s ago, and the cooldownPeriod is %s.", span(x.f.Now.Sub(x.f.LastActive)), span(spec.Cooldown))
}

func (x *explainer) idle(count int32) {
	v := x.verdict()
	x.e.Object.State = whyv1alpha1.StateIdle
	v.Now = fmt.Sprintf("No trigger is active, so the workload rests at %s.", replicas(count))
	v.Next = "Nothing, until a trigger is active; then it goes straight to the replicas that are asked for."
	for i := range x.e.Readings {
		r := &x.e.Readings[i]
		if x.f.Formula != nil && r.Trigger >= 0 || r.Value == nil || r.Activation == nil {
			continue
		}
		at := fmt.Sprintf("%s is %s, and active only above %s", r.Metric, number(*r.Value), number(*r.Activation))
		if *r.Activation != 0 {
			at += fmt.Sprintf(" (its activation threshold): below it asks for nothing, whatever its target of %s says", number(r.Target))
		}
		v.NotMore = append(v.NotMore, at+".")
		v.Change = append(v.Change, fmt.Sprintf("Above %s, %s has the workload leave its idle replicas.", number(*r.Activation), r.Metric))
	}
	if x.f.Object.IdleReplicas() != nil && count > 0 {
		v.NotFewer = append(v.NotFewer, fmt.Sprintf("idleReplicaCount is %d.", count))
	}
}

// afterFailures is what comes when a source stays dead.
func (x *explainer) afterFailures(d *activation.Decision) string {
	fb := x.f.Object.Spec.Fallback
	if fb == nil {
		return "Nothing, until it can be read again: there is no fallback."
	}
	most := int32(0)
	for i := range x.f.Triggers {
		most = max(most, x.f.Triggers[i].Failures)
	}
	return fmt.Sprintf("After more than %d failures in a row the fallback asks for %s; there were %d of %s.",
		fb.FailureThreshold, replicas(fb.Replicas), most, list(d.Failed))
}

// repair says what mends the triggers that fail, where that is for the user to do.
func (x *explainer) repair(d *activation.Decision) {
	for i := range x.f.Triggers {
		switch t := &x.f.Triggers[i]; {
		case !slices.Contains(d.Failed, t.Metric):
		case t.Class == scalers.Configuration.String():
			x.verdict().Change = append(x.verdict().Change, fmt.Sprintf("Correcting the parameters of trigger %d (%s): nothing is read until then.", t.Index, t.Type))
		case t.Class == scalers.Authentication.String():
			x.verdict().Change = append(x.verdict().Change, fmt.Sprintf("Giving trigger %d (%s) credentials that its source accepts.", t.Index, t.Type))
		}
	}
}

func (x *explainer) standsIn(d *activation.Decision) {
	fb, v := x.f.Object.Spec.Fallback, x.verdict()
	said := fmt.Sprintf("%s cannot be read, and the fallback of %s stands in for %s, after more than %d failures in a row.",
		upper(list(d.StoodIn)), replicas(fb.Replicas), plural(len(d.StoodIn), "it", "them"), fb.FailureThreshold)
	v.Now = strings.TrimSpace(said + " " + v.Now)
	v.Change = append(v.Change, "The first reading that succeeds ends the fallback.")
}
