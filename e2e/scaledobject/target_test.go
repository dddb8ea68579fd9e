package scaledobject

import (
	"errors"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// rolloutCRD is of a workload that the cluster knows nothing of but that it can
// be scaled.
const rolloutCRD = `{
  "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
  "metadata": {"name": "rollouts.example.dev"},
  "spec": {
    "group": "example.dev", "scope": "Namespaced",
    "names": {"kind": "Rollout", "plural": "rollouts", "singular": "rollout"},
    "versions": [{
      "name": "v1", "served": true, "storage": true,
      "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
      "subresources": {"scale": {
        "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector"
      }}
    }]
  }
}`

// Anything with a scale subresource can be a target.
func TestCustomResourceTarget(t *testing.T) {
	t.Parallel()
	s := newScene(t).withRedis(servers.RedisOptions{})
	crd := &unstructured.Unstructured{}
	s.Must(crd.UnmarshalJSON([]byte(rolloutCRD)))
	s.Must(world.Client.Create(s.Ctx, crd))
	t.Cleanup(func() { _ = world.Client.Delete(s.Ctx, crd) })
	rollout := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.dev/v1", "kind": "Rollout",
		"metadata": map[string]any{"name": "worker", "namespace": s.Namespace},
		"spec":     map[string]any{"replicas": int64(0)},
	}}
	s.Eventually("the new kind", func() error { return world.Client.Create(s.Ctx, rollout.DeepCopy()) })
	s.Create(s.scaledObject(func(so *kedav1alpha1.ScaledObject) {
		so.Spec.ScaleTargetRef = kedav1alpha1.ScaleTarget{APIVersion: "example.dev/v1", Kind: "Rollout", Name: "worker"}
	}))
	replicas := func(want int64) func() error {
		return func() error {
			got := rollout.DeepCopy()
			if err := world.Client.Get(s.Ctx, client.ObjectKeyFromObject(got), got); err != nil {
				return err
			}
			if n, _, _ := unstructured.NestedInt64(got.Object, "spec", "replicas"); n != want {
				return fmt.Errorf("it has %d", n)
			}
			return nil
		}
	}
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")
	s.push(15)
	s.Eventually("3 replicas of the rollout", replicas(3))
	s.drain()
	s.Eventually("no replicas of the rollout", replicas(0))
}

// A StatefulSet is a target like a Deployment.
func TestStatefulSetTarget(t *testing.T) {
	t.Parallel()
	s := newScene(t).withRedis(servers.RedisOptions{})
	d := s.Deployment("template", 0)
	set := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "worker"},
		Spec: appsv1.StatefulSetSpec{
			Replicas: ptr.To[int32](0), Selector: d.Spec.Selector, Template: d.Spec.Template, ServiceName: "worker",
		},
	}
	s.Create(set, s.scaledObject(func(so *kedav1alpha1.ScaledObject) { so.Spec.ScaleTargetRef.Kind = "StatefulSet" }))
	s.push(11)
	s.Eventually("3 replicas of the StatefulSet", func() error {
		s.Must(world.Client.Get(s.Ctx, client.ObjectKeyFromObject(set), set))
		if *set.Spec.Replicas != 3 {
			return errors.New("not yet")
		}
		return nil
	})
}

// Somebody who scales an active workload to zero by hand gets it back.
func TestActiveWorkloadComesBack(t *testing.T) {
	t.Parallel()
	s := newScene(t).withRedis(servers.RedisOptions{})
	s.push(10)
	d := s.Deployment("worker", 0)
	s.Create(s.scaledObject(nil))
	s.ExpectReplicas("worker", 2)
	_, err := world.Cluster.Kubectl(s.Ctx, "-n", s.Namespace, "scale", "deployment", d.Name, "--replicas=0")
	s.Must(err)
	s.ExpectReplicas("worker", 2)
}

// A paused workload stays as it is, at the count that the annotation may name,
// and goes on where it was when the annotation is gone.
func TestPause(t *testing.T) {
	t.Parallel()
	s := newScene(t).withRedis(servers.RedisOptions{})
	s.Deployment("worker", 0)
	so := s.scaledObject(func(so *kedav1alpha1.ScaledObject) {
		so.Annotations = map[string]string{kedav1alpha1.AnnotationPausedReplicas: "1"}
	})
	s.Create(so)
	s.ExpectReplicas("worker", 1)
	s.ExpectCondition("worker", kedav1alpha1.ConditionPaused, metav1.ConditionTrue, "ScaledObjectPaused")
	s.push(20)
	h := s.Record("worker")
	before := so.DeepCopy()
	so.Annotations = nil
	s.Must(world.Client.Patch(s.Ctx, so, client.MergeFrom(before)))
	s.ExpectCondition("worker", kedav1alpha1.ConditionPaused, metav1.ConditionFalse, "ScaledObjectUnpaused")
	s.ExpectReplicas("worker", 4)
	s.ExpectHistory(h, 1, 4)
}
