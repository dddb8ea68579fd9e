package behaviour

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/e2e/suite"
)

func contains(text, part string) bool {
	return strings.Contains(strings.ReplaceAll(text, " ", ""), strings.ReplaceAll(part, " ", ""))
}

// Paused, the replicas stay and there is no HPA; that is a function of the
// annotation alone, so that its end takes up what was missed.
func TestPaused(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.fill("orders", 20)
	s.worker(2, func(so *kedav1alpha1.ScaledObject) {
		so.Annotations = map[string]string{kedav1alpha1.AnnotationPaused: "yes, please"} // any text that is not a bool
	}, s.list("orders"))
	s.ExpectCondition("worker", kedav1alpha1.ConditionPaused, metav1.ConditionTrue, "ScaledObjectPaused")
	h := s.Record("worker")
	time.Sleep(3 * time.Second) // two polls and a sync of the HPA
	s.ExpectHistory(h, 2)
	var hpa autoscalingv2.HorizontalPodAutoscaler
	if err := world.Client.Get(s.Ctx, client.ObjectKey{Namespace: s.Namespace, Name: "keda-hpa-worker"}, &hpa); !apierrors.IsNotFound(err) {
		t.Errorf("there is an HPA while paused: %v", err)
	}
	s.annotate(map[string]string{kedav1alpha1.AnnotationPaused: "false"})
	s.ExpectCondition("worker", kedav1alpha1.ConditionPaused, metav1.ConditionFalse, "ScaledObjectUnpaused")
	s.ExpectReplicas("worker", 4)
}

// With scaling in paused the workload grows but never shrinks, by the HPA or to zero.
func TestPausedScaleIn(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.fill("orders", 10)
	s.worker(0, func(so *kedav1alpha1.ScaledObject) {
		so.Spec.CooldownPeriod = ptr.To[int32](0)
		so.Annotations = map[string]string{kedav1alpha1.AnnotationPausedScaleIn: "true"}
	}, s.list("orders"))
	s.ExpectReplicas("worker", 2)
	s.fill("orders", 20)
	s.ExpectReplicas("worker", 4)
	if policy := s.HPA("keda-hpa-worker").Spec.Behavior.ScaleDown.SelectPolicy; *policy != autoscalingv2.DisabledPolicySelect {
		t.Errorf("the HPA may scale down: %s", *policy)
	}
	h := s.Record("worker")
	s.fill("orders", 0)
	s.ExpectCondition("worker", kedav1alpha1.ConditionActive, metav1.ConditionFalse, "ScalerNotActive")
	time.Sleep(3 * time.Second)
	s.ExpectHistory(h, 4)
	s.annotate(map[string]string{kedav1alpha1.AnnotationPausedScaleIn: ""})
	s.ExpectReplicas("worker", 0)
}

// With scaling out paused the workload never leaves zero and never grows.
func TestPausedScaleOut(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.fill("orders", 20)
	s.worker(0, func(so *kedav1alpha1.ScaledObject) {
		so.Annotations = map[string]string{kedav1alpha1.AnnotationPausedScaleOut: "true"}
	}, s.list("orders"))
	s.ExpectCondition("worker", kedav1alpha1.ConditionActive, metav1.ConditionTrue, "ScalerActive")
	if policy := s.HPA("keda-hpa-worker").Spec.Behavior.ScaleUp.SelectPolicy; *policy != autoscalingv2.DisabledPolicySelect {
		t.Errorf("the HPA may scale up: %s", *policy)
	}
	if n := s.Replicas("worker"); n != 0 {
		t.Errorf("the workload has %d replicas", n)
	}
	s.annotate(map[string]string{kedav1alpha1.AnnotationPausedScaleOut: ""})
	s.ExpectReplicas("worker", 4)
}

// Force-activation holds the workload up whatever the triggers say, and the cooldown
// begins at its end.
func TestForceActivation(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.worker(0, func(so *kedav1alpha1.ScaledObject) {
		so.Spec.MinReplicaCount = ptr.To[int32](0)
		so.Annotations = map[string]string{kedav1alpha1.AnnotationForceActivation: "true"}
	}, s.list("orders"))
	s.ExpectReplicas("worker", 1)
	s.ExpectCondition("worker", kedav1alpha1.ConditionActive, metav1.ConditionTrue, "ScalerActive", "force-activation")
	s.annotate(map[string]string{kedav1alpha1.AnnotationForceActivation: ""})
	ended := time.Now()
	s.ExpectReplicas("worker", 0)
	if took := time.Since(ended); took < 3*time.Second {
		t.Errorf("zero after %s: the cooldown of 4 s did not begin with the end of the annotation", took)
	}
}

// An HPA that exists is taken over with the annotation, and not without it. Labels
// that are excluded are not copied to it.
func TestTransferOfAnHPA(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.fill("orders", 20)
	s.Create(&autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "old"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "worker"},
			MaxReplicas:    3,
		},
	})
	uid := s.HPA("old").UID
	s.worker(1, func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Advanced.HorizontalPodAutoscalerConfig.Name = "old"
		so.Labels = map[string]string{"team": "shop", "secret": "yes"}
		so.Annotations = map[string]string{kedav1alpha1.AnnotationHPAExcludedLabels: "secret, other"}
	}, s.list("orders"))
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionFalse, "ScaledObjectCheckFailed", "transfer-hpa-ownership")
	s.annotate(map[string]string{kedav1alpha1.AnnotationTransferHPAOwnership: "true"})
	s.ExpectReplicas("worker", 4)
	s.Eventually("the HPA", func() error {
		hpa := s.HPA("old")
		owner := metav1.GetControllerOf(hpa)
		switch {
		case hpa.UID != uid:
			return errors.New("it is another one")
		case owner == nil || owner.Name != "worker":
			return fmt.Errorf("it belongs to %v", owner)
		case hpa.Labels["team"] != "shop" || hpa.Labels["secret"] != "":
			return fmt.Errorf("its labels are %v", hpa.Labels)
		}
		return nil
	})
	if name := s.Object("worker").Status.HpaName; name != "old" {
		t.Errorf("status.hpaName is %q", name)
	}
}

// An HPA that is renamed is another one; the replicas stay, and the old one is gone.
func TestRenamedHPA(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.fill("orders", 20)
	s.worker(4, nil, s.list("orders"))
	s.ExpectCondition("worker", kedav1alpha1.ConditionHPAActive, metav1.ConditionTrue, "HPAActive")
	h := s.Record("worker")
	suite.Change(s.Scene, "worker", &kedav1alpha1.ScaledObject{}, func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Advanced.HorizontalPodAutoscalerConfig.Name = "renamed"
	})
	if up := s.HPA("renamed").Spec.MaxReplicas; up != 10 {
		t.Errorf("the new HPA has the maximum %d", up)
	}
	s.Eventually("the end of the old HPA", func() error {
		var hpa autoscalingv2.HorizontalPodAutoscaler
		err := world.Client.Get(s.Ctx, client.ObjectKey{Namespace: s.Namespace, Name: "keda-hpa-worker"}, &hpa)
		if name := s.Object("worker").Status.HpaName; !apierrors.IsNotFound(err) || name != "renamed" {
			return fmt.Errorf("reading it says %v, and the status names %q", err, name) //nolint:errorlint // nil too
		}
		return nil
	})
	s.fill("orders", 30)
	s.ExpectReplicas("worker", 6)
	s.ExpectHistory(h, 4, 6)
}
