package scaledjob

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/e2e/suite"
)

// uids are those of the Jobs that nobody deletes.
func (s *scene) uids() []types.UID {
	var all []types.UID
	for _, j := range s.jobs() {
		if j.DeletionTimestamp == nil {
			all = append(all, j.UID)
		}
	}
	return all
}

// A change of the spec deletes the Jobs of the former one, or leaves them to end.
func TestRollout(t *testing.T) {
	t.Parallel()
	for _, strategy := range []kedav1alpha1.RolloutStrategy{"immediate", "gradual"} {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.push(2)
			s.Create(s.scaledJob(func(sj *kedav1alpha1.ScaledJob) {
				sj.Spec.Rollout = &kedav1alpha1.Rollout{Strategy: strategy}
			}))
			s.expectJobs(2)
			before := s.uids()
			suite.Change(s.Scene, "worker", &kedav1alpha1.ScaledJob{}, func(sj *kedav1alpha1.ScaledJob) {
				sj.Spec.JobTargetRef.Template.Spec.Containers[0].Image = "worker:2"
			})
			s.push(1)
			s.Within(time.Minute, "three Jobs for three items", func() error {
				after, kept := s.uids(), 0
				for _, uid := range before {
					if slices.Contains(after, uid) {
						kept++
					}
				}
				if want := map[kedav1alpha1.RolloutStrategy]int{"gradual": 2}[strategy]; len(after) != 3 || kept != want {
					return fmt.Errorf("%d are there, of which %d were before, want %d", len(after), kept, want)
				}
				return nil
			})
			if strategy == "immediate" {
				s.ExpectEvent("worker", "ScaledJobRolloutCleanupStarted", "jobs of the former spec")
				s.ExpectEvent("worker", "ScaledJobRolloutCleanupCompleted", "jobs of the former spec")
			}
			s.stays("Jobs", func() int { return len(s.uids()) })
		})
	}
}

// While paused no Jobs are made; afterwards those that are wanted then are.
func TestPause(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.push(1)
	s.Create(s.scaledJob(suspended))
	s.expectJobs(1)
	pause := func(value string) {
		suite.Change(s.Scene, "worker", &kedav1alpha1.ScaledJob{}, func(sj *kedav1alpha1.ScaledJob) {
			if sj.Annotations == nil {
				sj.Annotations = map[string]string{}
			}
			sj.Annotations[kedav1alpha1.AnnotationPaused] = value
		})
	}
	pause("true")
	s.expectCondition(kedav1alpha1.ConditionPaused, metav1.ConditionTrue, "ScaledJobPaused")
	s.push(2)
	s.stays("Jobs", func() int { return len(s.jobs()) })
	pause("false")
	s.expectJobs(3)
	s.expectCondition(kedav1alpha1.ConditionPaused, metav1.ConditionFalse, "ScaledJobUnpaused")
	for _, reason := range []string{"ScaledJobPaused", "ScaledJobUnpaused", "KEDAScalersStopped"} {
		s.ExpectEvent("worker", reason, "")
	}
}

// Of finished Jobs those that ended last are kept.
func TestHistory(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		ending corev1.PodPhase
		as     batchv1.JobConditionType
		keep   int
	}{{corev1.PodSucceeded, batchv1.JobComplete, 2}, {corev1.PodFailed, batchv1.JobFailed, 1}} {
		t.Run(string(tt.ending), func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			crew := s.crew(false, time.Second)
			crew.ending = tt.ending
			made := s.record()
			s.push(6)
			s.Create(s.scaledJob(func(sj *kedav1alpha1.ScaledJob) {
				sj.Spec.SuccessfulJobsHistoryLimit, sj.Spec.FailedJobsHistoryLimit = ptr.To[int32](2), ptr.To[int32](1)
			}))
			s.Within(time.Minute, "the history", func() error {
				jobs := s.jobs()
				if made.count() < 6 || len(jobs) != tt.keep {
					return fmt.Errorf("of %d made there are %d", made.count(), len(jobs))
				}
				for _, j := range jobs {
					if !slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool { return c.Type == tt.as }) {
						return fmt.Errorf("%s has %+v", j.Name, j.Status.Conditions)
					}
				}
				return nil
			})
			if n := made.count(); n != 6 {
				t.Errorf("%d Jobs were made", n)
			}
		})
	}
}

// A minimum is kept whatever the triggers say, beside a trigger that cannot be read.
func TestMinimum(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Create(s.scaledJob(func(sj *kedav1alpha1.ScaledJob) {
		suspended(sj)
		sj.Spec.MinReplicaCount = ptr.To[int32](2)
		sj.Spec.Triggers = append(sj.Spec.Triggers, kedav1alpha1.ScaleTriggers{Type: "redis", Metadata: map[string]string{
			"address": "127.0.0.1:1", "listName": "orders", "listLength": "1",
		}})
	}))
	s.expectJobs(2)
	s.expectCondition(kedav1alpha1.ConditionReady, metav1.ConditionFalse, "TriggerError", "127.0.0.1:1")
	s.push(3)
	s.expectJobs(5)
	s.expectCondition(kedav1alpha1.ConditionReady, metav1.ConditionUnknown, "PartialTriggerError")
	s.stays("Jobs", func() int { return len(s.jobs()) })
	s.Must(world.Client.Delete(s.Ctx, s.object()))
	s.expectJobs(0)
	s.ExpectEvent("worker", "ScaledJobDeleted", "")
}

// The self-metrics tell of ScaledJobs, and nobody is answered with what they read as
// an external metric.
func TestSelfMetrics(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.push(4)
	s.Create(s.scaledJob(suspended))
	s.expectJobs(4)
	labels := `{metric="s0-redis-orders",namespace="` + s.Namespace + `",scaledObject="worker",scaler="redisScaler",triggerIndex="0",type="scaledjob"}`
	wanted := []string{
		"keda_scaler_metrics_value" + labels + " 4", "keda_scaler_active" + labels + " 1",
		`keda_scaled_job_errors_total{namespace="` + s.Namespace + `",scaledJob="worker"} 0`,
		`keda_resource_registered_total{namespace="` + s.Namespace + `",type="scaled_job"} 1`,
		`freshet_scaled_job_ready{namespace="` + s.Namespace + `",scaledJob="worker"} 1`,
	}
	s.Eventually("the self-metrics", func() error {
		text, err := world.Freshet.Metrics(s.Ctx)
		s.Must(err)
		for _, want := range wanted {
			if !strings.Contains(text, want) {
				return fmt.Errorf("they lack %s", want)
			}
		}
		return nil
	})
	out, err := world.Cluster.Kubectl(s.Ctx, "get", "--raw", "/apis/external.metrics.k8s.io/v1beta1/namespaces/"+s.Namespace+
		"/s0-redis-orders?labelSelector=scaledobject.keda.sh%2Fname%3Dworker")
	if err == nil {
		t.Errorf("the adapter answers with %s", out)
	}
}
