package v1alpha1

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// Trigger types that the API itself treats differently from all others.
const (
	TriggerTypeCPU    = "cpu"
	TriggerTypeMemory = "memory"
	TriggerTypeCron   = "cron"
)

// ScaleTriggers is one source of events or of load, and how to read it.
//
// +kubebuilder:validation:XValidation:rule="!has(self.useCachedMetrics) || !self.useCachedMetrics || !(self.type in ['cpu', 'memory', 'cron'])",message="triggers of type cpu, memory and cron are never cached: remove useCachedMetrics",fieldPath=".useCachedMetrics"
type ScaleTriggers struct {
	// type is the kind of source, for example "kafka", "rabbitmq", "prometheus" or "cron".
	// It decides which keys metadata may hold.
	// +kubebuilder:validation:MinLength=1
	Type string `json:"type"`

	// name tells this trigger from the others of the same object, and must be unique among them. It labels the
	// trigger's metrics, and it is the variable that stands for the trigger's value in a scalingModifiers formula,
	// which can only use triggers that have one.
	// +optional
	Name string `json:"name,omitempty"`

	// useCachedMetrics answers the HorizontalPodAutoscaler with the value of the last poll instead of a newer reading,
	// so that the source is asked no more often than every pollingInterval. Not available for cpu, memory and cron.
	// Default false.
	// +optional
	UseCachedMetrics bool `json:"useCachedMetrics,omitempty"`

	// metadata holds the parameters of the trigger, all of them as text. Which keys there are depends on type. A key
	// that ends in FromEnv takes its value from the environment of the workload's container.
	Metadata map[string]string `json:"metadata"`

	// authenticationRef names the object that holds the credentials for this trigger. Without it the trigger has only
	// what stands in metadata.
	// +optional
	AuthenticationRef *AuthenticationRef `json:"authenticationRef,omitempty"`

	// metricType says how the value compares with its target: AverageValue divides it by the number of pods, Value takes
	// it as it is, Utilization is a percentage of the pods' requests and is for cpu and memory only. Default
	// AverageValue. Must be left out in a ScaledJob.
	// +optional
	MetricType autoscalingv2.MetricTargetType `json:"metricType,omitempty"`
}

// AuthenticationRef names a TriggerAuthentication or a ClusterTriggerAuthentication.
type AuthenticationRef struct {
	// name is the name of the object that holds the credentials.
	Name string `json:"name"`

	// kind is the kind of that object: TriggerAuthentication, which is looked up in the namespace of the object that is
	// scaled, or ClusterTriggerAuthentication, which serves all namespaces. Default TriggerAuthentication.
	// +kubebuilder:validation:Enum=TriggerAuthentication;ClusterTriggerAuthentication
	// +optional
	Kind string `json:"kind,omitempty"`
}

// TriggerActivityStatus is what the last reading of one trigger said about activity.
type TriggerActivityStatus struct {
	// isActive says whether the trigger asked for replicas when it was last read.
	// +optional
	IsActive bool `json:"isActive,omitempty"`
}

// IsResource reports whether the trigger is one that the HorizontalPodAutoscaler measures itself: cpu or memory. Such
// a trigger has no external metric, takes no part in deciding activity and is no variable of a formula.
func (t *ScaleTriggers) IsResource() bool {
	return t.Type == TriggerTypeCPU || t.Type == TriggerTypeMemory
}

// EffectiveMetricType is the metric type of a trigger that is served as an external metric: what it says, or
// AverageValue.
func (t *ScaleTriggers) EffectiveMetricType() autoscalingv2.MetricTargetType {
	if t.MetricType == "" {
		return autoscalingv2.AverageValueMetricType
	}
	return t.MetricType
}

// EffectiveKind is the kind of the object referred to: what the reference says, or TriggerAuthentication.
func (r *AuthenticationRef) EffectiveKind() string {
	if r.Kind == "" {
		return KindTriggerAuthentication
	}
	return r.Kind
}
