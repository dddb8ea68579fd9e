package rules

import (
	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/metricsadapter/fallback"
	"github.com/freshet-io/freshet/metricsadapter/formula"
	"github.com/freshet-io/freshet/scalers"
)

// Variables are the names that the formula of an object may use: those of the
// triggers that are read. The error is of class Configuration.
func Variables(so *kedav1alpha1.ScaledObject) ([]string, error) {
	var names []string
	for i := range so.Spec.Triggers {
		t := &so.Spec.Triggers[i]
		switch {
		case t.IsResource():
		case t.Name == "":
			return nil, scalers.ConfigurationError("trigger %d (%s) has no name, and there is a formula: "+
				"name each trigger that is not cpu or memory", i, t.Type)
		default:
			names = append(names, t.Name)
		}
	}
	if len(names) == 0 {
		return nil, scalers.ConfigurationError("scalingModifiers has no trigger to work on: add one that is not cpu or memory")
	}
	return names, nil
}

// CheckFormula tells what is wrong with the formula of an object, if it has one, as
// far as the object alone shows it. It makes no call.
func CheckFormula(so *kedav1alpha1.ScaledObject) error {
	m := so.ScalingModifiers()
	if m == nil || m.Formula == "" {
		return nil
	}
	names, err := Variables(so)
	if err != nil {
		return err
	}
	_, err = formula.Compile(m.Formula, names, fallback.Of(so).ByFormula())
	return err
}
