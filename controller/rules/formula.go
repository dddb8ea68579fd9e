package rules

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/expr-lang/expr"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// formula checks that the formula of scalingModifiers can be computed.
func (r *Result) formula(so *kedav1alpha1.ScaledObject) {
	m := so.ScalingModifiers()
	if m == nil || m.Formula == "" {
		return
	}
	var names []string
	for i := range so.Spec.Triggers {
		if t := &so.Spec.Triggers[i]; t.Name != "" && !t.IsResource() {
			names = append(names, t.Name)
		}
	}
	if err := checkFormula(m.Formula, names); err != nil {
		r.Faults = append(r.Faults, Finding{Field: formulaField, Message: err.Error(), Reason: ReasonModifiers})
	}
}

// checkFormula compiles a formula over the triggers' names and runs it once, with
// another number for each.
func checkFormula(formula string, names []string) error {
	env := make(map[string]float64, len(names))
	for i, name := range names {
		env[name] = 1.5 + float64(i)
	}
	program, err := expr.Compile(formula, expr.Env(env))
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	out, err := expr.Run(program, env)
	if err != nil {
		return fmt.Errorf("cannot be computed: %w", err)
	}
	v := reflect.ValueOf(out)
	switch {
	case !v.IsValid():
		return errors.New("gives nothing: write one that gives a number")
	case !v.CanConvert(reflect.TypeFor[float64]()):
		return fmt.Errorf("gives a %s: write one that gives a number", v.Kind())
	}
	return nil
}
