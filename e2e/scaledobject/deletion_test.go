package scaledobject

import (
	"errors"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// Deletion removes the HPA, and gives the workload its replicas back only when
// the object says so.
func TestDeletion(t *testing.T) {
	for _, tt := range []struct {
		name    string
		restore bool
		want    int32
	}{
		{"with restoreToOriginalReplicaCount", true, 3},
		{"without", false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t).withRedis(servers.RedisOptions{})
			s.Deployment("worker", 3)
			so := s.scaledObject(func(so *kedav1alpha1.ScaledObject) {
				so.Spec.Advanced.RestoreToOriginalReplicaCount = tt.restore
			})
			s.Create(so)
			s.ExpectReplicas("worker", 0)
			if !tt.restore { // what the HPA still does from its first sync must be over
				s.ExpectCondition("worker", kedav1alpha1.ConditionHPAActive, metav1.ConditionTrue, "ScalingDisabled")
				s.ExpectReplicas("worker", 0)
			}
			if got := len(s.Object("worker").Finalizers) > 0; got != tt.restore {
				t.Errorf("it has a finalizer: %t, want %t", got, tt.restore)
			}
			s.Must(world.Client.Delete(s.Ctx, so))
			s.Eventually("the end of the object and its HPA", func() error {
				var gone kedav1alpha1.ScaledObject
				if err := world.Client.Get(s.Ctx, client.ObjectKeyFromObject(so), &gone); !apierrors.IsNotFound(err) {
					return errors.New("the object is there")
				}
				var hpa autoscalingv2.HorizontalPodAutoscaler
				err := world.Client.Get(s.Ctx, client.ObjectKey{Namespace: s.Namespace, Name: "keda-hpa-worker"}, &hpa)
				if !apierrors.IsNotFound(err) {
					return errors.New("the HPA is there")
				}
				return nil
			})
			s.ExpectEvent("worker", "ScaledObjectDeleted", "was deleted")
			time.Sleep(time.Second) // nothing may follow
			if got := s.Replicas("worker"); got != tt.want {
				t.Errorf("it is left with %d replicas, want %d", got, tt.want)
			}
		})
	}
}

// An object whose target is gone can be deleted all the same.
func TestDeletionWithoutTarget(t *testing.T) {
	t.Parallel()
	s := newScene(t).withRedis(servers.RedisOptions{})
	d := s.Deployment("worker", 1)
	so := s.scaledObject(func(so *kedav1alpha1.ScaledObject) { so.Spec.Advanced.RestoreToOriginalReplicaCount = true })
	s.Create(so)
	s.ExpectReplicas("worker", 0)
	s.Must(world.Client.Delete(s.Ctx, d))
	s.Must(world.Client.Delete(s.Ctx, so))
	s.Eventually("the end of the object", func() error {
		var gone kedav1alpha1.ScaledObject
		if err := world.Client.Get(s.Ctx, client.ObjectKeyFromObject(so), &gone); !apierrors.IsNotFound(err) {
			return errors.New("it is there")
		}
		return nil
	})
}
