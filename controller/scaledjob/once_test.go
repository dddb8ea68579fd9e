package scaledjob

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

var errCrash = errors.New("killed")

// TestCrashBetweenAnyTwoSteps: the process dies before or after each of its writes, in
// turn. Whoever comes after it makes the rest of the Jobs, and none twice.
func TestCrashBetweenAnyTwoSteps(t *testing.T) {
	const demand = 12
	for step := 0; ; step++ {
		crashed := false
		for _, done := range []bool{false, true} {
			w := newWorld(t, newObject())
			n, dead := 0, false
			w.before = func(string) error {
				if dead || (n == step && !done) {
					dead = true
					return errCrash
				}
				return nil
			}
			w.after = func(_ string, err error) error {
				if n == step {
					dead = true
					return errCrash
				}
				n++
				return err
			}
			w.until(&dead, demand)
			crashed = crashed || dead
			w.before, w.after = nil, nil
			w.restart()
			w.demand(demand)
			w.expectJobs(fmt.Sprintf("after a crash at step %d, done: %v", step, done), demand)
			if b := w.object().Status.Batch; !b.Complete() {
				t.Errorf("after a crash at step %d the batch is %+v", step, b)
			}
			w.demand(demand)
			w.expectJobs("after another reading", demand)
		}
		if !crashed {
			if step < demand {
				t.Errorf("there were only %d steps", step)
			}
			return
		}
	}
}

// until reconciles with a demand until the process is dead or there is nothing to do.
func (w *world) until(dead *bool, demand float64) {
	w.Helper()
	for range 20 {
		if *dead {
			return
		}
		_, _ = w.reconcile() // of one that dies in the middle
		if len(w.r.Store.Object(Key(name))) > 0 {
			w.read(0, demand)
		}
	}
}

// TestLostResponses: every Job is made, and the answer lost. With the next look at the
// same reading the same Job is asked for once more.
func TestLostResponses(t *testing.T) {
	w := newWorld(t, newObject())
	lost, known := 0, 0
	w.after = func(call string, err error) error {
		switch {
		case call == "create" && err == nil:
			lost++
			return context.DeadlineExceeded
		case apierrors.IsAlreadyExists(err):
			known++
		}
		return err
	}
	w.settle()
	w.read(0, 5)
	for range 30 {
		w.impatient()
		w.settle()
	}
	w.expectJobs("after lost answers", 5)
	if lost != 5 || known != 4 { // the last is seen before it is asked for again
		t.Errorf("%d answers were lost, and %d Jobs found to be there, want 5 and 4", lost, known)
	}
	w.expectCondition(kedav1alpha1.ConditionReady, metav1.ConditionTrue, kedav1alpha1.ReasonScaledJobReady, "")
	w.demand(5)
	w.expectJobs("after another reading", 5)
}

// impatient has what is held up tried at once.
func (w *world) impatient() {
	for _, o := range w.r.objects {
		if o.stuck != nil {
			o.stuck.until = time.Now()
		}
	}
}

// TestUnseenJobs: until the cache has them, Jobs that were made count as those that
// it has.
func TestUnseenJobs(t *testing.T) {
	w := newWorld(t, newObject())
	w.blind = true
	for range 5 {
		w.demand(7)
	}
	w.expectJobs("while none is seen", 7)
	w.demand(9)
	w.expectJobs("two more", 9)
}

// TestStaleObject: what was decided on an old version of the object is not done.
func TestStaleObject(t *testing.T) {
	w := newWorld(t, newObject())
	w.settle()
	w.read(0, 3)
	stale := w.object()
	w.change(func(sj *kedav1alpha1.ScaledJob) { sj.Labels = map[string]string{"a": "b"} })
	all := w.r.resolve(w.Context(), stale)
	w.r.register(Key(name), stale, all)
	if _, err := w.r.own(w.Context(), stale, all); !apierrors.IsConflict(err) {
		t.Errorf("the error is %v, want a conflict", err)
	}
	w.expectJobs("decided on an old version", 0)
	w.settle()
	w.expectJobs("decided on the new one", 3)
}

// TestStaleStatus: in the middle of a batch the cache may not have it yet.
func TestStaleStatus(t *testing.T) {
	w := newWorld(t, newObject(func(sj *kedav1alpha1.ScaledJob) { sj.Spec.MaxReplicaCount = new(int32(1000)) }))
	w.settle()
	w.read(0, 150)
	before := w.object()
	if _, err := w.reconcile(); err != nil {
		t.Fatal(err)
	}
	w.expectJobs("the first chunk", chunk)
	all := w.r.resolve(w.Context(), before)
	w.r.register(Key(name), before, all)
	if _, err := w.r.own(w.Context(), before, all); !apierrors.IsConflict(err) {
		t.Errorf("the error is %v, want a conflict", err)
	}
	w.watch()
	w.settle()
	w.expectJobs("all", 150)
	if b := w.object().Status.Batch; !b.Complete() || b.Sequence != 1 || b.Size != 150 || b.Why == "" {
		t.Errorf("the batch is %+v", b)
	}
}

// TestSecondReplica: one takes over while another is in the middle of a batch and does
// not know yet. Both make the same Jobs.
func TestSecondReplica(t *testing.T) {
	w := newWorld(t, newObject(func(sj *kedav1alpha1.ScaledJob) { sj.Spec.MaxReplicaCount = new(int32(1000)) }))
	w.settle()
	w.read(0, 250)
	if _, err := w.reconcile(); err != nil { // one chunk of three
		t.Fatal(err)
	}
	first := w.r
	w.expectJobs("the first chunk", chunk)
	w.restart()
	second := w.r
	w.settle()
	w.read(0, 250)
	for range 6 {
		for _, replica := range []*Reconciler{first, second} {
			w.r = replica
			if _, err := w.reconcile(); err != nil && !apierrors.IsConflict(err) {
				t.Fatal(err)
			}
		}
	}
	w.expectJobs("by two replicas", 250)
}

// TestForeignJob: a Job of the name that is somebody else's is no Job of the object.
func TestForeignJob(t *testing.T) {
	sj := newObject()
	w := newWorld(t, sj, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: jobName(sj, 1, 0)}})
	w.demand(1)
	w.expectCondition(kedav1alpha1.ConditionReady, metav1.ConditionFalse, kedav1alpha1.ReasonJobCreateFailed, "somebody else's")
}

// TestGoneUnseen: a Job that was made and went before it was seen is not waited for.
func TestGoneUnseen(t *testing.T) {
	w := newWorld(t, newObject())
	w.blind = true
	w.demand(2)
	gone := w.jobs()[0]
	if err := w.client.Delete(w.Context(), &gone); err != nil {
		t.Fatal(err)
	}
	if err := w.r.confirm(w.Context(), w.object(), time.Now().Add(2*lost)); err != nil {
		t.Fatal(err)
	}
	if got := w.r.Jobs.Count(name, "u", nil, time.Now()); got.Unfinished != 1 {
		t.Errorf("counts are %+v", got)
	}
}

// TestQuota: what there is room for is made, the rest when there is room, with pauses
// between that grow while there is none.
func TestQuota(t *testing.T) {
	w := newWorld(t, newObject())
	room, tries := 5, 0
	w.before = func(call string) error {
		if call != "create" {
			return nil
		}
		if tries++; len(w.jobs()) >= room {
			return apierrors.NewForbidden(schema.GroupResource{Group: "batch", Resource: "jobs"}, "resize-x", errors.New("exceeded quota: few"))
		}
		return nil
	}
	w.demand(12)
	w.expectJobs("with room for 5", 5)
	w.expectCondition(kedav1alpha1.ConditionReady, metav1.ConditionFalse, kedav1alpha1.ReasonJobCreateFailed, "5 of 12 Jobs")
	w.events.take()
	tries = 0
	for range 20 {
		if result := w.demand(12); result.RequeueAfter <= 0 || result.RequeueAfter > time.Second {
			t.Fatalf("the first pause is %s", result.RequeueAfter)
		}
	}
	if tries != 0 {
		t.Errorf("%d tries in the pause", tries)
	}
	for i, want := range []time.Duration{2, 4, 8, 16, 32, 60, 60} {
		w.impatient()
		if got := w.demand(12).RequeueAfter; got > want*time.Second || got < (want-1)*time.Second {
			t.Errorf("pause %d is %s, want %ds", i, got, want)
		}
	}
	if tries != 7 {
		t.Errorf("%d tries after 7 pauses: each should ask for one Job", tries)
	}
	w.expectEvents() // it was told
	w.finish(w.jobs()[0], batchv1.JobComplete, time.Now())
	room = 8
	w.demand(12 - 1)
	w.expectJobs("with room for 8, after a Job ended", 8)
	room = 100
	w.impatient()
	w.demand(12 - 1)
	w.expectJobs("with room for all", 12)
	w.expectCondition(kedav1alpha1.ConditionReady, metav1.ConditionTrue, kedav1alpha1.ReasonScaledJobReady, "")
}

// TestNotWantedAnyMore: Jobs that cannot be made are no fault once their work is gone.
func TestNotWantedAnyMore(t *testing.T) {
	w := newWorld(t, newObject())
	w.before = func(call string) error {
		if call == "create" && len(w.jobs()) >= 2 {
			return apierrors.NewForbidden(schema.GroupResource{Group: "batch", Resource: "jobs"}, "resize-x", errors.New("exceeded quota"))
		}
		return nil
	}
	w.demand(9)
	w.expectCondition(kedav1alpha1.ConditionReady, metav1.ConditionFalse, kedav1alpha1.ReasonJobCreateFailed, "2 of 9 Jobs")
	w.demand(2)
	w.expectCondition(kedav1alpha1.ConditionReady, metav1.ConditionTrue, kedav1alpha1.ReasonScaledJobReady, "")
	if b := w.object().Status.Batch; !b.Complete() || b.Size != 2 {
		t.Errorf("the batch is %+v", b)
	}
	w.before = nil
	w.demand(3)
	w.expectJobs("one more", 3)
	if b := w.object().Status.Batch; b.Sequence != 2 {
		t.Errorf("the batch is %+v", b)
	}
}

// TestRefusedTemplate: a template is tried again at once when it was changed.
func TestRefusedTemplate(t *testing.T) {
	w := newWorld(t, newObject())
	w.before = func(call string) error {
		if call == "create" {
			return apierrors.NewInvalid(schema.GroupKind{Group: "batch", Kind: "Job"}, "resize-x", nil)
		}
		return nil
	}
	w.demand(3)
	w.expectCondition(kedav1alpha1.ConditionReady, metav1.ConditionFalse, kedav1alpha1.ReasonJobCreateFailed, "0 of 3 Jobs")
	w.before = nil
	w.demand(3)
	w.expectJobs("in the pause", 0)
	w.change(func(sj *kedav1alpha1.ScaledJob) { sj.Generation = 2 })
	w.demand(3)
	w.expectJobs("after a change", 3)
}
