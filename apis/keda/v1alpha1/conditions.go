package v1alpha1

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ConditionType names one aspect of how an object is doing.
type ConditionType string

// The aspects that status.conditions reports on.
const (
	// ConditionReady is True while everything that scaling needs is in place and the triggers can be read.
	ConditionReady ConditionType = "Ready"
	// ConditionActive is True while a trigger asks for replicas or jobs.
	ConditionActive ConditionType = "Active"
	// ConditionFallback is True while the fallback stands in for a trigger that cannot be read.
	ConditionFallback ConditionType = "Fallback"
	// ConditionPaused is True while an annotation holds scaling back.
	ConditionPaused ConditionType = "Paused"
	// ConditionHPAActive is True while the HorizontalPodAutoscaler is able to scale, or has nothing to scale at zero.
	ConditionHPAActive ConditionType = "HPAActive"
	// ConditionWarning is True while something in the object has no effect or soon will not. It is there only then.
	ConditionWarning ConditionType = "Warning"
)

// Reasons of conditions. The comment names the condition types and statuses that they go with.
const (
	ReasonScaledObjectReady           = "ScaledObjectReady"           // Ready True
	ReasonScaledObjectCheckFailed     = "ScaledObjectCheckFailed"     // Ready False
	ReasonErrorGettingCurrentReplicas = "ErrorGettingCurrentReplicas" // Ready False
	ReasonScaledJobReady              = "ScaledJobReady"              // Ready True
	ReasonScaledJobCheckFailed        = "ScaledJobCheckFailed"        // Ready False
	ReasonJobCreateFailed             = "JobCreateFailed"             // Ready False
	ReasonPartialTriggerError         = "PartialTriggerError"         // Ready Unknown
	ReasonTriggerError                = "TriggerError"                // Ready False

	ReasonScalerActive    = "ScalerActive"    // Active True
	ReasonScalerNotActive = "ScalerNotActive" // Active False
	ReasonScalerCooldown  = "ScalerCooldown"  // Active False
	ReasonUnknownState    = "UnknownState"    // Active Unknown

	ReasonFallbackExists  = "FallbackExists"  // Fallback True
	ReasonNoFallbackFound = "NoFallbackFound" // Fallback False

	ReasonScaledObjectPaused   = "ScaledObjectPaused"   // Paused True
	ReasonScaledObjectUnpaused = "ScaledObjectUnpaused" // Paused False
	ReasonScaledJobPaused      = "ScaledJobPaused"      // Paused True
	ReasonScaledJobUnpaused    = "ScaledJobUnpaused"    // Paused False

	ReasonHPAActive             = "HPAActive"             // HPAActive True
	ReasonScalingDisabled       = "ScalingDisabled"       // HPAActive True
	ReasonHPAMetricsUnavailable = "HPAMetricsUnavailable" // HPAActive False

	ReasonTriggerParameters = "TriggerParameters" // Warning True
)

// Condition reports one aspect of how an object is doing.
type Condition struct {
	// type is the aspect reported on: Ready, Active, Fallback, Paused, HPAActive or Warning.
	Type ConditionType `json:"type"`

	// status is True, False, or Unknown when it cannot be told.
	Status metav1.ConditionStatus `json:"status"`

	// reason is one word in CamelCase that programs can tell the cause of the status by.
	// +optional
	Reason string `json:"reason,omitempty"`

	// message is a sentence for people that says why the status is what it is, and what to do about it.
	// +optional
	Message string `json:"message,omitempty"`

	// lastTransitionTime is when status last changed from one value to another.
	// +optional
	LastTransitionTime *metav1.Time `json:"lastTransitionTime,omitempty"`

	// observedGeneration is the metadata.generation of the object that the condition speaks of. If it is below the
	// object's present generation, the condition does not yet know of the newest change.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
}

// IsTrue reports whether the condition is known to hold.
func (c Condition) IsTrue() bool { return c.Status == metav1.ConditionTrue }

// IsFalse reports whether the condition is known not to hold.
func (c Condition) IsFalse() bool { return c.Status == metav1.ConditionFalse }

// IsUnknown reports whether it is not known whether the condition holds.
func (c Condition) IsUnknown() bool { return !c.IsTrue() && !c.IsFalse() }

// Conditions is the list of an object's conditions, at most one of a type, in the order of conditionOrder. In JSON it
// is a plain list.
type Conditions []Condition

// conditionOrder is the order in which conditions are listed, so that the list never changes by order alone. Types
// that are not named here come last.
var conditionOrder = []ConditionType{
	ConditionReady, ConditionActive, ConditionFallback, ConditionPaused, ConditionHPAActive, ConditionWarning,
}

// Get returns the condition of a type. A type that is not in the list is one whose status is Unknown.
func (c Conditions) Get(t ConditionType) Condition {
	if i := c.index(t); i >= 0 {
		return c[i]
	}
	return Condition{Type: t, Status: metav1.ConditionUnknown}
}

// Has reports whether the list has a condition of a type.
func (c Conditions) Has(t ConditionType) bool { return c.index(t) >= 0 }

// Set puts next in the place of the condition of its type and reports whether the list says anything else than before;
// if it does not, there is nothing to write. The message is kept as SteadyMessage gives it, so that an error told twice
// is no change. lastTransitionTime is not taken from next: it becomes now, to the second, when the status is another
// one or the type is new, and else stays what it was.
func (c *Conditions) Set(next Condition, now time.Time) bool {
	next.Message = SteadyMessage(next.Message)
	i := c.index(next.Type)
	if i < 0 {
		next.LastTransitionTime = transitionTime(now)
		*c = append(*c, next)
		c.sort()
		return true
	}
	old := (*c)[i]
	next.LastTransitionTime = old.LastTransitionTime
	if next.Status != old.Status {
		next.LastTransitionTime = transitionTime(now)
	}
	if next == old {
		return false
	}
	(*c)[i] = next
	return true
}

// Initialize adds the conditions that every ScaledObject and ScaledJob shows from the first moment: Ready, Active and
// Fallback as Unknown, Paused as False. Those already there stay as they are. It reports whether any was added.
func (c *Conditions) Initialize(generation int64, now time.Time) bool {
	changed := false
	for _, t := range []ConditionType{ConditionReady, ConditionActive, ConditionFallback, ConditionPaused} {
		if c.Has(t) {
			continue
		}
		status := metav1.ConditionUnknown
		if t == ConditionPaused {
			status = metav1.ConditionFalse
		}
		changed = c.Set(Condition{Type: t, Status: status, ObservedGeneration: generation}, now) || changed
	}
	return changed
}

// Remove takes the condition of a type out of the list and reports whether it was there.
func (c *Conditions) Remove(t ConditionType) bool {
	before := len(*c)
	*c = slices.DeleteFunc(*c, func(have Condition) bool { return have.Type == t })
	return len(*c) != before
}

func (c Conditions) index(t ConditionType) int {
	return slices.IndexFunc(c, func(have Condition) bool { return have.Type == t })
}

func (c Conditions) sort() {
	rank := func(have Condition) int {
		if i := slices.Index(conditionOrder, have.Type); i >= 0 {
			return i
		}
		return len(conditionOrder)
	}
	slices.SortStableFunc(c, func(a, b Condition) int { return cmp.Compare(rank(a), rank(b)) })
}

// transitionTime is a time as it comes back from the API server, which keeps whole seconds.
func transitionTime(now time.Time) *metav1.Time {
	return &metav1.Time{Time: now.Truncate(time.Second)}
}
