// Package checks tells of an object what can be told without scaling it: whether
// it keeps the rules of its kind, and whether its triggers can be decoded.
// `freshet validate` and the admission webhooks share it. The first adds the
// schema and the lines of files, the others what the rest of the cluster says.
package checks

import (
	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// Finding is one thing that is wrong with an object, or has no effect in it.
type Finding struct {
	// Field is the path of the field, such as spec.triggers[0].metadata.key; "" is
	// the object.
	Field string
	// Message says what is wrong and what to change.
	Message string
	// Reason is the kind of a fault as self-metrics count it: one of the Reason
	// constants. Warnings have none.
	Reason string
}

// String is the finding in one line.
func (f Finding) String() string {
	if f.Field == "" {
		return f.Message
	}
	return f.Field + ": " + f.Message
}

// Result is what was found in one object.
type Result struct {
	// Faults keep the object, or a trigger of it, from working.
	Faults []Finding
	// Warnings tell of what has no effect, or could not be checked.
	Warnings []Finding
	// Metrics are those of its triggers that have no fault.
	Metrics []Metric
}

// Metric is what the HPA of a ScaledObject would be told to scale on, or what a
// ScaledJob is scaled on.
type Metric struct {
	// Trigger is the place of its trigger in spec.triggers, Type its type.
	Trigger int    `json:"trigger"`
	Type    string `json:"type"`
	// Name is the metric's name. It ends in * when its source names it.
	Name string `json:"name"`
	// Target is its target with its type, such as "AverageValue 5"; "" when the
	// source or a value that cannot be seen decides.
	Target string `json:"target,omitempty"`
}

// Around is what is known of the objects that an object refers to.
type Around struct {
	// Given returns what the authentication that is referred to gives, or nil when
	// it is not there.
	Given func(ref *kedav1alpha1.AuthenticationRef) *Given
	// Absent ends the sentence about an authentication that is not there: "is not
	// in these files".
	Absent string
}

// ScaledObject holds a ScaledObject to the rules.
func ScaledObject(so *kedav1alpha1.ScaledObject, around Around) *Result {
	r := &Result{}
	for _, f := range so.ValidateAdmission() {
		r.fault(f, reasonOf(so, f))
	}
	r.formula(so)
	r.warn(so.Warnings())
	o := object{kind: kedav1alpha1.KindScaledObject, namespace: so.Namespace, name: so.Name, formula: so.ScalingModifiers() != nil, around: around}
	r.triggers(&o, so.Spec.Triggers)
	return r
}

// ScaledJob holds a ScaledJob to the rules.
func ScaledJob(sj *kedav1alpha1.ScaledJob, around Around) *Result {
	r := &Result{}
	for _, f := range sj.Validate() {
		r.fault(f, reasonOf(nil, f))
	}
	r.warn(sj.Warnings())
	o := object{kind: kedav1alpha1.KindScaledJob, namespace: sj.Namespace, name: sj.Name, around: around}
	r.triggers(&o, sj.Spec.Triggers)
	return r
}

// TriggerAuthentication holds a TriggerAuthentication to the rules.
func TriggerAuthentication(ta *kedav1alpha1.TriggerAuthentication) *Result {
	r := &Result{}
	for _, f := range ta.Validate() {
		r.fault(f, ReasonAuthentication)
	}
	r.warn(ta.Warnings())
	return r
}

// ClusterTriggerAuthentication holds a ClusterTriggerAuthentication to the rules.
func ClusterTriggerAuthentication(cta *kedav1alpha1.ClusterTriggerAuthentication) *Result {
	r := &Result{}
	for _, f := range cta.Validate() {
		r.fault(f, ReasonAuthentication)
	}
	return r
}

func (r *Result) warn(sentences []string) {
	for _, s := range sentences {
		r.Warnings = append(r.Warnings, Finding{Message: s})
	}
}
