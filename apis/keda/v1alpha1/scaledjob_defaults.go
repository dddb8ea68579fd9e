package v1alpha1

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DefaultJobsHistoryLimit is how many finished Jobs are kept, of those that succeeded and of those that failed each.
const DefaultJobsHistoryLimit int32 = 100

// PollingInterval is the time from the start of one read of the triggers to the start of the next.
func (sj *ScaledJob) PollingInterval() time.Duration {
	return secondsOr(sj.Spec.PollingInterval, DefaultPollingInterval)
}

// MinReplicas is the number of Jobs that always run. It is never above MaxReplicas.
func (sj *ScaledJob) MinReplicas() int32 {
	return min(valueOr(sj.Spec.MinReplicaCount, DefaultMinReplicaCount), sj.MaxReplicas())
}

// MaxReplicas is the number of Jobs that may run at a time, those of MinReplicas among them.
func (sj *ScaledJob) MaxReplicas() int32 {
	return valueOr(sj.Spec.MaxReplicaCount, DefaultMaxReplicaCount)
}

// SuccessfulJobsHistoryLimit is the number of Jobs that have succeeded to keep.
func (sj *ScaledJob) SuccessfulJobsHistoryLimit() int32 {
	return valueOr(sj.Spec.SuccessfulJobsHistoryLimit, DefaultJobsHistoryLimit)
}

// FailedJobsHistoryLimit is the number of Jobs that have failed to keep.
func (sj *ScaledJob) FailedJobsHistoryLimit() int32 {
	return valueOr(sj.Spec.FailedJobsHistoryLimit, DefaultJobsHistoryLimit)
}

// RolloutStrategy is what becomes of the Jobs of the former spec: what rollout says, else the deprecated field, else
// immediate.
func (sj *ScaledJob) RolloutStrategy() RolloutStrategy {
	switch {
	case sj.Spec.Rollout != nil && sj.Spec.Rollout.Strategy != "":
		return sj.Spec.Rollout.Strategy
	case sj.Spec.RolloutStrategy != "":
		return sj.Spec.RolloutStrategy
	}
	return RolloutStrategyImmediate
}

// DeletionPropagation is how the Jobs of the former spec are deleted, in the words of the Kubernetes API: Background
// unless rollout says foreground.
func (sj *ScaledJob) DeletionPropagation() metav1.DeletionPropagation {
	if sj.Spec.Rollout != nil && sj.Spec.Rollout.PropagationPolicy == PropagationPolicyForeground {
		return metav1.DeletePropagationForeground
	}
	return metav1.DeletePropagationBackground
}

// PodRestartPolicy is the restartPolicy of the Jobs' pods: what the template says, or OnFailure.
func (sj *ScaledJob) PodRestartPolicy() corev1.RestartPolicy {
	if job := sj.Spec.JobTargetRef; job != nil && job.Template.Spec.RestartPolicy != "" {
		return job.Template.Spec.RestartPolicy
	}
	return corev1.RestartPolicyOnFailure
}

// ScalingStrategy is the scalingStrategy with every default filled in. A custom strategy whose percentage is not a
// number comes back as the default strategy.
func (sj *ScaledJob) ScalingStrategy() ScalingStrategy {
	var s ScalingStrategy
	if sj.Spec.ScalingStrategy != nil {
		sj.Spec.ScalingStrategy.DeepCopyInto(&s)
	}
	if s.Strategy == "" {
		s.Strategy = ScalingStrategyDefault
	}
	if s.CustomScalingQueueLengthDeduction == nil {
		s.CustomScalingQueueLengthDeduction = new(int32)
	}
	if _, err := s.RunningJobShare(); err != nil && s.Strategy == ScalingStrategyCustom {
		s.Strategy = ScalingStrategyDefault
	}
	if s.MultipleScalersCalculation == "" {
		s.MultipleScalersCalculation = MultipleScalersMax
	}
	return s
}

// RunningJobShare is customScalingRunningJobPercentage as a number. It fails unless that is finite.
func (s *ScalingStrategy) RunningJobShare() (float64, error) {
	return finite(s.CustomScalingRunningJobPercentage)
}

// Complete reports whether every Job of the batch was made. No batch is a complete one.
func (b *JobBatch) Complete() bool { return b == nil || b.Made >= b.Size }
