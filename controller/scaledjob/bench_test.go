package scaledjob

import (
	"context"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// BenchmarkReconcile is of one ScaledJob with 5,000 finished Jobs, 500 that run and
// work for them: what a poll costs while nothing is to be made. No call reaches the API
// server but the read of the object, which the cache answers in life.
func BenchmarkReconcile(b *testing.B) {
	for _, s := range []kedav1alpha1.ScalingStrategyType{"default", "accurate"} {
		b.Run(string(s), func(b *testing.B) {
			w := newWorld(b, newObject(func(sj *kedav1alpha1.ScaledJob) {
				sj.Spec.SuccessfulJobsHistoryLimit, sj.Spec.MaxReplicaCount = new(int32(5000)), new(int32(500))
				sj.Spec.ScalingStrategy = &kedav1alpha1.ScalingStrategy{Strategy: s}
			}))
			w.fill(5000, 500)
			w.settle()
			w.read(0, 500)
			w.settle()
			w.expectJobs("made by the benchmark", 0)
			w.writes, w.lists = nil, 0
			req := ctrl.Request{NamespacedName: name}
			b.ReportAllocs()
			for b.Loop() {
				w.read(0, 500)
				if _, err := w.r.Reconcile(context.Background(), req); err != nil {
					b.Fatal(err)
				}
			}
			if len(w.writes) != 0 || w.lists != 0 {
				b.Errorf("%d lists and these writes: %v", w.lists, w.writes)
			}
		})
	}
}

// fill has the replica see Jobs that no cluster has.
func (w *world) fill(finished, running int) {
	w.Helper()
	for i := range finished + running {
		j := newJob(newObject(), "v1", 9, int32(i))
		j.UID = types.UID(j.Name)
		if i < finished {
			j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: "True"}}
		}
		w.r.Jobs.See(j)
	}
	w.r.Jobs.Forget(name, time.Now())
}
