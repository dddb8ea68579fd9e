package admission

import (
	"fmt"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/e2e/suite"
)

// another is the label of objects that are somebody else's.
var another = map[string]string{"shard": "another"}

// relabel gives an object other labels.
func (s *scene) relabel(kind, name string, labels map[string]string) {
	s.Helper()
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(kedav1alpha1.GroupVersion.WithKind(kind))
	suite.Change(s.Scene, name, obj, func(obj *unstructured.Unstructured) { obj.SetLabels(labels) })
}

// most is the greatest count that the HPA of an object may ask for; 0 without an HPA.
func (s *scene) most(name string) int32 {
	s.Helper()
	var hpa autoscalingv2.HorizontalPodAutoscaler
	err := s.client.Get(s.Ctx, client.ObjectKey{Namespace: s.Namespace, Name: "keda-hpa-" + name}, &hpa)
	s.Must(client.IgnoreNotFound(err))
	return hpa.Spec.MaxReplicas
}

func (s *scene) expectMost(name string, most int32) {
	s.Helper()
	s.Eventually(fmt.Sprintf("the HPA of %s with a maximum of %d", name, most), func() error {
		if got := s.most(name); got != most {
			return fmt.Errorf("it is %d", got)
		}
		return nil
	})
}

// knows tells whether Freshet answers for the metrics of an object.
func (s *scene) knows(name string) bool {
	s.Helper()
	_, err := world.Cluster.Kubectl(s.Ctx, "get", "--raw",
		"/apis/external.metrics.k8s.io/v1beta1/namespaces/"+s.Namespace+"/s0-redis-a?labelSelector=scaledobject.keda.sh%2Fname%3D"+name)
	return err == nil || !strings.Contains(err.Error(), "NotFound")
}

// An object is looked after while its labels are selected. When it leaves, all that
// is in the cluster stays as it is; when it comes back, it is as it was.
func TestSelection(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Deployment("worker", 1)
	s.Deployment("other", 1)
	bad := worker("worker", "triggers: [{type: nobody-knows, metadata: {}}]")
	bad.SetLabels(another)
	s.Must(s.try(bad)) // somebody else may know
	mine := worker("worker", "maxReplicaCount: 5")
	mine.SetLabels(another)
	s.Create(mine, worker("other", "scaleTargetRef: {name: other}, maxReplicaCount: 5"))
	s.expectMost("other", 5)
	if so := s.Object("worker"); s.most("worker") != 0 || len(so.Finalizers) > 0 || len(so.Status.Conditions) > 0 {
		t.Errorf("an object of somebody else's is looked after: %v, %v", so.Finalizers, so.Status.Conditions)
	}

	s.relabel("ScaledObject", "worker", nil)
	s.expectMost("worker", 5)
	s.Eventually("its metrics", func() error {
		if !s.knows("worker") {
			return fmt.Errorf("they are not known")
		}
		return nil
	})

	s.relabel("ScaledObject", "worker", another)
	s.Eventually("its metrics being forgotten", func() error {
		if s.knows("worker") {
			return fmt.Errorf("they are known")
		}
		return nil
	})
	for _, name := range []string{"worker", "other"} {
		suite.Change(s.Scene, name, &kedav1alpha1.ScaledObject{}, func(so *kedav1alpha1.ScaledObject) { so.Spec.MaxReplicaCount = new(int32(7)) })
	}
	s.expectMost("other", 7)
	if so := s.Object("worker"); s.most("worker") != 5 || so.Status.HpaName == "" {
		t.Errorf("the HPA of one that left has a maximum of %d; its status is %v", s.most("worker"), so.Status)
	}

	s.relabel("ScaledObject", "worker", map[string]string{"shard": "mine"})
	s.expectMost("worker", 7)
	s.Must(s.client.Delete(s.Ctx, s.Object("worker")))
	s.Eventually("its deletion", func() error {
		if err := s.client.Get(s.Ctx, client.ObjectKey{Namespace: s.Namespace, Name: "worker"}, &kedav1alpha1.ScaledObject{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("it is still there: %w", err)
		}
		return nil
	})
}

// An authentication that is not selected is as good as not there; and what becomes
// of authentications is told in events.
func TestAuthentications(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Deployment("worker", 1)
	auth := object("TriggerAuthentication", "keys", "configMapTargetRef: [{parameter: password, name: keys, key: password}]")
	auth.SetLabels(another)
	s.Create(auth, worker("worker", "triggers: [{type: redis, metadata: {address: '127.0.0.1:1', listName: a}, authenticationRef: {name: keys}}]"))
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, "False", "", "TriggerAuthentication", "keys")

	s.relabel("TriggerAuthentication", "keys", nil)
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, "False", "", "ConfigMap")
	s.ExpectEvent("keys", "TriggerAuthenticationAdded", "")
	suite.Change(s.Scene, "keys", &kedav1alpha1.TriggerAuthentication{}, func(ta *kedav1alpha1.TriggerAuthentication) {
		ta.Spec.ConfigMapTargetRef[0].Name = "locks"
	})
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, "False", "", "locks")
	s.ExpectEvent("keys", "TriggerAuthenticationUpdated", "")
	s.Must(s.client.Delete(s.Ctx, auth))
	s.ExpectEvent("keys", "TriggerAuthenticationDeleted", "")
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, "False", "", "TriggerAuthentication", "keys")
}
