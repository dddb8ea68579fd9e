package checks

import (
	"fmt"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/metricsadapter/formula"
)

// formula checks that the formula of scalingModifiers can be used, and tries it
// out with another number for each trigger.
func (r *Result) formula(so *kedav1alpha1.ScaledObject) {
	m := so.ScalingModifiers()
	if m == nil || m.Formula == "" {
		return
	}
	add := func(field, message string) {
		r.Faults = append(r.Faults, Finding{Field: field, Message: message, Reason: ReasonModifiers})
	}
	var names []string
	var sample []formula.Variable
	for i := range so.Spec.Triggers {
		switch t := &so.Spec.Triggers[i]; {
		case t.IsResource():
		case t.Name == "":
			add(fmt.Sprintf("spec.triggers[%d].name", i), "is missing, and there is a formula: name each trigger that is not cpu or memory")
			return
		default:
			names = append(names, t.Name)
			sample = append(sample, formula.Variable{Name: t.Name, Value: 1.5 + float64(i)})
		}
	}
	if len(names) == 0 {
		add(formulaField, "has no trigger to work on: add one that is not cpu or memory")
		return
	}
	nilable := so.Spec.Fallback != nil && so.Spec.Fallback.EffectiveBehavior() == kedav1alpha1.FallbackBehaviorScalingModifiers
	f, err := formula.Compile(m.Formula, names, nilable)
	if err != nil {
		add(formulaField, err.Error())
		return
	}
	if _, _, err := f.Number(sample); err != nil { // other numbers may do
		r.Warnings = append(r.Warnings, Finding{Field: formulaField, Message: err.Error()})
	}
}
