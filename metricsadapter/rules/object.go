package rules

import (
	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
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
