package v1alpha1

import (
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ScaledJob starts Jobs by what its triggers read: as many as there is pending work, up to maxReplicaCount at a time.
// Each Job runs to its end and is never scaled.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=scaledjobs,scope=Namespaced,shortName=sj
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Min",type="integer",JSONPath=".spec.minReplicaCount"
// +kubebuilder:printcolumn:name="Max",type="integer",JSONPath=".spec.maxReplicaCount"
// +kubebuilder:printcolumn:name="Ready",type="string",JSONPath=".status.conditions[?(@.type==\"Ready\")].status"
// +kubebuilder:printcolumn:name="Active",type="string",JSONPath=".status.conditions[?(@.type==\"Active\")].status"
// +kubebuilder:printcolumn:name="Paused",type="string",JSONPath=".status.conditions[?(@.type==\"Paused\")].status"
// +kubebuilder:printcolumn:name="Triggers",type="string",JSONPath=".status.triggersTypes"
// +kubebuilder:printcolumn:name="Authentications",type="string",JSONPath=".status.authenticationsTypes"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp"
type ScaledJob struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says which Jobs to start, by which triggers and within which bounds.
	// +optional
	Spec ScaledJobSpec `json:"spec,omitzero"`

	// status says what was last seen and done. Freshet writes it.
	// +optional
	Status ScaledJobStatus `json:"status,omitzero"`
}

// ScaledJobList is a list of ScaledJobs.
//
// +kubebuilder:object:root=true
type ScaledJobList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ScaledJob `json:"items"`
}

// ScaledJobSpec says which Jobs to start, by which triggers and within which bounds.
type ScaledJobSpec struct {
	// jobTargetRef is the spec of the Jobs to start, as in a Job of batch/v1. The pods' restartPolicy is OnFailure when
	// left out.
	JobTargetRef *batchv1.JobSpec `json:"jobTargetRef"`

	// pollingInterval is how often the triggers are read and Jobs are started, in seconds. Default 30.
	// +kubebuilder:validation:Minimum=1
	// +optional
	PollingInterval *int32 `json:"pollingInterval,omitempty"`

	// successfulJobsHistoryLimit is the number of Jobs that have succeeded to keep; older ones are deleted. Default 100.
	// +kubebuilder:validation:Minimum=0
	// +optional
	SuccessfulJobsHistoryLimit *int32 `json:"successfulJobsHistoryLimit,omitempty"`

	// failedJobsHistoryLimit is the number of Jobs that have failed to keep; older ones are deleted. Default 100.
	// +kubebuilder:validation:Minimum=0
	// +optional
	FailedJobsHistoryLimit *int32 `json:"failedJobsHistoryLimit,omitempty"`

	// rolloutStrategy is the former place of rollout.strategy, which counts for more if both are set.
	//
	// Deprecated: set rollout.strategy.
	// +kubebuilder:validation:Enum=gradual;immediate
	// +optional
	RolloutStrategy RolloutStrategy `json:"rolloutStrategy,omitempty"`

	// rollout says what becomes of the Jobs of the former spec when the spec changes.
	// +optional
	Rollout *Rollout `json:"rollout,omitempty"`

	// envSourceContainerName is the container of the Job's pod template whose environment feeds the FromEnv keys of
	// trigger metadata and the env entries of a TriggerAuthentication. Default the first container.
	// +optional
	EnvSourceContainerName string `json:"envSourceContainerName,omitempty"`

	// minReplicaCount is the number of Jobs that run even when there is no work. A number above maxReplicaCount counts as
	// maxReplicaCount. Default 0.
	// +kubebuilder:validation:Minimum=0
	// +optional
	MinReplicaCount *int32 `json:"minReplicaCount,omitempty"`

	// maxReplicaCount is the number of Jobs that may run at a time, those of minReplicaCount among them. Default 100.
	// +kubebuilder:validation:Minimum=1
	// +optional
	MaxReplicaCount *int32 `json:"maxReplicaCount,omitempty"`

	// scalingStrategy says how the number of Jobs to start follows from what the triggers read and what runs already.
	// +optional
	ScalingStrategy *ScalingStrategy `json:"scalingStrategy,omitempty"`

	// triggers are the sources that tell how much work is pending. At least one is needed.
	// +kubebuilder:validation:MinItems=1
	Triggers []ScaleTriggers `json:"triggers"`
}

// RolloutStrategy is what becomes of running Jobs when the spec changes.
type RolloutStrategy string

const (
	// RolloutStrategyImmediate deletes the Jobs of the former spec, also those that run.
	RolloutStrategyImmediate RolloutStrategy = "immediate"
	// RolloutStrategyGradual lets the Jobs of the former spec run to their end.
	RolloutStrategyGradual RolloutStrategy = "gradual"
)

// PropagationPolicy is the order in which a Job and its pods are deleted.
type PropagationPolicy string

const (
	// PropagationPolicyBackground deletes the Job first and its pods after it.
	PropagationPolicyBackground PropagationPolicy = "background"
	// PropagationPolicyForeground deletes the pods first and the Job after them.
	PropagationPolicyForeground PropagationPolicy = "foreground"
)

// Rollout says what becomes of the Jobs of the former spec when the spec changes.
type Rollout struct {
	// strategy is immediate, which deletes the Jobs of the former spec, also those that run, or gradual, which lets them
	// run to their end. Default immediate.
	// +kubebuilder:validation:Enum=gradual;immediate
	// +optional
	Strategy RolloutStrategy `json:"strategy,omitempty"`

	// propagationPolicy is the order of deletion: background deletes a Job first and its pods after it, foreground the
	// other way round. Default background.
	// +kubebuilder:validation:Enum=foreground;background
	// +optional
	PropagationPolicy PropagationPolicy `json:"propagationPolicy,omitempty"`
}

// ScalingStrategyType names a way to find the number of Jobs to start.
type ScalingStrategyType string

// The ways to find the number of Jobs to start.
const (
	ScalingStrategyDefault  ScalingStrategyType = "default"
	ScalingStrategyCustom   ScalingStrategyType = "custom"
	ScalingStrategyAccurate ScalingStrategyType = "accurate"
	ScalingStrategyEager    ScalingStrategyType = "eager"
)

// MultipleScalersCalculation names a way to make one amount of work of those that several triggers read.
type MultipleScalersCalculation string

// The ways to make one amount of work of several.
const (
	MultipleScalersMax MultipleScalersCalculation = "max"
	MultipleScalersMin MultipleScalersCalculation = "min"
	MultipleScalersAvg MultipleScalersCalculation = "avg"
	MultipleScalersSum MultipleScalersCalculation = "sum"
)

// ScalingStrategy says how the number of Jobs to start follows from what the triggers read and what runs already.
type ScalingStrategy struct {
	// strategy is one of: default, which subtracts the running Jobs from those needed, for sources that count work in
	// progress; accurate, which subtracts only the Jobs that have not begun, for sources that do not count it; eager,
	// which fills the free places up to maxReplicaCount; custom, which subtracts by the two custom fields. Default
	// "default".
	// +kubebuilder:validation:Enum=default;custom;accurate;eager
	// +optional
	Strategy ScalingStrategyType `json:"strategy,omitempty"`

	// customScalingQueueLengthDeduction is how many Jobs the custom strategy subtracts from those needed. Default 0.
	// +optional
	CustomScalingQueueLengthDeduction *int32 `json:"customScalingQueueLengthDeduction,omitempty"`

	// customScalingRunningJobPercentage is the share of the running Jobs that the custom strategy subtracts from those
	// needed: a number written as text, "0.5" for half of them. Text that is not a number selects the default strategy.
	// +optional
	CustomScalingRunningJobPercentage string `json:"customScalingRunningJobPercentage,omitempty"`

	// pendingPodConditions are the types of pod conditions that must all be True on a pod of a Job for the Job not to
	// count as pending. When left out, a Job is pending until one of its pods runs or has succeeded.
	// +optional
	PendingPodConditions []string `json:"pendingPodConditions,omitempty"`

	// multipleScalersCalculation makes one amount of work of those that the active triggers read: the largest (max), the
	// smallest (min), the mean (avg) or the sum. Default max.
	// +kubebuilder:validation:Enum=min;avg;sum;max
	// +optional
	MultipleScalersCalculation MultipleScalersCalculation `json:"multipleScalersCalculation,omitempty"`
}

// ScaledJobStatus says what was last seen and done for a ScaledJob.
type ScaledJobStatus struct {
	// lastActiveTime is when a trigger was last active.
	// +optional
	LastActiveTime *metav1.Time `json:"lastActiveTime,omitempty"`

	// conditions say whether the object is Ready, Active and Paused.
	// +optional
	Conditions Conditions `json:"conditions,omitempty"`

	// Paused is kept for readers of old; the condition Paused says it now.
	// +optional
	Paused string `json:"Paused,omitempty"`

	// externalMetricNames are the names of the metrics of the triggers.
	// +optional
	ExternalMetricNames []string `json:"externalMetricNames,omitempty"`

	// triggersTypes are the types of the triggers, each once, separated by commas, for printing.
	// +optional
	TriggersTypes string `json:"triggersTypes,omitempty"`

	// authenticationsTypes are the credentials objects that the triggers refer to, each once, separated by commas, for
	// printing.
	// +optional
	AuthenticationsTypes string `json:"authenticationsTypes,omitempty"`

	// triggersActivity holds, by the name of the metric, whether the trigger was active when last read.
	// +optional
	TriggersActivity map[string]TriggerActivityStatus `json:"triggersActivity,omitempty"`

	// batch is the last set of Jobs that was decided on. It is written before the first of them is made, so that whoever
	// goes on after a crash makes none of them twice.
	// +optional
	Batch *JobBatch `json:"batch,omitempty"`
}

// JobBatch is a set of Jobs that answer one demand.
type JobBatch struct {
	// sequence counts the batches of the object. The names of Jobs follow from it.
	Sequence int64 `json:"sequence"`

	// size is how many Jobs the batch has.
	Size int32 `json:"size"`

	// made is how many of them are known to have been made. The batch is complete when it is size.
	Made int32 `json:"made"`

	// time is when the batch was decided on.
	// +optional
	Time *metav1.Time `json:"time,omitempty"`

	// why says how the number of Jobs came about.
	// +optional
	Why string `json:"why,omitempty"`
}
