package scalers

import (
	"reflect"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/freshet-io/freshet/scalers/param"
)

// Resource is what the struct of a trigger implements that the HPA measures
// itself. Nothing is read, and the trigger takes no part in activation.
type Resource interface {
	// Metric returns what the HPA is asked to measure. The error is of class
	// Configuration. Before it, Bind is called where the trigger has it.
	Metric() (autoscalingv2.MetricSpec, error)
}

// ResourceKind is the registration of a trigger that the HPA measures itself. T
// is a pointer to its struct.
type ResourceKind[T Resource] struct {
	// Types, Category, Since, Label and Example are as in [Kind].
	Types    []string
	Category string
	Since    string
	Label    string
	Example  map[string]string
	// ExampleMetricType is the metricType of the example.
	ExampleMetricType autoscalingv2.MetricTargetType
}

// RegisterResource is [Register] for a trigger that the HPA measures itself.
func RegisterResource[T Resource](k ResourceKind[T]) {
	t := reflect.TypeFor[T]()
	check(t, k.Types, k.Category, k.Since, k.Label, k.Example)
	r := &Registration{
		Types: k.Types, Category: k.Category, Since: k.Since, Label: k.Label, Example: k.Example,
		ExampleMetricType: k.ExampleMetricType, Plan: param.NewPlan(t.Elem()), Struct: t.Elem(), Resource: true,
	}
	r.decode = func(in param.Input, setting Setting) (*Scaler, []param.Notice, error) {
		trigger, notices, err := fill[T](r, in, setting)
		if err != nil {
			return nil, notices, err
		}
		metric, err := trigger.Metric()
		if err != nil {
			return nil, notices, err
		}
		fingerprint := r.Plan.Fingerprint(trigger)
		return &Scaler{Stem: r.Types[0], Kind: r, Resource: &metric, Fingerprint: fingerprint, Query: fingerprint, trigger: trigger}, notices, nil
	}
	add(r)
}
