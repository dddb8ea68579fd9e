// Package why explains: from what is known of an object, [Explain] makes what a
// person would say of it, and [Screen] puts that on one screen. Nothing here asks
// anybody: package explanations gathers the [Facts]. The screens of situations that
// users report are in testdata.
package why

import (
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
)

// Facts are what is known of one object at a moment.
type Facts struct {
	// Now is that moment.
	Now time.Time `json:"now"`
	// Name and Namespace are the object's.
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	// Object is the ScaledObject; nil when it is deleted.
	Object *kedav1alpha1.ScaledObject `json:"object,omitempty"`
	// Deleted is when it was seen to be gone.
	Deleted time.Time `json:"deleted,omitzero"`
	// LastActive is when a trigger was last seen active; zero is never.
	LastActive time.Time `json:"lastActive,omitzero"`
	// Target is the workload.
	Target Target `json:"target"`
	// Triggers have an entry for each metric of each trigger, in their order.
	Triggers []Trigger `json:"triggers,omitempty"`
	// Formula is its result, where there is one.
	Formula *Trigger `json:"formula,omitempty"`
	// HPA is that of the object, or one of its name that is somebody else's.
	HPA *autoscalingv2.HorizontalPodAutoscaler `json:"hpa,omitempty"`
	// Asked is what the metrics of the HPA asked for lately, as watched since AskedSince.
	Asked      []Asked   `json:"asked,omitempty"`
	AskedSince time.Time `json:"askedSince,omitzero"`
	// Decisions are the last ones, the newest first.
	Decisions []whyv1alpha1.Decision `json:"decisions,omitempty"`
	// Witness is who looks.
	Witness whyv1alpha1.Witness `json:"witness,omitzero"`
	// Cursory leaves out what takes long: for a list of many.
	Cursory bool `json:"cursory,omitempty"`
}

// Target is the workload that is scaled.
type Target struct {
	// Kind and Name identify it.
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Replicas is the count that it is asked to have; nil when that is not known, and Err says why.
	Replicas *int32 `json:"replicas,omitempty"`
	Err      string `json:"err,omitempty"`
	// Ready is how many pods are ready, where that was counted.
	Ready *int32 `json:"ready,omitempty"`
	// Writer is who wrote the count last.
	Writer *whyv1alpha1.Writer `json:"writer,omitempty"`
}

// Trigger is what is known of one metric of a trigger.
type Trigger struct {
	// Index, Name and Type are those of the trigger in the object's spec.
	Index int    `json:"index"`
	Name  string `json:"name,omitempty"`
	Type  string `json:"type,omitempty"`
	// Metric is the metric's name.
	Metric string `json:"metric"`
	// Resource tells that the HPA measures it.
	Resource bool `json:"resource,omitempty"`
	// Known is false until it was read for the first time, which was begun At.
	Known bool      `json:"known,omitempty"`
	At    time.Time `json:"at,omitzero"`
	// Value is valid when it is Known and Err is empty; Activity decides whether it is Active.
	Value    float64  `json:"value,omitempty"`
	Activity *float64 `json:"activity,omitempty"`
	Active   bool     `json:"active,omitempty"`
	// Err says why there is no value, and Failures how often in a row.
	Err      string `json:"err,omitempty"`
	Failures int32  `json:"failures,omitempty"`
	// Class is that of the error.
	Class string `json:"class,omitempty"`
	// StandIn is what the HPA is given in place of a value.
	StandIn *float64 `json:"standIn,omitempty"`
}

// Asked is what the metrics of an HPA asked for until a time.
type Asked struct {
	Replicas int32     `json:"replicas"`
	Until    time.Time `json:"until"`
}
