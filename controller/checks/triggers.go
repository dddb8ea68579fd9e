package checks

import (
	"errors"
	"fmt"
	"strconv"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// object is the one whose triggers are checked.
type object struct {
	kind, namespace, name string
	formula               bool
	around                Around
}

// triggers checks the parameters of every trigger with the decoder that the
// controllers use, and tells the metrics of those that are good.
func (r *Result) triggers(o *object, triggers []kedav1alpha1.ScaleTriggers) {
	for i := range triggers {
		r.trigger(o, i, &triggers[i])
	}
}

func (r *Result) trigger(o *object, i int, t *kedav1alpha1.ScaleTriggers) {
	at := fmt.Sprintf("spec.triggers[%d]", i)
	in, identity := r.input(o, at, t)
	c, notices, err := scalers.Check(t.Type, in, scalers.Setting{
		Object: scalers.ObjectRef{Kind: o.kind, Namespace: o.namespace, Name: o.name},
		Index:  i, Name: t.Name, MetricType: t.MetricType, Formula: o.formula, Identity: identity,
	})
	for _, n := range notices {
		r.Warnings = append(r.Warnings, Finding{Field: at + ".metadata." + n.Key, Message: n.Message})
	}
	switch {
	case err == nil:
		r.Metrics = append(r.Metrics, metric(i, t, c))
	case c.Kind == nil:
		r.Faults = append(r.Faults, Finding{Field: at + ".type", Message: err.Error(), Reason: ReasonTriggerMetadata})
	default:
		r.parameterFaults(at, t, err)
	}
}

// input is what the trigger is given, as far as it can be seen.
func (r *Result) input(o *object, at string, t *kedav1alpha1.ScaleTriggers) (param.Input, scalers.Identity) {
	in := param.Input{Metadata: t.Metadata}
	ref := t.AuthenticationRef
	if ref == nil {
		in.Unseen = func(place param.Origin, _ string) bool { return place == param.Env }
		return in, scalers.Identity{}
	}
	given := o.around.Given(ref)
	if given == nil {
		r.Warnings = append(r.Warnings, Finding{Field: at + ".authenticationRef", Message: fmt.Sprintf(
			"names %s %s, which %s: what it gives could not be checked", ref.EffectiveKind(), ref.Name, o.around.Absent)})
		in.Unseen = func(param.Origin, string) bool { return true }
		return in, scalers.Identity{}
	}
	in.Auth, in.Unseen = given.seen, given.hides
	return in, given.identity
}

// parameterFaults tells each fault in a trigger's parameters where it is.
func (r *Result) parameterFaults(at string, t *kedav1alpha1.ScaleTriggers, err error) {
	add := func(path, message string) {
		r.Faults = append(r.Faults, Finding{Field: path, Message: message, Reason: ReasonTriggerMetadata})
	}
	var faults param.Faults
	if !errors.As(err, &faults) {
		for _, e := range split(err) {
			add(at+".metadata", e.Error())
		}
		return
	}
	for _, f := range faults {
		path := at + ".metadata"
		for _, key := range []string{f.Key, f.Key + "FromEnv"} {
			if _, ok := t.Metadata[key]; ok {
				path += "." + key
				break
			}
		}
		add(path, f.Error())
	}
}

// split returns the errors that were joined in err.
func split(err error) []error {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if joined, ok := e.(interface{ Unwrap() []error }); ok {
			var all []error
			for _, one := range joined.Unwrap() {
				all = append(all, split(one)...)
			}
			return all
		}
	}
	return []error{err}
}

// metric is what the HPA would be told of a trigger.
func metric(i int, t *kedav1alpha1.ScaleTriggers, c scalers.Checked) Metric {
	m := Metric{Trigger: i, Type: t.Type}
	switch {
	case c.Resource != nil:
		m.Name, m.Target = resourceTarget(c)
	case c.Kind.Resource: // with a value that cannot be seen
		m.Name = t.Type
	case c.Kind.Named:
		m.Name = scalers.MetricPrefix(i) + "*"
	default:
		m.Name = scalers.MetricName(i, c.Stem)
		if c.Target > 0 {
			m.Target = string(t.EffectiveMetricType()) + " " + strconv.FormatFloat(c.Target, 'f', -1, 64)
		}
	}
	return m
}

// resourceTarget is the name and target of a metric that the HPA measures itself.
func resourceTarget(c scalers.Checked) (name, target string) {
	value := c.Resource.Resource
	switch {
	case value != nil:
		name = string(value.Name)
		if value.Target.AverageUtilization != nil {
			return name, fmt.Sprintf("Utilization %d%%", *value.Target.AverageUtilization)
		}
		return name, fmt.Sprintf("%s %s", value.Target.Type, value.Target.AverageValue)
	case c.Resource.ContainerResource != nil:
		r := c.Resource.ContainerResource
		name = fmt.Sprintf("%s of container %s", r.Name, r.Container)
		if r.Target.AverageUtilization != nil {
			return name, fmt.Sprintf("Utilization %d%%", *r.Target.AverageUtilization)
		}
		return name, fmt.Sprintf("%s %s", r.Target.Type, r.Target.AverageValue)
	}
	return string(c.Resource.Type), ""
}
