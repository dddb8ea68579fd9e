package v1alpha1

import (
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// scaledJob builds a ScaledJob without faults, with one trigger, and changes it.
func scaledJob(changes ...func(*ScaledJob)) *ScaledJob {
	sj := &ScaledJob{
		ObjectMeta: metav1.ObjectMeta{Name: "encoder"},
		Spec: ScaledJobSpec{
			JobTargetRef: &batchv1.JobSpec{},
			Triggers:     []ScaleTriggers{{Type: "kafka", Metadata: map[string]string{}}},
		},
	}
	for _, change := range changes {
		change(sj)
	}
	return sj
}

func TestScaledJobDefaults(t *testing.T) {
	type effective struct {
		Polling             time.Duration
		Min, Max, Good, Bad int32
		Rollout             RolloutStrategy
		Propagation         metav1.DeletionPropagation
		Restart             corev1.RestartPolicy
		Strategy            ScalingStrategy
	}
	defaults := effective{
		Polling: 30 * time.Second, Min: 0, Max: 100, Good: 100, Bad: 100,
		Rollout: RolloutStrategyImmediate, Propagation: metav1.DeletePropagationBackground, Restart: corev1.RestartPolicyOnFailure,
		Strategy: ScalingStrategy{
			Strategy: ScalingStrategyDefault, CustomScalingQueueLengthDeduction: new(int32(0)), MultipleScalersCalculation: MultipleScalersMax,
		},
	}
	with := func(change func(*effective)) effective {
		e := defaults
		change(&e)
		return e
	}
	custom := ScalingStrategy{
		Strategy: ScalingStrategyCustom, CustomScalingQueueLengthDeduction: new(int32(2)),
		CustomScalingRunningJobPercentage: "0.25", PendingPodConditions: []string{"Ready"}, MultipleScalersCalculation: MultipleScalersSum,
	}
	cases := map[string]struct {
		reason string
		object *ScaledJob
		want   effective
	}{
		"Nothing": {reason: "what is left out has its default", object: scaledJob(), want: defaults},
		"NoJob":   {reason: "a ScaledJob without a Job still has an answer", object: &ScaledJob{}, want: defaults},
		"EmptyBlocks": {
			reason: "blocks without a field in them are as good as left out",
			object: scaledJob(func(sj *ScaledJob) { sj.Spec.Rollout, sj.Spec.ScalingStrategy = &Rollout{}, &ScalingStrategy{} }),
			want:   defaults,
		},
		"Given": {
			reason: "what is given is taken, a zero too",
			object: scaledJob(func(sj *ScaledJob) {
				sj.Spec.PollingInterval, sj.Spec.MinReplicaCount, sj.Spec.MaxReplicaCount = new(int32(5)), new(int32(1)), new(int32(7))
				sj.Spec.SuccessfulJobsHistoryLimit, sj.Spec.FailedJobsHistoryLimit = new(int32(0)), new(int32(3))
				sj.Spec.Rollout = &Rollout{Strategy: RolloutStrategyGradual, PropagationPolicy: PropagationPolicyForeground}
				sj.Spec.JobTargetRef.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
				sj.Spec.ScalingStrategy = &custom
			}),
			want: effective{
				Polling: 5 * time.Second, Min: 1, Max: 7, Good: 0, Bad: 3,
				Rollout: RolloutStrategyGradual, Propagation: metav1.DeletePropagationForeground, Restart: corev1.RestartPolicyNever,
				Strategy: custom,
			},
		},
		"MinAboveMax": {
			reason: "a minimum above the maximum counts as the maximum",
			object: scaledJob(func(sj *ScaledJob) { sj.Spec.MinReplicaCount, sj.Spec.MaxReplicaCount = new(int32(9)), new(int32(4)) }),
			want:   with(func(e *effective) { e.Min, e.Max = 4, 4 }),
		},
		"DeprecatedRollout": {
			reason: "the former field counts when the new one is left out",
			object: scaledJob(func(sj *ScaledJob) {
				sj.Spec.RolloutStrategy = RolloutStrategyGradual
				sj.Spec.Rollout = &Rollout{PropagationPolicy: PropagationPolicyForeground}
			}),
			want: with(func(e *effective) {
				e.Rollout, e.Propagation = RolloutStrategyGradual, metav1.DeletePropagationForeground
			}),
		},
		"BothRollouts": {
			reason: "the new field counts when both are there",
			object: scaledJob(func(sj *ScaledJob) {
				sj.Spec.RolloutStrategy, sj.Spec.Rollout = RolloutStrategyGradual, &Rollout{Strategy: RolloutStrategyImmediate}
			}),
			want: defaults,
		},
		"OddPercentage": {
			reason: "a custom strategy without a number is the default one",
			object: scaledJob(func(sj *ScaledJob) {
				sj.Spec.ScalingStrategy = &ScalingStrategy{Strategy: ScalingStrategyCustom, CustomScalingRunningJobPercentage: "half"}
			}),
			want: with(func(e *effective) { e.Strategy.CustomScalingRunningJobPercentage = "half" }),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			sj := tc.object
			before := sj.DeepCopy()
			got := effective{
				Polling: sj.PollingInterval(), Min: sj.MinReplicas(), Max: sj.MaxReplicas(),
				Good: sj.SuccessfulJobsHistoryLimit(), Bad: sj.FailedJobsHistoryLimit(),
				Rollout: sj.RolloutStrategy(), Propagation: sj.DeletionPropagation(), Restart: sj.PodRestartPolicy(),
				Strategy: sj.ScalingStrategy(),
			}
			if diff := gocmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if diff := gocmp.Diff(before, sj); diff != "" {
				t.Errorf("asking for defaults changes the object (-before +after):\n%s", diff)
			}
		})
	}
}

func TestScaledJobValidate(t *testing.T) {
	cases := map[string]struct {
		reason string
		object *ScaledJob
		want   []told
	}{
		"Minimal": {reason: "what is needed is enough", object: scaledJob()},
		"Empty": {
			reason: "a Job and a trigger are needed",
			object: &ScaledJob{},
			want:   []told{{required, "spec.jobTargetRef"}, {required, "spec.triggers"}},
		},
		"MinAboveMax": {
			reason: "a minimum above the maximum is no fault",
			object: scaledJob(func(sj *ScaledJob) { sj.Spec.MinReplicaCount, sj.Spec.MaxReplicaCount = new(int32(9)), new(int32(4)) }),
		},
		"NegativeNumbers": {
			reason: "the schema's minimums hold for objects that no API server has seen too",
			object: scaledJob(func(sj *ScaledJob) {
				sj.Spec.PollingInterval, sj.Spec.MinReplicaCount, sj.Spec.MaxReplicaCount = new(int32(0)), new(int32(-1)), new(int32(0))
				sj.Spec.SuccessfulJobsHistoryLimit, sj.Spec.FailedJobsHistoryLimit = new(int32(-1)), new(int32(-1))
			}),
			want: []told{
				{invalid, "spec.pollingInterval"}, {invalid, "spec.successfulJobsHistoryLimit"}, {invalid, "spec.failedJobsHistoryLimit"},
				{invalid, "spec.minReplicaCount"}, {invalid, "spec.maxReplicaCount"},
			},
		},
		"Triggers": {
			reason: "triggers are held to what those of a ScaledObject are, and have no metricType",
			object: scaledJob(func(sj *ScaledJob) {
				sj.Spec.Triggers = []ScaleTriggers{
					{Type: "cron", Name: "a", UseCachedMetrics: true}, {Type: "kafka", Name: "a", MetricType: "AverageValue"},
				}
			}),
			want: []told{
				{forbidden, "spec.triggers[0].useCachedMetrics"}, {invalid, "spec.triggers[1].name"},
				{forbidden, "spec.triggers[1].metricType"},
			},
		},
		"LongName": {
			reason: "the name is the value of a label",
			object: scaledJob(func(sj *ScaledJob) { sj.Name = strings.Repeat("n", 64) }),
			want:   []told{{invalid, "metadata.name"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			expectFaults(t, tc.reason, tc.want, tc.object.Validate())
		})
	}
}

func TestScaledJobWarnings(t *testing.T) {
	if got := scaledJob().Warnings(); got != nil {
		t.Errorf("there is nothing to warn of, got %v", got)
	}
	sj := scaledJob(func(sj *ScaledJob) {
		sj.Spec.MinReplicaCount, sj.Spec.MaxReplicaCount = new(int32(9)), new(int32(4))
		sj.Spec.RolloutStrategy, sj.Spec.Rollout = RolloutStrategyGradual, &Rollout{Strategy: RolloutStrategyImmediate}
		sj.Spec.ScalingStrategy = &ScalingStrategy{Strategy: ScalingStrategyCustom}
		sj.Spec.Triggers[0].UseCachedMetrics = true
		sj.Spec.Triggers = append(sj.Spec.Triggers, ScaleTriggers{Type: "cpu"})
	})
	want := []string{
		"spec.minReplicaCount", "spec.rolloutStrategy", "spec.scalingStrategy.customScalingRunningJobPercentage",
		"spec.triggers[0].useCachedMetrics", "spec.triggers[1]",
	}
	var got []string
	for _, warning := range sj.Warnings() {
		path, _, _ := strings.Cut(warning, " ")
		got = append(got, path)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got warnings of %v, want of %v", got, want)
	}
}
