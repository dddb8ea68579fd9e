package scaledjob

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
)

const (
	ready  = kedav1alpha1.ConditionReady
	active = kedav1alpha1.ConditionActive
	yes    = metav1.ConditionTrue
	no     = metav1.ConditionFalse
)

// TestLife: what is said of an object from its first look to idleness, and that
// nothing is said twice.
func TestLife(t *testing.T) {
	w := newWorld(t, newObject())
	w.settle()
	w.expectEvents("Normal KEDAScalersStarted: Started scalers watch", "Normal KEDAScalersStarted: Scaler redis is built")
	w.expectCondition(ready, metav1.ConditionUnknown, "", "")
	w.demand(2)
	w.expectEvents(
		"Normal KEDAJobsCreated: Created 2 jobs (s0-redis-orders has 2 of 1 a Job; default: 2 asked − 0 running, so 2 more)",
		"Normal ScaledJobReady: ScaledJob is ready for scaling", "Normal ScaledJobActive: Jobs are made because triggers are active")
	w.expectCondition(ready, yes, kedav1alpha1.ReasonScaledJobReady, "")
	w.expectCondition(active, yes, kedav1alpha1.ReasonScalerActive, "")
	status := w.object().Status
	if status.LastActiveTime == nil || status.TriggersTypes != "redis" || !slices.Equal(status.ExternalMetricNames, []string{"s0-redis-orders"}) ||
		!status.TriggersActivity["s0-redis-orders"].IsActive || status.Batch.Made != 2 || status.Batch.Time == nil {
		t.Errorf("the status is %+v", status)
	}
	w.writes = nil
	for range 3 {
		w.demand(2)
	}
	if len(w.writes) != 0 {
		t.Errorf("without a change there are the writes %v", w.writes)
	}
	w.expectEvents()
	for _, j := range w.jobs() {
		w.finish(j, batchv1.JobComplete, time.Now())
	}
	w.demand(0)
	w.expectEvents("Normal ScaledJobInactive: No Jobs are made because triggers are not active")
	w.expectCondition(active, no, kedav1alpha1.ReasonScalerNotActive, "")
	if err := w.client.Delete(w.Context(), w.object()); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.expectEvents("Warning ScaledJobDeleted: ScaledJob was deleted")
	if len(w.r.Store.Slots()) != 0 {
		t.Error("the triggers are kept")
	}
}

// TestTriggersThatFail: what can be read counts, and what cannot is told.
func TestTriggersThatFail(t *testing.T) {
	odd := kedav1alpha1.ScaleTriggers{Type: "nonsense", Metadata: map[string]string{}}
	w := newWorld(t, newObject(func(sj *kedav1alpha1.ScaledJob) { sj.Spec.Triggers = append(sj.Spec.Triggers, list("mails"), odd) }))
	w.settle()
	w.put(0, scalers.Reading{Err: errors.New("no answer"), At: time.Now()})
	w.read(1, 0)
	w.settle()
	w.expectCondition(ready, no, kedav1alpha1.ReasonTriggerError, "no answer")
	w.expectCondition(ready, no, kedav1alpha1.ReasonTriggerError, "nonsense")
	w.expectCondition(active, metav1.ConditionUnknown, "", "")
	w.read(1, 3)
	w.settle()
	w.expectJobs("of the trigger that can be read", 3)
	w.expectCondition(ready, metav1.ConditionUnknown, kedav1alpha1.ReasonPartialTriggerError, "no answer")
}

// TestFaults: what the spec alone shows is told, and nothing is made.
func TestFaults(t *testing.T) {
	w := newWorld(t, newObject(func(sj *kedav1alpha1.ScaledJob) {
		sj.Spec.MinReplicaCount = new(int32(1))
		sj.Spec.Triggers[0].MetricType = "AverageValue"
	}))
	if result := w.settle(); result.RequeueAfter != faultRecheck {
		t.Errorf("it is looked at again after %s", result.RequeueAfter)
	}
	w.expectJobs("of an object with a fault", 0)
	w.expectCondition(ready, no, kedav1alpha1.ReasonScaledJobCheckFailed, "metricType")
	w.expectCondition(active, metav1.ConditionUnknown, kedav1alpha1.ReasonUnknownState, "")
}

// TestWarnings: what has no effect is told once.
func TestWarnings(t *testing.T) {
	cpu := kedav1alpha1.ScaleTriggers{Type: "cpu", Metadata: map[string]string{"value": "50"}}
	w := newWorld(t, newObject(func(sj *kedav1alpha1.ScaledJob) {
		sj.Spec.Triggers[0].Metadata["colour"] = "blue"
		sj.Spec.Triggers = append(sj.Spec.Triggers, cpu)
	}))
	w.demand(1)
	w.expectCondition(kedav1alpha1.ConditionWarning, yes, kedav1alpha1.ReasonTriggerParameters, "colour")
	told := 0
	for range 2 {
		for _, e := range w.events.take() {
			told += strings.Count(e, "KEDAScalerInfo")
		}
		w.demand(1)
	}
	if told != 1 {
		t.Errorf("it is told %d times", told)
	}
}

func TestMinimum(t *testing.T) {
	w := newWorld(t, newObject(func(sj *kedav1alpha1.ScaledJob) {
		sj.Spec.MinReplicaCount, sj.Spec.MaxReplicaCount = new(int32(2)), new(int32(4))
	}))
	w.settle()
	w.expectJobs("without a reading", 2)
	w.expectCondition(active, yes, kedav1alpha1.ReasonScalerActive, "2 Jobs run")
	w.demand(9)
	w.expectJobs("with work for more than may run", 4)
	for _, j := range w.jobs()[:3] {
		w.finish(j, batchv1.JobComplete, time.Now())
	}
	result := w.demand(0)
	w.expectJobs("within the polling interval", 4)
	if result.RequeueAfter <= 0 || result.RequeueAfter > 30*time.Second {
		t.Errorf("it is looked at again after %s", result.RequeueAfter)
	}
}

// TestPause: nothing is made, and a batch is not gone on with.
func TestPause(t *testing.T) {
	w := newWorld(t, newObject(func(sj *kedav1alpha1.ScaledJob) { sj.Spec.MaxReplicaCount = new(int32(1000)) }))
	w.settle()
	w.read(0, 150)
	if _, err := w.reconcile(); err != nil {
		t.Fatal(err)
	}
	w.expectJobs("the first chunk", chunk)
	w.events.take()
	w.change(func(sj *kedav1alpha1.ScaledJob) {
		sj.Annotations = map[string]string{kedav1alpha1.AnnotationPaused: "true"}
	})
	w.settle()
	w.settle()
	w.expectJobs("while paused", chunk)
	w.expectCondition(kedav1alpha1.ConditionPaused, yes, kedav1alpha1.ReasonScaledJobPaused, "")
	w.expectEvents("Normal ScaledJobPaused: ScaledJob is paused: no Jobs are made until the annotation is removed",
		"Normal KEDAScalersStopped: Stopped scalers watch")
	if len(w.r.Store.Slots()) != 0 {
		t.Error("triggers are read while paused")
	}
	w.change(func(sj *kedav1alpha1.ScaledJob) { sj.Annotations = nil })
	w.demand(120)
	w.expectJobs("for what is wanted then", 120)
	w.expectCondition(kedav1alpha1.ConditionPaused, no, kedav1alpha1.ReasonScaledJobUnpaused, "")
}

// TestRollout: Jobs of a former spec go, once, unless they are to end.
func TestRollout(t *testing.T) {
	w := newWorld(t, newObject())
	w.demand(3)
	w.finish(w.jobs()[0], batchv1.JobFailed, time.Now())
	w.events.take()
	w.change(func(sj *kedav1alpha1.ScaledJob) {
		sj.Generation = 2
		sj.Spec.Rollout = &kedav1alpha1.Rollout{Strategy: kedav1alpha1.RolloutStrategyGradual}
	})
	w.settle()
	w.expectJobs("gradual", 3)
	w.change(func(sj *kedav1alpha1.ScaledJob) { sj.Generation, sj.Spec.Rollout = 3, nil })
	w.before = func(call string) error {
		if call == "delete" {
			return apierrors.NewServerTimeout(schema.GroupResource{Resource: "jobs"}, "delete", 1)
		}
		return nil
	}
	if _, err := w.reconcile(); err == nil {
		t.Error("a deletion that failed is none")
	}
	w.expectCondition(ready, no, kedav1alpha1.ReasonScaledJobCheckFailed, "deleting Job")
	w.before = nil
	w.events.take()
	w.settle()
	w.settle()
	w.expectJobs("immediate", 0)
	w.expectEvents("Normal ScaledJobRolloutCleanupStarted: Deleting 3 jobs of the former spec",
		"Normal ScaledJobRolloutCleanupCompleted: Deleted 3 jobs of the former spec",
		"Normal ScaledJobReady: ScaledJob is ready for scaling", "Normal ScaledJobActive: Jobs are made because triggers are active")
}

func TestHistory(t *testing.T) {
	w := newWorld(t, newObject(func(sj *kedav1alpha1.ScaledJob) {
		sj.Spec.SuccessfulJobsHistoryLimit, sj.Spec.FailedJobsHistoryLimit = new(int32(1)), new(int32(0))
	}))
	w.demand(4)
	all := w.jobs()
	for i, as := range []batchv1.JobConditionType{batchv1.JobComplete, batchv1.JobComplete, batchv1.JobFailed} {
		w.finish(all[i], as, time.Now().Add(time.Duration(-i)*time.Hour))
	}
	w.demand(1)
	var kept []string
	for _, j := range w.jobs() {
		kept = append(kept, j.Name)
	}
	if want := []string{all[0].Name, all[3].Name}; !slices.Equal(kept, want) {
		t.Errorf("kept are %v, want the one that succeeded last and the one that runs, %v", kept, want)
	}
}

// TestChangeWithinABatch: what was decided by a former spec is not made to its end.
func TestChangeWithinABatch(t *testing.T) {
	w := newWorld(t, newObject(func(sj *kedav1alpha1.ScaledJob) {
		sj.Spec.MaxReplicaCount = new(int32(1000))
		sj.Spec.Rollout = &kedav1alpha1.Rollout{Strategy: kedav1alpha1.RolloutStrategyGradual}
	}))
	w.settle()
	w.read(0, 500)
	if _, err := w.reconcile(); err != nil {
		t.Fatal(err)
	}
	w.change(func(sj *kedav1alpha1.ScaledJob) { sj.Generation, sj.Spec.MaxReplicaCount = 2, new(int32(130)) })
	w.settle()
	w.expectJobs("by the new maximum", 130)
	if b := w.object().Status.Batch; !b.Complete() || b.Sequence != 1 {
		t.Errorf("the batch is %+v", b)
	}
	w.demand(400)
	w.expectJobs("with the maximum running", 130)
}

// TestEagerOnce: a reading is answered once, however often it is looked at.
func TestEagerOnce(t *testing.T) {
	w := newWorld(t, newObject(func(sj *kedav1alpha1.ScaledJob) {
		sj.Spec.ScalingStrategy = &kedav1alpha1.ScalingStrategy{Strategy: kedav1alpha1.ScalingStrategyEager}
	}))
	w.demand(3)
	for range 5 {
		w.settle()
	}
	w.expectJobs("of one reading", 3)
	if result := w.demand(3); result.RequeueAfter <= 0 || result.RequeueAfter > 15*time.Second {
		t.Errorf("an event soon after is looked at again after %s", result.RequeueAfter)
	}
	w.expectJobs("of an event soon after", 3)
}

// TestUnwritten: a status that cannot be written is told once, and no Job is made
// whose batch was not written.
func TestUnwritten(t *testing.T) {
	w := newWorld(t, newObject())
	w.settle()
	w.events.take()
	w.before = func(string) error { return errors.New("not now") }
	w.read(0, 2)
	for range 2 {
		if _, err := w.reconcile(); err == nil {
			t.Error("the error is not returned")
		}
	}
	w.expectJobs("without a status", 0)
	told := 0
	for _, e := range w.events.take() {
		told += strings.Count(e, "ScaledJobUpdateFailed")
	}
	if told != 1 {
		t.Errorf("it is told %d times", told)
	}
	w.before = func(string) error {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "scaledjobs"}, name.Name)
	}
	if _, err := w.reconcile(); err != nil {
		t.Errorf("an object that went meanwhile is an error: %v", err)
	}
	w.before = nil
	w.demand(2)
	w.expectJobs("in the end", 2)
}

// TestStandby: one that does not own the object reads nothing on schedule and writes
// nothing.
func TestStandby(t *testing.T) {
	w := newWorld(t, newObject())
	w.r.Ownership = poll.NewLeader("another")
	w.demand(3)
	w.expectJobs("made by a standby", 0)
	if len(w.writes) != 0 {
		t.Errorf("a standby writes %v", w.writes)
	}
}

// TestNotSynced: before all Jobs are known none is made.
func TestNotSynced(t *testing.T) {
	w := newWorld(t, newObject(func(sj *kedav1alpha1.ScaledJob) { sj.Spec.MinReplicaCount = new(int32(1)) }))
	synced := w.r.Synced
	w.r.Synced = func(_ context.Context, pods bool) (bool, error) { return pods, nil }
	if result := w.settle(); result.RequeueAfter != syncRecheck {
		t.Errorf("it is looked at again after %s", result.RequeueAfter)
	}
	w.expectJobs("before Jobs are known", 0)
	w.r.Synced = synced
	w.settle()
	w.expectJobs("afterwards", 1)
}

// TestFinalizerOfBefore: an object that another operator put its finalizer on can be
// deleted.
func TestFinalizerOfBefore(t *testing.T) {
	w := newWorld(t, newObject(func(sj *kedav1alpha1.ScaledJob) { sj.Finalizers = []string{kedav1alpha1.Finalizer} }))
	if err := w.client.Delete(w.Context(), w.object()); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if err := w.client.Get(w.Context(), name, &kedav1alpha1.ScaledJob{}); !apierrors.IsNotFound(err) {
		t.Errorf("it is held: %v", err)
	}
}

func TestWarm(t *testing.T) {
	w := newWorld(t, newObject())
	w.r.warm.Begin()
	if w.r.Warm(t.Context()) == nil {
		t.Error("it is warm before the object was looked at")
	}
	w.settle()
	if err := w.r.Warm(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestJobOf: what a Job has from its object.
func TestJobOf(t *testing.T) {
	sj := newObject(func(sj *kedav1alpha1.ScaledJob) {
		sj.Name = strings.Repeat("n", 50) + "-." + strings.Repeat("m", 11)
		sj.Labels = map[string]string{"app.kubernetes.io/version": "mine", "team": "a", "secret": "b"}
		sj.Annotations = map[string]string{
			kedav1alpha1.AnnotationJobExcludedLabels: "secret", corev1.LastAppliedConfigAnnotation: "{}", "note": "c",
		}
		sj.Spec.JobTargetRef.TTLSecondsAfterFinished = new(int32(5))
		sj.Spec.JobTargetRef.Template.Labels = map[string]string{"app": "d"}
	})
	job := newJob(sj, "v1.2.3+4", 7, 3)
	if len(job.Name) > 63 || !strings.HasPrefix(job.Name, strings.Repeat("n", 50)+"-") || strings.Contains(job.Name, ".") {
		t.Errorf("its name is %s", job.Name)
	}
	if again := newJob(sj, "v9", 7, 3); again.Name != job.Name {
		t.Errorf("the same Job is named %s and %s", job.Name, again.Name)
	}
	names := map[string]bool{}
	for sequence := range int64(3) {
		for place := range int32(3) {
			names[jobName(sj, sequence, place)] = true
		}
	}
	if len(names) != 9 {
		t.Errorf("nine Jobs have the names %v", names)
	}
	for key, want := range map[string]string{
		"scaledjob.keda.sh/name": sj.Name, "app.kubernetes.io/version": "mine", "app.kubernetes.io/managed-by": "keda-operator", "team": "a", "secret": "",
	} {
		if job.Labels[key] != want {
			t.Errorf("label %s is %q, want %q", key, job.Labels[key], want)
		}
	}
	if a := job.Annotations; a["note"] != "c" || a[corev1.LastAppliedConfigAnnotation] != "" || a["scaledjob.keda.sh/generation"] != "1" || a["freshet.io/batch"] != "7/3" {
		t.Errorf("annotations are %v", a)
	}
	template := job.Spec.Template
	if template.Labels["app"] != "d" || template.Labels["scaledjob.keda.sh/name"] != sj.Name || template.Spec.RestartPolicy != corev1.RestartPolicyOnFailure {
		t.Errorf("the template is %+v", template)
	}
	if !metav1.IsControlledBy(job, sj) || *job.Spec.TTLSecondsAfterFinished != 5 {
		t.Errorf("the Job is %+v", job)
	}
	if sj.Spec.JobTargetRef.Template.Labels["scaledjob.keda.sh/name"] != "" {
		t.Error("making a Job changes the object")
	}
	sj.Spec.JobTargetRef.CompletionMode, sj.Spec.JobTargetRef.Completions = new(batchv1.IndexedCompletion), new(int32(1000))
	if n := jobName(sj, 1, 1); len(n)+len("-999") > 63 {
		t.Errorf("pods of %s have names that are too long", n)
	}
}
