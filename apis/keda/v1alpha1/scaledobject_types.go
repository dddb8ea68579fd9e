package v1alpha1

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ScaledObject scales a Deployment, a StatefulSet or anything else that has a scale subresource by what its triggers
// read: a HorizontalPodAutoscaler takes it from one replica to maxReplicaCount, and Freshet takes it to and from zero.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=scaledobjects,scope=Namespaced,shortName=so
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="ScaleTargetKind",type="string",JSONPath=".status.scaleTargetKind"
// +kubebuilder:printcolumn:name="ScaleTargetName",type="string",JSONPath=".spec.scaleTargetRef.name"
// +kubebuilder:printcolumn:name="Min",type="integer",JSONPath=".spec.minReplicaCount"
// +kubebuilder:printcolumn:name="Max",type="integer",JSONPath=".spec.maxReplicaCount"
// +kubebuilder:printcolumn:name="Ready",type="string",JSONPath=".status.conditions[?(@.type==\"Ready\")].status"
// +kubebuilder:printcolumn:name="Active",type="string",JSONPath=".status.conditions[?(@.type==\"Active\")].status"
// +kubebuilder:printcolumn:name="Fallback",type="string",JSONPath=".status.conditions[?(@.type==\"Fallback\")].status"
// +kubebuilder:printcolumn:name="Paused",type="string",JSONPath=".status.conditions[?(@.type==\"Paused\")].status"
// +kubebuilder:printcolumn:name="Triggers",type="string",JSONPath=".status.triggersTypes"
// +kubebuilder:printcolumn:name="Authentications",type="string",JSONPath=".status.authenticationsTypes"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp"
type ScaledObject struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says what to scale, by which triggers and within which bounds.
	Spec ScaledObjectSpec `json:"spec"`

	// status says what was last seen and done. Freshet writes it.
	// +optional
	Status ScaledObjectStatus `json:"status,omitzero"`
}

// ScaledObjectList is a list of ScaledObjects.
//
// +kubebuilder:object:root=true
type ScaledObjectList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ScaledObject `json:"items"`
}

// ScaledObjectSpec says what to scale, by which triggers and within which bounds.
//
// +kubebuilder:validation:XValidation:rule="(has(self.minReplicaCount) ? self.minReplicaCount : 0) <= (has(self.maxReplicaCount) ? self.maxReplicaCount : 100)",message="minReplicaCount is above maxReplicaCount, which is 100 when left out: lower the one or raise the other",fieldPath=".minReplicaCount"
// +kubebuilder:validation:XValidation:rule="!has(self.idleReplicaCount) || self.idleReplicaCount < (has(self.minReplicaCount) ? self.minReplicaCount : 0)",message="idleReplicaCount is not below minReplicaCount, which is 0 when left out: lower the one or raise the other",fieldPath=".idleReplicaCount"
// +kubebuilder:validation:XValidation:rule="(has(self.minReplicaCount) && self.minReplicaCount > 0) || !self.triggers.all(t, t.type in ['cpu', 'memory'])",message="cpu and memory cannot wake a workload from zero: set minReplicaCount to 1 or more, or add another trigger",fieldPath=".triggers"
// +kubebuilder:validation:XValidation:rule="!has(self.fallback) || !self.triggers.all(t, t.type in ['cpu', 'memory'])",message="a fallback never applies to cpu and memory: remove it, or add another trigger",fieldPath=".fallback"
// +kubebuilder:validation:XValidation:rule="!has(self.fallback) || !has(self.fallback.behavior) || self.fallback.behavior != 'scalingModifiers' || (has(self.advanced) && has(self.advanced.scalingModifiers) && has(self.advanced.scalingModifiers.formula) && size(self.advanced.scalingModifiers.formula) > 0)",message="the behavior scalingModifiers needs a formula: give spec.advanced.scalingModifiers one, or choose another behavior",fieldPath=".fallback.behavior"
type ScaledObjectSpec struct {
	// scaleTargetRef names the workload to scale.
	ScaleTargetRef ScaleTarget `json:"scaleTargetRef"`

	// pollingInterval is how often each trigger is read to decide whether the workload is active, in seconds, from the
	// start of one read to the start of the next. Default 30.
	// +kubebuilder:validation:Minimum=1
	// +optional
	PollingInterval *int32 `json:"pollingInterval,omitempty"`

	// cooldownPeriod is how long after it was last active the workload goes down to zero, or to idleReplicaCount, in
	// seconds. Steps between minReplicaCount and maxReplicaCount do not wait for it. Default 300.
	// +kubebuilder:validation:Minimum=0
	// +optional
	CooldownPeriod *int32 `json:"cooldownPeriod,omitempty"`

	// initialCooldownPeriod takes the place of cooldownPeriod for as long as the object has never been active, in
	// seconds, counted from its creation. Default 0.
	// +kubebuilder:validation:Minimum=0
	// +optional
	InitialCooldownPeriod *int32 `json:"initialCooldownPeriod,omitempty"`

	// idleReplicaCount is the number of replicas kept while no trigger is active, in place of minReplicaCount. It must be
	// below minReplicaCount. When left out, an inactive workload goes down to minReplicaCount.
	// +kubebuilder:validation:Minimum=0
	// +optional
	IdleReplicaCount *int32 `json:"idleReplicaCount,omitempty"`

	// minReplicaCount is the lower bound of replicas. At 0 the workload goes down to zero while no trigger is active, and
	// the HorizontalPodAutoscaler's own minimum is 1. Default 0.
	// +kubebuilder:validation:Minimum=0
	// +optional
	MinReplicaCount *int32 `json:"minReplicaCount,omitempty"`

	// maxReplicaCount is the upper bound of replicas, which becomes the maximum of the HorizontalPodAutoscaler.
	// Default 100.
	// +kubebuilder:validation:Minimum=1
	// +optional
	MaxReplicaCount *int32 `json:"maxReplicaCount,omitempty"`

	// advanced holds settings of the HorizontalPodAutoscaler, of formulas and of what happens on deletion.
	// +optional
	Advanced *AdvancedConfig `json:"advanced,omitempty"`

	// triggers are the sources that decide the number of replicas. The workload is active while any one of them is, and
	// the trigger that asks for most replicas wins. At least one is needed.
	// +kubebuilder:validation:MinItems=1
	Triggers []ScaleTriggers `json:"triggers"`

	// fallback says how many replicas to run while a trigger's source cannot be read. When left out, the workload stays
	// as it is until the source answers again.
	// +optional
	Fallback *Fallback `json:"fallback,omitempty"`
}

// ScaleTarget names a workload in the namespace of the ScaledObject.
type ScaleTarget struct {
	// apiVersion is the group and version of the workload. Default apps/v1.
	// +optional
	APIVersion string `json:"apiVersion,omitempty"`

	// kind is the kind of the workload: any that has a scale subresource. Default Deployment.
	// +optional
	Kind string `json:"kind,omitempty"`

	// name is the name of the workload, in the namespace of the ScaledObject.
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`

	// envSourceContainerName is the container of the workload whose environment feeds the FromEnv keys of trigger
	// metadata and the env entries of a TriggerAuthentication. Default the first container of the pod template.
	// +optional
	EnvSourceContainerName string `json:"envSourceContainerName,omitempty"`
}

// AdvancedConfig holds the settings that most ScaledObjects do without.
type AdvancedConfig struct {
	// horizontalPodAutoscalerConfig changes the HorizontalPodAutoscaler that is made for this object.
	// +optional
	HorizontalPodAutoscalerConfig *HorizontalPodAutoscalerConfig `json:"horizontalPodAutoscalerConfig,omitempty"`

	// restoreToOriginalReplicaCount sets the workload back, when the ScaledObject is deleted, to the replicas it had when
	// the ScaledObject first saw it. Default false: the workload keeps the replicas it has at that moment.
	// +optional
	RestoreToOriginalReplicaCount bool `json:"restoreToOriginalReplicaCount,omitempty"`

	// scalingModifiers makes one metric of all triggers by a formula.
	// +optional
	ScalingModifiers *ScalingModifiers `json:"scalingModifiers,omitempty"`
}

// HorizontalPodAutoscalerConfig changes the HorizontalPodAutoscaler that is made for a ScaledObject.
type HorizontalPodAutoscalerConfig struct {
	// behavior goes into the HorizontalPodAutoscaler as its spec.behavior, without change: how fast, how far and how
	// steadily it scales up and down. While scale-in or scale-out is paused, the selectPolicy of that direction is
	// Disabled. When left out, Kubernetes' own defaults hold.
	// +optional
	Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior,omitempty"`

	// name is the name of the HorizontalPodAutoscaler, at most 63 characters. A new name deletes the old
	// HorizontalPodAutoscaler and makes another. Default keda-hpa- followed by the name of the ScaledObject.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Name string `json:"name,omitempty"`
}

// ScalingModifiers makes one metric, named composite-metric, of the values of all triggers. It takes the place of
// their own metrics in the HorizontalPodAutoscaler; cpu and memory stay beside it.
//
// +kubebuilder:validation:XValidation:rule="(has(self.formula) && size(self.formula) > 0) || !((has(self.target) && size(self.target) > 0) || (has(self.activationTarget) && size(self.activationTarget) > 0) || has(self.metricType))",message="write a formula over the names of the triggers, or remove scalingModifiers",fieldPath=".formula"
// +kubebuilder:validation:XValidation:rule="(has(self.target) && size(self.target) > 0) || !((has(self.formula) && size(self.formula) > 0) || (has(self.activationTarget) && size(self.activationTarget) > 0) || has(self.metricType))",message="say which result of the formula to scale to, or remove scalingModifiers",fieldPath=".target"
// +kubebuilder:validation:XValidation:rule="!has(self.target) || size(self.target) == 0 || (self.target.matches('^[+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$') && double(self.target) > 0.0)",message="set target to a number above 0",fieldPath=".target"
type ScalingModifiers struct {
	// formula is an expression in the expr language that gives a number. Its variables are the names of the triggers,
	// for example "queue / 10 + rate". Needed as soon as any other field of scalingModifiers is set.
	// +optional
	Formula string `json:"formula,omitempty"`

	// target is what the formula's result is scaled to, a number above 0 written as text. Needed as soon as any other
	// field of scalingModifiers is set.
	// +optional
	Target string `json:"target,omitempty"`

	// activationTarget is the result above which the workload is active, a number written as text. The triggers' own
	// activation thresholds do not count when there is a formula. Default 0.
	// +optional
	ActivationTarget string `json:"activationTarget,omitempty"`

	// metricType says how the result compares with target: AverageValue divides it by the number of pods, Value takes it
	// as it is. Default AverageValue.
	// +kubebuilder:validation:Enum=AverageValue;Value
	// +optional
	MetricType autoscalingv2.MetricTargetType `json:"metricType,omitempty"`
}

// FallbackBehavior is how the replicas of a fallback follow from those that run.
type FallbackBehavior string

// The ways for a fallback to find its number of replicas.
const (
	// FallbackBehaviorStatic takes fallback.replicas.
	FallbackBehaviorStatic FallbackBehavior = "static"
	// FallbackBehaviorCurrentReplicas keeps the replicas that run.
	FallbackBehaviorCurrentReplicas FallbackBehavior = "currentReplicas"
	// FallbackBehaviorCurrentReplicasIfHigher takes the larger of those that run and fallback.replicas.
	FallbackBehaviorCurrentReplicasIfHigher FallbackBehavior = "currentReplicasIfHigher"
	// FallbackBehaviorCurrentReplicasIfLower takes the smaller of those that run and fallback.replicas.
	FallbackBehaviorCurrentReplicasIfLower FallbackBehavior = "currentReplicasIfLower"
	// FallbackBehaviorScalingModifiers leaves it to the formula, in which a failed trigger is nil.
	FallbackBehaviorScalingModifiers FallbackBehavior = "scalingModifiers"
)

// Fallback says how many replicas to run while a trigger's source cannot be read. It does not apply to cpu and memory.
type Fallback struct {
	// failureThreshold is the number of failed reads in a row that a trigger may have: one more and the fallback holds
	// for it, until a read succeeds.
	// +kubebuilder:validation:Minimum=0
	FailureThreshold int32 `json:"failureThreshold"`

	// replicas is the number of replicas to run while the fallback holds.
	// +kubebuilder:validation:Minimum=0
	Replicas int32 `json:"replicas"`

	// behavior relates replicas to the number that runs: static takes replicas; currentReplicas keeps what runs;
	// currentReplicasIfHigher takes the larger of both and currentReplicasIfLower the smaller; scalingModifiers evaluates
	// the formula with nil for each trigger that failed, and takes replicas only if the result is nil. Default static.
	// +kubebuilder:validation:Enum=static;currentReplicas;currentReplicasIfHigher;currentReplicasIfLower;scalingModifiers
	// +kubebuilder:default=static
	// +optional
	Behavior FallbackBehavior `json:"behavior,omitempty"`
}

// ScaledObjectStatus says what was last seen and done for a ScaledObject.
type ScaledObjectStatus struct {
	// scaleTargetKind is the resolved workload as group/version.Kind, for printing.
	// +optional
	ScaleTargetKind string `json:"scaleTargetKind,omitempty"`

	// scaleTargetGVKR is the workload that scaleTargetRef was resolved to.
	// +optional
	ScaleTargetGVKR *GroupVersionKindResource `json:"scaleTargetGVKR,omitempty"`

	// scaleTargetName is the name of the workload that scaleTargetGVKR and originalReplicaCount are of. It differs from
	// scaleTargetRef.name for as long as a change of that is not carried out.
	// +optional
	ScaleTargetName string `json:"scaleTargetName,omitempty"`

	// originalReplicaCount is the number of replicas that the workload had when the ScaledObject first saw it.
	// +optional
	OriginalReplicaCount *int32 `json:"originalReplicaCount,omitempty"`

	// lastActiveTime is when a trigger was last active. The cooldownPeriod counts from it.
	// +optional
	LastActiveTime *metav1.Time `json:"lastActiveTime,omitempty"`

	// externalMetricNames are the external metrics of the triggers, also while a formula's composite-metric takes their
	// place in the HorizontalPodAutoscaler.
	// +optional
	ExternalMetricNames []string `json:"externalMetricNames,omitempty"`

	// resourceMetricNames are the metrics that the HorizontalPodAutoscaler measures itself: cpu, memory.
	// +optional
	ResourceMetricNames []string `json:"resourceMetricNames,omitempty"`

	// compositeScalerName is composite-metric while a formula is in use, and empty otherwise.
	// +optional
	CompositeScalerName string `json:"compositeScalerName,omitempty"`

	// conditions say whether the object is Ready, Active, in Fallback and Paused, and whether its HorizontalPodAutoscaler
	// is able to scale (HPAActive).
	// +optional
	Conditions Conditions `json:"conditions,omitempty"`

	// health holds, by the name of the external metric, how reading it goes. Only kept when there is a fallback.
	// +optional
	Health map[string]HealthStatus `json:"health,omitempty"`

	// pausedReplicaCount is the number of replicas that the paused-replicas annotation has set.
	// +optional
	PausedReplicaCount *int32 `json:"pausedReplicaCount,omitempty"`

	// hpaName is the name of the HorizontalPodAutoscaler in use.
	// +optional
	HpaName string `json:"hpaName,omitempty"`

	// triggersTypes are the types of the triggers, each once, separated by commas, for printing.
	// +optional
	TriggersTypes string `json:"triggersTypes,omitempty"`

	// authenticationsTypes are the credentials objects that the triggers refer to, each once, separated by commas, for
	// printing.
	// +optional
	AuthenticationsTypes string `json:"authenticationsTypes,omitempty"`

	// triggersActivity holds, by the name of the external metric, whether the trigger was active when last read.
	// +optional
	TriggersActivity map[string]TriggerActivityStatus `json:"triggersActivity,omitempty"`
}

// HealthStatusType is whether an external metric can be read.
type HealthStatusType string

const (
	// HealthStatusHappy means that the last read succeeded.
	HealthStatusHappy HealthStatusType = "Happy"
	// HealthStatusFailing means that the last read failed.
	HealthStatusFailing HealthStatusType = "Failing"
)

// HealthStatus is how reading one external metric goes.
type HealthStatus struct {
	// numberOfFailures is the number of reads in a row that have failed; a success sets it to 0.
	// +optional
	NumberOfFailures *int32 `json:"numberOfFailures,omitempty"`

	// status is Happy when the last read succeeded and Failing when it did not.
	// +optional
	Status HealthStatusType `json:"status,omitempty"`
}
