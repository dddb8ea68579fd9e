package scaledjob

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/e2e/suite"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// A Job is what the template says, belongs to its ScaledJob, and is found by the
// label of old.
func TestJob(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.push(1)
	s.Create(s.scaledJob(func(sj *kedav1alpha1.ScaledJob) {
		suspended(sj)
		sj.Labels = map[string]string{"team": "encoding", "secret": "no"}
		sj.Annotations = map[string]string{kedav1alpha1.AnnotationJobExcludedLabels: "secret", "note": "kept"}
		sj.Spec.JobTargetRef.Parallelism, sj.Spec.JobTargetRef.Completions = ptr.To[int32](2), ptr.To[int32](7)
		sj.Spec.JobTargetRef.CompletionMode = ptr.To(batchv1.IndexedCompletion)
		sj.Spec.JobTargetRef.Template.Spec.RestartPolicy = ""
	}))
	s.expectJobs(1)
	job := s.jobs()[0]
	if !metav1.IsControlledBy(&job, s.object()) {
		t.Errorf("it belongs to %v", job.OwnerReferences)
	}
	for key, want := range map[string]string{
		"scaledjob.keda.sh/name": "worker", "app.kubernetes.io/managed-by": "keda-operator", "app.kubernetes.io/part-of": "worker", "team": "encoding", "secret": "",
	} {
		if job.Labels[key] != want {
			t.Errorf("label %s is %q, want %q", key, job.Labels[key], want)
		}
	}
	if job.Annotations["scaledjob.keda.sh/generation"] != "1" || job.Annotations["note"] != "kept" {
		t.Errorf("annotations are %v", job.Annotations)
	}
	spec := job.Spec
	if *spec.Parallelism != 2 || *spec.Completions != 7 || *spec.CompletionMode != batchv1.IndexedCompletion || *spec.BackoffLimit != 0 ||
		spec.Template.Spec.RestartPolicy != corev1.RestartPolicyOnFailure || spec.Template.Labels["scaledjob.keda.sh/name"] != "worker" {
		t.Errorf("the spec is %+v", spec)
	}
	s.ExpectEvent("worker", "KEDAJobsCreated", "Created 1 jobs")
	s.expectCondition(kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledJobReady")
	s.expectCondition(kedav1alpha1.ConditionActive, metav1.ConditionTrue, "ScalerActive")
	status := s.object().Status
	if b := status.Batch; b == nil || b.Sequence != 1 || b.Size != 1 || b.Made != 1 || b.Why == "" {
		t.Errorf("the batch is %+v", b)
	}
	if status.TriggersTypes != "redis" || len(status.ExternalMetricNames) != 1 || !status.TriggersActivity["s0-redis-orders"].IsActive {
		t.Errorf("the status is %+v", status)
	}
}

// A scaler that pushes has Jobs made well under a second later, without a poll.
func TestPush(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	server, err := servers.StartExternal(servers.ExternalOptions{})
	s.Must(err)
	t.Cleanup(func() { _ = server.Stop() })
	metric := func(n float64) servers.ExternalMetric {
		return servers.ExternalMetric{Name: "orders", Target: 1, Value: n}
	}
	server.Set("worker", metric(0))
	made := s.record()
	s.Create(s.scaledJob(func(sj *kedav1alpha1.ScaledJob) {
		suspended(sj)
		sj.Spec.PollingInterval = ptr.To[int32](3600)
		sj.Spec.Triggers = []kedav1alpha1.ScaleTriggers{{Type: "external-push", Metadata: map[string]string{"scalerAddress": server.Addr()}}}
	}))
	s.expectCondition(kedav1alpha1.ConditionActive, metav1.ConditionFalse, "ScalerNotActive")
	s.Eventually("the stream", func() error {
		if server.Streams("StreamIsActive") != 1 {
			return fmt.Errorf("there is none")
		}
		return nil
	})
	best := time.Hour
	for n := 1; n <= 5; n++ {
		began := time.Now()
		server.Set("worker", metric(float64(n)))
		server.Activate("worker", true)
		s.Eventually("the Job of a push", func() error {
			if made.count() != n {
				return fmt.Errorf("there are %d of %d", made.count(), n)
			}
			return nil
		})
		took := time.Since(began)
		t.Logf("push %d took %s", n, took)
		best = min(best, took)
		server.Activate("worker", false)
		time.Sleep(200 * time.Millisecond)
	}
	if best > time.Second {
		t.Errorf("the fastest of 5 took %s from the event to the Job", best)
	}
}

// A thousand Jobs for one demand are made to the last, and the status says how far
// that is.
func TestThousandJobs(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.push(1000)
	s.Create(s.scaledJob(func(sj *kedav1alpha1.ScaledJob) {
		suspended(sj)
		sj.Spec.MaxReplicaCount = ptr.To[int32](2000)
	}))
	var steps []int32
	s.Within(2*time.Minute, "the batch", func() error {
		b := s.object().Status.Batch
		if b == nil {
			return fmt.Errorf("there is none")
		}
		if len(steps) == 0 || steps[len(steps)-1] != b.Made {
			steps = append(steps, b.Made)
		}
		if b.Size != 1000 || b.Made != 1000 {
			return fmt.Errorf("it is %+v", b)
		}
		return nil
	})
	if len(steps) < 3 {
		t.Errorf("the status only said %v", steps)
	}
	t.Logf("the status said %v", steps)
	s.stays("Jobs", func() int { return len(s.jobs()) })
	if n := len(s.jobs()); n != 1000 {
		t.Errorf("there are %d Jobs", n)
	}
	s.ExpectEvent("worker", "KEDAJobsCreated", "Created 1000 jobs")
}

// A template that the API server refuses is told once, and tried again ever more
// rarely; when it is mended, the Jobs are made.
func TestRefusedTemplate(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.push(3)
	before := refusals(s)
	s.Create(s.scaledJob(func(sj *kedav1alpha1.ScaledJob) {
		suspended(sj)
		sj.Spec.JobTargetRef.Template.Spec.RestartPolicy = corev1.RestartPolicyAlways
	}))
	s.expectCondition(kedav1alpha1.ConditionReady, metav1.ConditionFalse, "JobCreateFailed", "restartPolicy", "0 of 3")
	s.ExpectEvent("worker", "KEDAJobCreateFailed", "restartPolicy")
	time.Sleep(8 * time.Second) // of polls, each of which asks for the Jobs
	if n := refusals(s) - before; n < 2 || n > 6 {
		t.Errorf("the API server refused %d Jobs, want some attempts with growing pauses", n)
	}
	suite.Change(s.Scene, "worker", &kedav1alpha1.ScaledJob{}, func(sj *kedav1alpha1.ScaledJob) {
		sj.Spec.JobTargetRef.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	})
	s.expectJobs(3)
	s.expectCondition(kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledJobReady")
}

// refusals is how many writes the API server has refused to Freshet as invalid.
func refusals(s *scene) int {
	s.Helper()
	text, err := world.Freshet.Metrics(s.Ctx)
	s.Must(err)
	n := 0
	for _, m := range regexp.MustCompile(`(?m)^rest_client_requests_total\{code="422",[^}]*method="POST"[^}]*\} (\d+)`).FindAllStringSubmatch(text, -1) {
		one, err := strconv.Atoi(m[1])
		s.Must(err)
		n += one
	}
	return n
}

// With a quota that is full, what there is room for is made and told, and the rest as
// room comes.
func TestFullQuota(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "few"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/jobs.batch": resource.MustParse("4")}},
	}
	s.Create(quota)
	s.Eventually("the quota", func() error {
		s.Must(world.Client.Get(s.Ctx, client.ObjectKeyFromObject(quota), quota))
		if len(quota.Status.Hard) == 0 {
			return fmt.Errorf("it does not count yet")
		}
		return nil
	})
	made := s.record()
	s.push(12)
	s.Create(s.scaledJob(func(sj *kedav1alpha1.ScaledJob) { sj.Spec.SuccessfulJobsHistoryLimit = ptr.To[int32](0) }))
	s.expectCondition(kedav1alpha1.ConditionReady, metav1.ConditionFalse, "JobCreateFailed", "of 12 Jobs", "exceeded quota")
	s.ExpectEvent("worker", "KEDAJobCreateFailed", "exceeded quota")
	s.expectJobs(4)
	crew := s.crew(false, 500*time.Millisecond)
	s.Within(time.Minute, "all items are done", func() error {
		if done := crew.done.Load(); done != 12 {
			return fmt.Errorf("%d are", done)
		}
		return nil
	})
	s.expectCondition(kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledJobReady")
	if n, idle := made.count(), crew.idle.Load(); n != 12 || idle != 0 {
		t.Errorf("%d Jobs were made for 12 items, and %d found none", n, idle)
	}
}
