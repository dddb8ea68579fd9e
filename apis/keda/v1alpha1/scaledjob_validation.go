package v1alpha1

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Validate lists every fault that keeps Jobs from being started as written, as far as the object alone shows it. An
// object without one may still have a Job that the API server refuses, or metadata that its triggers refuse.
func (sj *ScaledJob) Validate() field.ErrorList {
	faults := validateName(sj.Name)
	if sj.Spec.JobTargetRef == nil {
		faults = append(faults, field.Required(specPath.Child("jobTargetRef"), "write the spec of the Jobs to start"))
	}
	faults = append(faults, validateAtLeast(specPath.Child("pollingInterval"), sj.Spec.PollingInterval, 1)...)
	faults = append(faults,
		validateAtLeast(specPath.Child("successfulJobsHistoryLimit"), sj.Spec.SuccessfulJobsHistoryLimit, 0)...)
	faults = append(faults, validateAtLeast(specPath.Child("failedJobsHistoryLimit"), sj.Spec.FailedJobsHistoryLimit, 0)...)
	faults = append(faults, validateAtLeast(specPath.Child("minReplicaCount"), sj.Spec.MinReplicaCount, 0)...)
	faults = append(faults, validateAtLeast(specPath.Child("maxReplicaCount"), sj.Spec.MaxReplicaCount, 1)...)
	faults = append(faults, validateTriggers(sj.Spec.Triggers)...)
	for i := range sj.Spec.Triggers {
		if sj.Spec.Triggers[i].MetricType != "" {
			faults = append(faults, field.Forbidden(triggersPath.Index(i).Child("metricType"),
				"remove it, the amount of work in a ScaledJob is always divided by the target as an AverageValue"))
		}
	}
	return faults
}

// Warnings are sentences about settings that have no effect as they stand. The object works nevertheless.
func (sj *ScaledJob) Warnings() []string {
	var warnings []string
	minimum, maximum := valueOr(sj.Spec.MinReplicaCount, DefaultMinReplicaCount), sj.MaxReplicas()
	if minimum > maximum {
		warnings = append(warnings, fmt.Sprintf(
			"spec.minReplicaCount is %d and counts as %d, the value of maxReplicaCount: lower the one or raise the other",
			minimum, maximum))
	}
	if sj.Spec.Rollout != nil && sj.Spec.Rollout.Strategy != "" && sj.Spec.RolloutStrategy != "" {
		warnings = append(warnings, "spec.rolloutStrategy does not count beside spec.rollout.strategy: remove it")
	}
	if s := sj.Spec.ScalingStrategy; s != nil && s.Strategy == ScalingStrategyCustom {
		if _, err := s.RunningJobShare(); err != nil {
			warnings = append(warnings, "spec.scalingStrategy.customScalingRunningJobPercentage is not a number, "+
				"so the default strategy is used: set it to a number, for example \"0.5\"")
		}
	}
	for i := range sj.Spec.Triggers {
		if sj.Spec.Triggers[i].UseCachedMetrics {
			warnings = append(warnings, fmt.Sprintf("%s has no effect in a ScaledJob: remove it",
				triggersPath.Index(i).Child("useCachedMetrics")))
		}
		if sj.Spec.Triggers[i].IsResource() {
			warnings = append(warnings, fmt.Sprintf("%s is of type %s, which tells of no work and has no effect in a ScaledJob: remove it",
				triggersPath.Index(i), sj.Spec.Triggers[i].Type))
		}
	}
	return warnings
}
