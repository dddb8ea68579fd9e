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
	s.must(crd.UnmarshalJSON([]byte(rolloutCRD)))
	s.must(world.client.Create(s.ctx, crd))
	t.Cleanup(func() { _ = world.client.Delete(s.ctx, crd) })
	rollout := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.dev/v1", "kind": "Rollout",
		"metadata": map[string]any{"name": "worker", "namespace": s.namespace},
		"spec":     map[string]any{"replicas": int64(0)},
	}}
	s.eventually("the new kind", func() error { return world.client.Create(s.ctx, rollout.DeepCopy()) })
	s.create(s.scaledObject(func(so *kedav1alpha1.ScaledObject) {
		so.Spec.ScaleTargetRef = kedav1alpha1.ScaleTarget{APIVersion: "example.dev/v1", Kind: "Rollout", Name: "worker"}
	}))
	replicas := func(want int64) func() error {
		return func() error {
			got := rollout.DeepCopy()
			if err := world.client.Get(s.ctx, client.ObjectKeyFromObject(got), got); err != nil {
				return err
			}
			if n, _, _ := unstructured.NestedInt64(got.Object, "spec", "replicas"); n != want {
				return fmt.Errorf("it has %d", n)
			}
			return nil
		}
	}
	s.expectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")
	s.push(15)
	s.eventually("3 replicas of the rollout", replicas(3))
	s.drain()
	s.eventually("no replicas of the rollout", replicas(0))
}

// A StatefulSet is a target like a Deployment.
func TestStatefulSetTarget(t *testing.T) {
	t.Parallel()
	s := newScene(t).withRedis(servers.RedisOptions{})
	d := s.deployment("template", 0)
	set := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "worker"},
		Spec: appsv1.StatefulSetSpec{
			Replicas: ptr.To[int32](0), Selector: d.Spec.Selector, Template: d.Spec.Template, ServiceName: "worker",
		},
	}
	s.create(set, s.scaledObject(func(so *kedav1alpha1.ScaledObject) { so.Spec.ScaleTargetRef.Kind = "StatefulSet" }))
	s.push(11)
	s.eventually("3 replicas of the StatefulSet", func() error {
		s.must(world.client.Get(s.ctx, client.ObjectKeyFromObject(set), set))
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
	d := s.deployment("worker", 0)
	s.create(s.scaledObject(nil))
	s.expectReplicas("worker", 2)
	_, err := world.cluster.Kubectl(s.ctx, "-n", s.namespace, "scale", "deployment", d.Name, "--replicas=0")
	s.must(err)
	s.expectReplicas("worker", 2)
}

// A paused workload stays as it is, at the count that the annotation may name,
// and goes on where it was when the annotation is gone.
func TestPause(t *testing.T) {
	t.Parallel()
	s := newScene(t).withRedis(servers.RedisOptions{})
	s.deployment("worker", 0)
	so := s.scaledObject(func(so *kedav1alpha1.ScaledObject) {
		so.Annotations = map[string]string{kedav1alpha1.AnnotationPausedReplicas: "1"}
	})
	s.create(so)
	s.expectReplicas("worker", 1)
	s.expectCondition("worker", kedav1alpha1.ConditionPaused, metav1.ConditionTrue, "ScaledObjectPaused")
	s.push(20)
	h := s.record("worker")
	before := so.DeepCopy()
	so.Annotations = nil
	s.must(world.client.Patch(s.ctx, so, client.MergeFrom(before)))
	s.expectCondition("worker", kedav1alpha1.ConditionPaused, metav1.ConditionFalse, "ScaledObjectUnpaused")
	s.expectReplicas("worker", 4)
	s.expectHistory(h, 1, 4)
}
