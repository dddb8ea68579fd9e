package behaviour

import (
	"errors"
	"fmt"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// Idle replicas above zero are held against the HPA, which has a higher minimum, and the
// workload goes from them to its minimum and back without a step beside.
func TestIdleReplicasAboveZero(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.worker(1, func(so *kedav1alpha1.ScaledObject) {
		so.Spec.MinReplicaCount, so.Spec.IdleReplicaCount = ptr.To[int32](3), ptr.To[int32](1)
		so.Spec.CooldownPeriod = ptr.To[int32](1)
	}, s.list("orders"))
	h := s.Record("worker")
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")
	time.Sleep(hold)
	s.ExpectHistory(h, 1)
	s.fill("orders", 15)
	s.ExpectReplicas("worker", 3)
	time.Sleep(hold)
	s.fill("orders", 0)
	s.ExpectReplicas("worker", 1)
	time.Sleep(hold)
	s.ExpectHistory(h, 1, 3, 1)
}

// An object that was never active waits for the initial cooldown, and not for the other.
func TestInitialCooldown(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.worker(1, func(so *kedav1alpha1.ScaledObject) {
		so.Spec.InitialCooldownPeriod, so.Spec.CooldownPeriod = ptr.To[int32](8), ptr.To[int32](3600)
	}, s.list("orders"))
	created := s.Object("worker").CreationTimestamp.Time
	h := s.Record("worker")
	s.ExpectCondition("worker", kedav1alpha1.ConditionActive, metav1.ConditionFalse, "ScalerCooldown")
	s.ExpectReplicas("worker", 0)
	if took := time.Since(created); took < 8*time.Second {
		t.Errorf("zero %s after the creation, before the initial cooldown of 8 s", took)
	}
	s.ExpectHistory(h, 1, 0)
}

// The cooldown counts from the last activity, and activity within it begins it anew.
func TestCooldown(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.fill("orders", 1)
	s.worker(0, func(so *kedav1alpha1.ScaledObject) { so.Spec.CooldownPeriod = ptr.To[int32](8) }, s.list("orders"))
	s.ExpectReplicas("worker", 1)
	h := s.Record("worker")
	s.fill("orders", 0)
	s.ExpectCondition("worker", kedav1alpha1.ConditionActive, metav1.ConditionFalse, "ScalerCooldown")
	s.fill("orders", 1)
	s.ExpectCondition("worker", kedav1alpha1.ConditionActive, metav1.ConditionTrue, "ScalerActive")
	s.fill("orders", 0)
	drained := time.Now()
	s.ExpectReplicas("worker", 0)
	if took := time.Since(drained); took < 7*time.Second {
		t.Errorf("zero after %s: the cooldown of 8 s, less one read, did not begin anew", took)
	}
	s.ExpectHistory(h, 1, 0)
}

// Paused at a count, the workload has it as long as the annotation says so, and there is
// no HPA. A count that is none is told, and changes nothing.
func TestPausedReplicas(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.fill("orders", 20)
	s.worker(0, nil, s.list("orders"))
	s.ExpectReplicas("worker", 4)
	pausedAt := func(n int32) {
		s.ExpectReplicas("worker", n)
		s.Eventually(fmt.Sprintf("a status that is paused at %d", n), func() error {
			status := s.Object("worker").Status
			if status.PausedReplicaCount == nil || *status.PausedReplicaCount != n || !status.Conditions.Get(kedav1alpha1.ConditionPaused).IsTrue() {
				return errors.New("it says something else")
			}
			return nil
		})
	}
	s.annotate(map[string]string{kedav1alpha1.AnnotationPausedReplicas: "2", kedav1alpha1.AnnotationPaused: "true"})
	pausedAt(2)
	var hpa autoscalingv2.HorizontalPodAutoscaler
	if err := world.Client.Get(s.Ctx, client.ObjectKey{Namespace: s.Namespace, Name: "keda-hpa-worker"}, &hpa); !apierrors.IsNotFound(err) {
		t.Errorf("there is an HPA while paused: %v", err)
	}
	s.annotate(map[string]string{kedav1alpha1.AnnotationPausedReplicas: "3"})
	pausedAt(3)
	s.annotate(map[string]string{kedav1alpha1.AnnotationPausedReplicas: "a few"})
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionFalse, "ScaledObjectCheckFailed", "a few")
	if n := s.Replicas("worker"); n != 3 {
		t.Errorf("%d replicas after a count that is none", n)
	}
	s.annotate(map[string]string{kedav1alpha1.AnnotationPausedReplicas: "", kedav1alpha1.AnnotationPaused: ""})
	s.ExpectReplicas("worker", 4)
	s.ExpectCondition("worker", kedav1alpha1.ConditionPaused, metav1.ConditionFalse, "ScaledObjectUnpaused")
}
