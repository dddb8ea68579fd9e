package v1alpha1

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Explanation says what is done with one object and why: what was read, what was decided, what comes next and when, and what
// would change that.
// +kubebuilder:object:root=true
type Explanation struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// Made is when the explanation was made; ages count from it.
	Made metav1.Time `json:"made"`
	// Object is what is explained.
	Object Object `json:"object"`
	// Target is the workload that is scaled.
	Target Target `json:"target,omitzero"`
	// Readings are those of the triggers, in their order.
	Readings []Reading `json:"readings,omitempty"`
	// Formula is what is made of the readings, where there is one.
	Formula *Formula `json:"formula,omitempty"`
	// Fallback is what stands in for triggers that fail, where there is one.
	Fallback *Fallback `json:"fallback,omitempty"`
	// HPA is the HorizontalPodAutoscaler, where there is one.
	HPA *HPA `json:"hpa,omitempty"`
	// Verdict is the explanation in sentences.
	Verdict Verdict `json:"verdict"`
	// Decisions are the last ones, the newest first.
	Decisions []Decision `json:"decisions,omitempty"`
	// Witness says which replica of Freshet answers, and what it cannot know.
	Witness Witness `json:"witness,omitzero"`
}

// ExplanationList is a list of explanations, which have no decisions and were made from what Freshet keeps in memory.
// +kubebuilder:object:root=true
type ExplanationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []Explanation `json:"items"`
}

// Object is what is explained.
type Object struct {
	// Kind is the object's, such as ScaledObject.
	Kind string `json:"kind"`
	// State is one word on it.
	State State `json:"state"`
	// Min and Max bound the replicas while a trigger is active; Idle, where it is given, is the count while none is.
	Min  int32  `json:"min"`
	Max  int32  `json:"max"`
	Idle *int32 `json:"idle,omitempty"`
	// Ready is the message of the condition Ready, where that is not True.
	Ready string `json:"ready,omitempty"`
	// Deleted is when the object was seen to be gone.
	Deleted *metav1.Time `json:"deleted,omitempty"`
}

// State is one word on an object.
type State string

// The states of an object.
const (
	// StateScaling: the HPA scales.
	StateScaling State = "Scaling"
	// StateLimited: the HPA wants more than it may ask for, or fewer.
	StateLimited State = "Limited"
	// StateHeld: the HPA keeps replicas that its metrics do not ask for: a window or a policy holds it.
	StateHeld State = "Held"
	// StateIdle: no trigger is active, and the replicas are those that are wanted then.
	StateIdle State = "Idle"
	// StateCooling: no trigger is active, and the cooldown is not over.
	StateCooling State = "Cooling"
	// StatePaused: an annotation holds scaling back.
	StatePaused State = "Paused"
	// StateFailing: something cannot be read, and nothing stands in for it.
	StateFailing State = "Failing"
	// StateFallback: the fallback stands in for what cannot be read.
	StateFallback State = "Fallback"
	// StateFaulty: something in the object, its target or its HPA has to be changed.
	StateFaulty State = "Faulty"
	// StateWaiting: not everything was read yet.
	StateWaiting State = "Waiting"
	// StateDeleted: the object is gone.
	StateDeleted State = "Deleted"
)

// Target is the workload that is scaled.
type Target struct {
	// Kind and Name identify it in the object's namespace.
	Kind string `json:"kind,omitempty"`
	Name string `json:"name,omitempty"`
	// Replicas is the count that it is asked to have; absent when that is not known.
	Replicas *int32 `json:"replicas,omitempty"`
	// Writer is who wrote that count last, as far as the API server recorded it.
	Writer *Writer `json:"writer,omitempty"`
	// Error says why the count is not known.
	Error string `json:"error,omitempty"`
}

// Writer is who wrote something, as the managed fields of an object have it.
type Writer struct {
	// Manager is the name that the writer goes by.
	Manager string `json:"manager"`
	// Who is Freshet, HPA or Other.
	Who Maker `json:"who"`
	// At is when.
	At metav1.Time `json:"at,omitzero"`
	// Fields are what was written, as paths.
	Fields []string `json:"fields,omitempty"`
}

// Reading is what one metric of a trigger says.
type Reading struct {
	// Trigger is its place in spec.triggers; −1 is the formula's result.
	Trigger int `json:"trigger"`
	// Name and Type are the trigger's, Metric is the metric's.
	Name   string `json:"name,omitempty"`
	Type   string `json:"type,omitempty"`
	Metric string `json:"metric"`
	// Value is what was read; absent when there is no value.
	Value *float64 `json:"value,omitempty"`
	// AgeSeconds is how old the value or the error is; absent when nothing was read yet.
	AgeSeconds *float64 `json:"ageSeconds,omitempty"`
	// Error says why there is no value, and Failures how often in a row there was none.
	Error    string `json:"error,omitempty"`
	Failures int32  `json:"failures,omitempty"`
	// StandIn tells that the fallback stands in for the value.
	StandIn bool `json:"standIn,omitempty"`
	// Active tells whether the metric keeps the workload from its idle replicas.
	Active bool `json:"active,omitempty"`
	// Activation is the value above which it does, where that is known.
	Activation *float64 `json:"activation,omitempty"`
	// Target is what the value is compared with, by the way that TargetType says.
	Target     float64                        `json:"target,omitempty"`
	TargetType autoscalingv2.MetricTargetType `json:"targetType,omitempty"`
	// Asks is how many replicas the metric asks for, before any bound; Exact is that before rounding.
	Asks  *int32   `json:"asks,omitempty"`
	Exact *float64 `json:"exact,omitempty"`
}

// Formula is what is made of the readings.
type Formula struct {
	// Text is the formula.
	Text string `json:"text"`
	// Error says why it has no result.
	Error string `json:"error,omitempty"`
}

// Fallback is what stands in for triggers that fail.
type Fallback struct {
	// Replicas are asked for after more than Threshold failures in a row, by the way that Behavior says.
	Replicas  int32  `json:"replicas"`
	Threshold int32  `json:"threshold"`
	Behavior  string `json:"behavior,omitempty"`
}

// HPA is what the HorizontalPodAutoscaler says and does.
type HPA struct {
	// Name is the HPA's.
	Name string `json:"name"`
	// Missing tells that there is none of that name; Foreign names who owns it, when that is not the object.
	Missing bool   `json:"missing,omitempty"`
	Foreign string `json:"foreign,omitempty"`
	// Min and Max are its bounds, Current and Desired what it last saw and asked for.
	Min     int32 `json:"min,omitempty"`
	Max     int32 `json:"max,omitempty"`
	Current int32 `json:"current,omitempty"`
	Desired int32 `json:"desired,omitempty"`
	// LastScale is when it last changed the replicas.
	LastScale *metav1.Time `json:"lastScale,omitempty"`
	// Conditions are its own words.
	Conditions []Condition `json:"conditions,omitempty"`
	// Expected is what it is expected to ask for at its next look, by the steps of its algorithm; absent when that cannot be told.
	Expected *int32 `json:"expected,omitempty"`
	Steps    []Step `json:"steps,omitempty"`
	// Later is what it is expected to ask for when time alone has passed.
	Later []Later `json:"later,omitempty"`
	// Edited are those beside Freshet who wrote its spec.
	Edited []Writer `json:"edited,omitempty"`
	// Assumed is what the expectation supposes: the HPA controller's own settings cannot be read.
	Assumed Assumed `json:"assumed,omitzero"`
}

// Condition is one of the HPA's.
type Condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// Step is one step of the HPA's algorithm.
type Step struct {
	// Stage is the step's name.
	Stage string `json:"stage"`
	// Replicas is the count after it.
	Replicas int32 `json:"replicas"`
	// Why is one sentence.
	Why string `json:"why"`
}

// Later is a count that is expected at a time.
type Later struct {
	// Replicas is the count, InSeconds about how long until then.
	Replicas  int32 `json:"replicas"`
	InSeconds int64 `json:"inSeconds"`
	// Why is what ends then.
	Why string `json:"why"`
}

// Assumed are settings of the HPA controller that are taken to be as they are by default.
type Assumed struct {
	// SyncSeconds is how often it looks.
	SyncSeconds int64 `json:"syncSeconds,omitempty"`
	// ToleranceUp and ToleranceDown are how far a metric may be off its target without an effect; an HPA may have its own.
	ToleranceUp   float64 `json:"toleranceUp,omitempty"`
	ToleranceDown float64 `json:"toleranceDown,omitempty"`
	// ToleranceKnown tells that the HPA has its own tolerances.
	ToleranceKnown bool `json:"toleranceKnown,omitempty"`
	// WindowUpSeconds and WindowDownSeconds are the stabilization windows; one that the HPA does not give is the default.
	WindowUpSeconds   int64 `json:"windowUpSeconds"`
	WindowDownSeconds int64 `json:"windowDownSeconds"`
}

// Verdict is the explanation in sentences.
type Verdict struct {
	// Now is what is so.
	Now string `json:"now"`
	// Next is what comes next and when.
	Next string `json:"next,omitempty"`
	// NotMore and NotFewer say why there are not more replicas, and not fewer.
	NotMore  []string `json:"notMore,omitempty"`
	NotFewer []string `json:"notFewer,omitempty"`
	// Change is what would change the answer.
	Change []string `json:"change,omitempty"`
	// Suspect is what looks like a mistake.
	Suspect []string `json:"suspect,omitempty"`
	// Unknown is what cannot be known.
	Unknown []string `json:"unknown,omitempty"`
}

// Maker is who decided or wrote something.
type Maker string

// Those who decide and write.
const (
	// MakerFreshet decides between zero and the first replicas.
	MakerFreshet Maker = "Freshet"
	// MakerHPA decides between the first replicas and the maximum.
	MakerHPA Maker = "HPA"
	// MakerOther is anybody else.
	MakerOther Maker = "Other"
)

// Decision is one that was made, and what of.
type Decision struct {
	// At is when.
	At metav1.Time `json:"at"`
	// By is who made it.
	By Maker `json:"by"`
	// Outcome is one word.
	Outcome string `json:"outcome"`
	// From and To are the replicas before and after.
	From int32 `json:"from"`
	To   int32 `json:"to"`
	// Why is one sentence.
	Why string `json:"why"`
	// Inputs are what it was made of; those of a decision that this replica of Freshet only looked on are not known.
	Inputs []Input `json:"inputs,omitempty"`
	// Steps are those of the HPA's algorithm.
	Steps []Step `json:"steps,omitempty"`
}

// Input is what one metric said to a decision.
type Input struct {
	// Metric is its name.
	Metric string `json:"metric"`
	// Value is what was read, AgeSeconds how old it was; absent when there was none.
	Value      *float64 `json:"value,omitempty"`
	AgeSeconds float64  `json:"ageSeconds,omitempty"`
	// Target is what the value was compared with: of one replica, or with Total of all.
	Target float64 `json:"target,omitempty"`
	Total  bool    `json:"total,omitempty"`
	// Asks is how many replicas it asked for.
	Asks int32 `json:"asks"`
	// Active tells whether it kept the workload up, StandIn that the fallback did in its place.
	Active  bool `json:"active,omitempty"`
	StandIn bool `json:"standIn,omitempty"`
	// Error says why there was no value, and Failures how often in a row there was none.
	Error    string `json:"error,omitempty"`
	Failures int32  `json:"failures,omitempty"`
}

// Witness says which replica of Freshet answers.
type Witness struct {
	// Replica is the one that answers.
	Replica string `json:"replica,omitempty"`
	// Owner is the one that decides on the object, as far as this one knows.
	Owner string `json:"owner,omitempty"`
	// Decides tells that they are the same. One that does not decide knows the HPA's decisions, and of Freshet's
	// those that the object's status told.
	Decides bool `json:"decides"`
	// Since is when this replica began to watch.
	Since metav1.Time `json:"since,omitzero"`
}
