package behaviour

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/e2e/suite"
)

// A formula decides activity and replicas; cpu stays beside it; a division by zero is
// told and holds.
func TestFormula(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.fill("orders", 3)
	s.fill("parcels", 3)
	s.worker(0, func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Advanced.ScalingModifiers = &kedav1alpha1.ScalingModifiers{Formula: "orders * parcels / 2", Target: "1.5", ActivationTarget: "5"}
	}, s.list("orders"), s.list("parcels"), kedav1alpha1.ScaleTriggers{
		Type: "cpu", MetricType: autoscalingv2.UtilizationMetricType, Metadata: map[string]string{"value": "60"},
	})
	s.expectMetric("composite-metric", "4500m")
	if n := s.Replicas("worker"); n != 0 {
		t.Errorf("%d replicas below the activation target", n)
	}
	s.fill("parcels", 4) // 6 is above it
	s.ExpectReplicas("worker", 4)
	if n := len(s.HPA("keda-hpa-worker").Spec.Metrics); n != 2 {
		t.Errorf("the HPA has %d metrics, want cpu and composite-metric", n)
	}
	suite.Change(s.Scene, "worker", &kedav1alpha1.ScaledObject{}, func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Advanced.ScalingModifiers.Formula = "orders / (parcels - 4)"
	})
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionFalse, "TriggerError", "+Inf", "orders=3, parcels=4")
	suite.Change(s.Scene, "worker", &kedav1alpha1.ScaledObject{}, func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Advanced.ScalingModifiers.Formula = "(orders - 3) / (parcels - 4)"
	})
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionFalse, "TriggerError", "NaN", "orders=3, parcels=4")
	suite.Change(s.Scene, "worker", &kedav1alpha1.ScaledObject{}, func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Advanced.ScalingModifiers.Formula = "orders + nobody"
	})
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionFalse, "ScaledObjectCheckFailed", "unknown name nobody")
	if n := s.Replicas("worker"); n != 4 {
		t.Errorf("%d replicas though the formula cannot be used, want the 4 there were", n)
	}
}

// A formula of type Value has one target for all replicas together.
func TestFormulaOfTypeValue(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.fill("orders", 2)
	s.fill("parcels", 3)
	s.worker(0, func(so *kedav1alpha1.ScaledObject) {
		so.Spec.MaxReplicaCount = ptr.To[int32](6)
		so.Spec.Advanced.ScalingModifiers = &kedav1alpha1.ScalingModifiers{
			Formula: "orders + parcels", Target: "10", ActivationTarget: "5", MetricType: autoscalingv2.ValueMetricType,
		}
	}, s.list("orders"), s.list("parcels"))
	s.expectMetric("composite-metric", "5")
	if n := s.Replicas("worker"); n != 0 {
		t.Errorf("%d replicas at the activation target", n)
	}
	m := s.HPA("keda-hpa-worker").Spec.Metrics
	if len(m) != 1 || m[0].External == nil || m[0].External.Target.Value == nil || m[0].External.Target.Value.String() != "10" {
		t.Errorf("the metrics of the HPA are %+v", m)
	}
	h := s.Record("worker")
	s.fill("orders", 27) // three times the target: three replicas for the first, and as it does not shrink the maximum
	s.ExpectReplicas("worker", 6)
	s.fill("orders", 7) // the target
	s.expectMetric("composite-metric", "10")
	s.expectReady("worker", 6)
	time.Sleep(hold)
	s.ExpectHistory(h, 0, 3, 6)
	s.fill("orders", 2) // half of it
	s.ExpectReplicas("worker", 3)
}

// An authentication tells who uses it, and a change of it, or of the Secret that it
// names, is used at once.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.fill("orders", 10)
	secret := func(name, address string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: map[string]string{"address": address}}
	}
	s.Create(secret("bad", "127.0.0.1:1"), secret("good", s.redis.Addr()), &kedav1alpha1.TriggerAuthentication{
		ObjectMeta: metav1.ObjectMeta{Name: "redis", Finalizers: []string{kedav1alpha1.Finalizer}}, // as another operator leaves it
		Spec: kedav1alpha1.TriggerAuthenticationSpec{
			SecretTargetRef: []kedav1alpha1.AuthSecretTargetRef{{Parameter: "address", Name: "bad", Key: "address"}},
		},
	})
	trigger := s.list("orders")
	delete(trigger.Metadata, "address")
	trigger.AuthenticationRef = &kedav1alpha1.AuthenticationRef{Name: "redis"}
	s.worker(0, nil, trigger)
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionFalse, "TriggerError")
	ta := &kedav1alpha1.TriggerAuthentication{}
	s.Eventually("the users", func() error {
		s.Must(world.Client.Get(s.Ctx, client.ObjectKey{Namespace: s.Namespace, Name: "redis"}, ta))
		if ta.Status.ScaledObjectNamesStr != "worker" {
			return fmt.Errorf("they are %q", ta.Status.ScaledObjectNamesStr)
		}
		return nil
	})
	suite.Change(s.Scene, "redis", ta, func(ta *kedav1alpha1.TriggerAuthentication) { ta.Spec.SecretTargetRef[0].Name = "good" })
	s.ExpectReplicas("worker", 2)
	s.Must(world.Client.Delete(s.Ctx, s.Object("worker")))
	s.Must(world.Client.Delete(s.Ctx, ta))
	s.Eventually("the end of the authentication", func() error {
		if err := world.Client.Get(s.Ctx, client.ObjectKeyFromObject(ta), ta); !apierrors.IsNotFound(err) {
			return fmt.Errorf("it is still there: reading it says %v", err) //nolint:errorlint // nil too
		}
		return nil
	})
}

// A ReplicaSet is a target too, and one that is not scaled any more gets its
// replicas back.
func TestChangedTarget(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.fill("orders", 15)
	labels := map[string]string{"app": "set"}
	s.Create(&appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: "set"},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: ptr.To[int32](0), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "worker", Image: "worker"}}},
			},
		},
	})
	s.worker(1, func(so *kedav1alpha1.ScaledObject) { so.Spec.Advanced.RestoreToOriginalReplicaCount = true }, s.list("orders"))
	s.ExpectReplicas("worker", 3)
	suite.Change(s.Scene, "worker", &kedav1alpha1.ScaledObject{}, func(so *kedav1alpha1.ScaledObject) {
		so.Spec.ScaleTargetRef.Kind, so.Spec.ScaleTargetRef.Name = "ReplicaSet", "set"
	})
	s.ExpectReplicas("worker", 1)
	s.Eventually("3 replicas of the ReplicaSet", func() error {
		var set appsv1.ReplicaSet
		s.Must(world.Client.Get(s.Ctx, client.ObjectKey{Namespace: s.Namespace, Name: "set"}, &set))
		if *set.Spec.Replicas != 3 {
			return fmt.Errorf("it has %d", *set.Spec.Replicas)
		}
		return nil
	})
}
