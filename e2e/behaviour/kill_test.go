package behaviour

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// Freshet is killed as soon as it has scaled the first of some workloads, and their
// objects are deleted before it is back: each workload gets its original replicas. A
// fallback that held goes on at the first query: its failures are not counted anew. While
// it kills it is not parallel: the others want Freshet to run.
func TestKilledAfterScaling(t *testing.T) {
	s := newScene(t)
	s.worker(2, func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Fallback = &kedav1alpha1.Fallback{FailureThreshold: 4, Replicas: 3}
	}, gone("orders"))
	s.ExpectReplicas("worker", 3)
	s.ExpectCondition("worker", kedav1alpha1.ConditionFallback, metav1.ConditionTrue, "FallbackExists")
	health := s.Object("worker").Status.Health["s0-redis-orders"]
	if health.Status != kedav1alpha1.HealthStatusFailing || health.NumberOfFailures == nil || *health.NumberOfFailures < 5 {
		t.Errorf("the health is %+v", health)
	}

	const workloads, original = 12, 3
	h := s.recordAll()
	names := make([]string, workloads)
	for i := range names {
		names[i] = fmt.Sprintf("restored-%d", i)
		s.Deployment(names[i], original)
	}
	for _, name := range names {
		so := s.ScaledObject(s.list("parcels")) // which is empty, so that it goes to zero at once
		so.Name, so.Spec.ScaleTargetRef.Name = name, name
		so.Spec.Advanced.RestoreToOriginalReplicaCount = true
		s.Create(so)
	}
	scaled := func(name string) bool { return len(h.of(name)) > 1 }
	s.Eventually("the first scaling", func() error {
		for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if slices.ContainsFunc(names, scaled) {
				return nil
			}
		}
		return errors.New("none yet")
	})
	s.Must(world.Freshet.Kill())
	for _, name := range names {
		s.Must(world.Client.Delete(s.Ctx, s.Object(name)))
	}
	s.Must(world.Freshet.Start(s.Ctx))
	s.expectMetricWithin(5*time.Second, "s0-redis-orders", "15") // five failures would take longer
	t.Parallel()                                                 // a new process leads only after a while
	for _, name := range names {
		s.Eventually("the end of "+name, func() error {
			err := world.Client.Get(s.Ctx, client.ObjectKey{Namespace: s.Namespace, Name: name}, &kedav1alpha1.ScaledObject{})
			if !apierrors.IsNotFound(err) {
				return fmt.Errorf("it is still there: reading it says %v", err) //nolint:errorlint // nil too
			}
			return nil
		})
		if n := s.Replicas(name); n != original {
			t.Errorf("%s went through %v and is left with %d replicas, want %d", name, h.of(name), n, original)
		}
	}
	if got := h.of("worker"); !slices.Equal(got, []int32{3}) {
		t.Errorf("the workload of the fallback went through %v", got)
	}
}
