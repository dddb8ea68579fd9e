package manifests

import (
	"errors"
	"fmt"
	"strconv"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// triggers checks the parameters of every trigger with the decoder that the
// controller uses, and tells the metrics of those that are good.
func (s *subject) triggers(triggers []kedav1alpha1.ScaleTriggers, formula bool) {
	for i := range triggers {
		s.trigger(i, &triggers[i], formula)
	}
}

func (s *subject) trigger(i int, t *kedav1alpha1.ScaleTriggers, formula bool) {
	at := fmt.Sprintf("spec.triggers[%d]", i)
	in, identity := s.input(at, t)
	c, notices, err := scalers.Check(t.Type, in, scalers.Setting{
		Object: scalers.ObjectRef{Kind: s.kind(), Namespace: s.namespace(), Name: s.document.name()},
		Index:  i, Name: t.Name, MetricType: t.MetricType, Formula: formula, Identity: identity,
	})
	for _, n := range notices {
		s.find(Warning, at+".metadata."+n.Key, n.Message)
	}
	if err != nil {
		if c.Kind == nil {
			s.find(Fault, at+".type", err.Error())
			return
		}
		s.parameterFaults(at, err)
		return
	}
	s.object.Metrics = append(s.object.Metrics, metric(i, t, c))
}

// input is what the trigger is given, as far as the files show it.
func (s *subject) input(at string, t *kedav1alpha1.ScaleTriggers) (param.Input, scalers.Identity) {
	in := param.Input{Metadata: t.Metadata}
	if t.AuthenticationRef == nil {
		in.Unseen = func(place param.Origin, _ string) bool { return place == param.Env }
		return in, scalers.Identity{}
	}
	ref := t.AuthenticationRef
	spec := s.others.authentication(s.namespace(), ref)
	if spec == nil {
		s.find(Warning, at+".authenticationRef", fmt.Sprintf(
			"names %s %s, which is not in these files: what it gives could not be checked", ref.EffectiveKind(), ref.Name))
		in.Unseen = func(param.Origin, string) bool { return true }
		return in, scalers.Identity{}
	}
	given := s.others.given(s.namespace(), spec)
	in.Auth = given.seen
	in.Unseen = func(place param.Origin, name string) bool { return place == param.Env || given.unseen[name] }
	identity := scalers.Identity{}
	if p := spec.PodIdentityProvider(); p != kedav1alpha1.PodIdentityProviderNone {
		identity.Provider = string(p)
	}
	return in, identity
}

// parameterFaults tells each fault in a trigger's parameters where it is.
func (s *subject) parameterFaults(at string, err error) {
	var faults param.Faults
	if !errors.As(err, &faults) {
		for _, e := range split(err) {
			s.find(Fault, at+".metadata", e.Error())
		}
		return
	}
	for _, f := range faults {
		path := at + ".metadata"
		for _, key := range []string{f.Key, f.Key + "FromEnv"} {
			if child(s.node, "spec") != nil && s.has(path+"."+key) {
				path += "." + key
				break
			}
		}
		s.find(Fault, path, f.Error())
	}
}

// has tells whether the object has the field.
func (s *subject) has(path string) bool {
	node := s.node
	for _, step := range steps(path) {
		if node, _ = step.in(node); node == nil {
			return false
		}
	}
	return true
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
