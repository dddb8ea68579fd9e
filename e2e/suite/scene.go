package suite

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// Patience bounds how long a test waits for what should take moments.
const Patience = 30 * time.Second

// Scene is the place of one test: a namespace of its own.
type Scene struct {
	*testing.T
	World     *World
	Namespace string
	// Ctx ends long after any test should.
	Ctx context.Context
}

// NewScene makes a namespace that ends with the test.
func (w *World) NewScene(t *testing.T) *Scene {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := w.Client.Create(ctx, ns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		_ = w.Client.DeleteAllOf(ctx, &kedav1alpha1.ScaledObject{}, client.InNamespace(ns.Name)) // the cluster ends soon
		_ = w.Client.Delete(ctx, ns)
	})
	return &Scene{T: t, World: w, Namespace: ns.Name, Ctx: ctx}
}

// Redis starts a Redis that ends with the test.
func (s *Scene) Redis(o servers.RedisOptions) *servers.Redis {
	s.Helper()
	redis, err := servers.StartRedis(s.Ctx, o)
	s.Must(err)
	s.Cleanup(func() { _ = redis.Stop() })
	return redis
}

// Must ends the test on an error.
func (s *Scene) Must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// Create creates objects in the scene's namespace.
func (s *Scene) Create(objects ...client.Object) {
	s.Helper()
	for _, obj := range objects {
		obj.SetNamespace(s.Namespace)
		s.Must(s.World.Client.Create(s.Ctx, obj))
	}
}

// Change reads the object of that name, changes it and writes it, again when
// somebody else did meanwhile.
func Change[T client.Object](s *Scene, name string, obj T, edit func(T)) {
	s.Helper()
	s.Eventually("a change of "+name, func() error {
		if err := s.World.Client.Get(s.Ctx, client.ObjectKey{Namespace: s.Namespace, Name: name}, obj); err != nil {
			return fmt.Errorf("reading it: %w", err)
		}
		edit(obj)
		return s.World.Client.Update(s.Ctx, obj)
	})
}

// Deployment makes a workload of that many replicas and environment.
func (s *Scene) Deployment(name string, replicas int32, env ...corev1.EnvVar) *appsv1.Deployment {
	s.Helper()
	labels := map[string]string{"app": name}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To(replicas), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "worker", Image: "worker", Env: env}}},
			},
		},
	}
	s.Create(d)
	return d
}

// ScaledObject is one on the Deployment "worker": read every second, up to 10
// replicas, cooling down for 4 seconds, and without stabilization.
func (s *Scene) ScaledObject(triggers ...kedav1alpha1.ScaleTriggers) *kedav1alpha1.ScaledObject {
	return &kedav1alpha1.ScaledObject{
		ObjectMeta: metav1.ObjectMeta{Name: "worker"},
		Spec: kedav1alpha1.ScaledObjectSpec{
			ScaleTargetRef:  kedav1alpha1.ScaleTarget{Name: "worker"},
			PollingInterval: ptr.To[int32](1), CooldownPeriod: ptr.To[int32](4), MaxReplicaCount: ptr.To[int32](10),
			Advanced: &kedav1alpha1.AdvancedConfig{HorizontalPodAutoscalerConfig: &kedav1alpha1.HorizontalPodAutoscalerConfig{
				Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{
					ScaleDown: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: ptr.To[int32](0)},
				},
			}},
			Triggers: triggers,
		},
	}
}
