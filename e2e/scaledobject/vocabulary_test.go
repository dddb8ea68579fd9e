package scaledobject

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// patience bounds how long a test waits for what should take moments.
const patience = 30 * time.Second

// scene is the place of one test: a namespace, a Deployment and a Redis.
type scene struct {
	*testing.T
	ctx       context.Context
	namespace string
	redis     *servers.Redis
}

// newScene makes a namespace that ends with the test.
func newScene(t *testing.T) *scene {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := world.client.Create(ctx, ns); err != nil {
		t.Fatal(err)
	}
	s := &scene{T: t, ctx: ctx, namespace: ns.Name}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = world.client.DeleteAllOf(ctx, &kedav1alpha1.ScaledObject{}, client.InNamespace(ns.Name))
		_ = world.client.Delete(ctx, ns)
	})
	return s
}

// withRedis gives the scene a Redis of its own.
func (s *scene) withRedis(o servers.RedisOptions) *scene {
	s.Helper()
	var err error
	s.redis, err = servers.StartRedis(s.ctx, o)
	s.must(err)
	s.Cleanup(func() { _ = s.redis.Stop() })
	return s
}

func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *scene) create(objects ...client.Object) {
	s.Helper()
	for _, obj := range objects {
		obj.SetNamespace(s.namespace)
		s.must(world.client.Create(s.ctx, obj))
	}
}

// deployment makes a workload of that many replicas and environment.
func (s *scene) deployment(name string, replicas int32, env ...corev1.EnvVar) *appsv1.Deployment {
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
	s.create(d)
	return d
}

// scaledObject is one on the Deployment "worker" and the list "orders" of the
// scene's Redis: 5 items a replica, read every second.
func (s *scene) scaledObject(edit func(*kedav1alpha1.ScaledObject)) *kedav1alpha1.ScaledObject {
	so := &kedav1alpha1.ScaledObject{
		ObjectMeta: metav1.ObjectMeta{Name: "worker"},
		Spec: kedav1alpha1.ScaledObjectSpec{
			ScaleTargetRef:  kedav1alpha1.ScaleTarget{Name: "worker"},
			PollingInterval: ptr.To[int32](1), CooldownPeriod: ptr.To[int32](4), MaxReplicaCount: ptr.To[int32](10),
			Advanced: &kedav1alpha1.AdvancedConfig{HorizontalPodAutoscalerConfig: &kedav1alpha1.HorizontalPodAutoscalerConfig{
				Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{
					ScaleDown: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: ptr.To[int32](0)},
				},
			}},
			Triggers: []kedav1alpha1.ScaleTriggers{{
				Type:     "redis",
				Metadata: map[string]string{"listName": "orders", "listLength": "5"},
			}},
		},
	}
	if s.redis != nil {
		so.Spec.Triggers[0].Metadata["address"] = s.redis.Addr()
	}
	if edit != nil {
		edit(so)
	}
	return so
}

// push adds n items to the list.
func (s *scene) push(n int) {
	s.Helper()
	items := make([]any, n)
	for i := range items {
		items[i] = i
	}
	s.must(s.client().RPush(s.ctx, "orders", items...).Err())
}

// drain empties the list.
func (s *scene) drain() {
	s.Helper()
	s.must(s.client().Del(s.ctx, "orders").Err())
}

func (s *scene) client() *redis.Client { return s.redis.Client() }

// eventually waits until check has nothing to complain about.
func (s *scene) eventually(what string, check func() error) {
	s.Helper()
	s.within(patience, what, check)
}

func (s *scene) within(limit time.Duration, what string, check func() error) {
	s.Helper()
	var last error
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if last = check(); last == nil {
			return
		}
	}
	s.Fatalf("%s: not within %s: %v", what, limit, last)
}

func (s *scene) replicas(name string) int32 {
	s.Helper()
	var d appsv1.Deployment
	s.must(world.client.Get(s.ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, &d))
	return *d.Spec.Replicas
}

// expectReplicas waits until the Deployment is asked to have n.
func (s *scene) expectReplicas(name string, n int32) {
	s.Helper()
	s.eventually(fmt.Sprintf("%d replicas of %s", n, name), func() error {
		if got := s.replicas(name); got != n {
			return fmt.Errorf("it has %d", got)
		}
		return nil
	})
}

// expectCondition waits for a condition, whose message must hold all words.
func (s *scene) expectCondition(name string, t kedav1alpha1.ConditionType, status metav1.ConditionStatus, reason string, words ...string) {
	s.Helper()
	s.eventually(fmt.Sprintf("condition %s=%s of %s", t, status, name), func() error {
		var so kedav1alpha1.ScaledObject
		s.must(world.client.Get(s.ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, &so))
		c := so.Status.Conditions.Get(t)
		if c.Status != status || (reason != "" && c.Reason != reason) {
			return fmt.Errorf("it is %+v", c)
		}
		for _, word := range words {
			if !strings.Contains(c.Message, word) {
				return fmt.Errorf("its message lacks %q: %s", word, c.Message)
			}
		}
		return nil
	})
}

// expectEvent waits for an event on a ScaledObject, whose note must hold word.
func (s *scene) expectEvent(name, reason, word string) {
	s.Helper()
	s.eventually("event "+reason, func() error {
		var events eventsv1.EventList
		s.must(world.client.List(s.ctx, &events, client.InNamespace(s.namespace)))
		var seen []string
		for i := range events.Items {
			e := &events.Items[i]
			if e.Regarding.Name == name && e.Reason == reason && strings.Contains(e.Note, word) {
				return nil
			}
			seen = append(seen, e.Reason+": "+e.Note)
		}
		return fmt.Errorf("there are %q", seen)
	})
}

func (s *scene) hpa(name string) *autoscalingv2.HorizontalPodAutoscaler {
	s.Helper()
	var hpa autoscalingv2.HorizontalPodAutoscaler
	s.eventually("HPA "+name, func() error {
		return world.client.Get(s.ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, &hpa)
	})
	return &hpa
}

// history records every count that a Deployment was asked to have, by a watch
// that misses none.
type history struct {
	mu     sync.Mutex
	counts []int32
}

func (s *scene) record(name string) *history {
	s.Helper()
	h := &history{}
	w, err := world.client.Watch(s.ctx, &appsv1.DeploymentList{}, client.InNamespace(s.namespace))
	s.must(err)
	s.Cleanup(w.Stop)
	go func() {
		for e := range w.ResultChan() {
			d, ok := e.Object.(*appsv1.Deployment)
			if !ok || d.Name != name {
				continue
			}
			h.mu.Lock()
			if n := *d.Spec.Replicas; len(h.counts) == 0 || h.counts[len(h.counts)-1] != n {
				h.counts = append(h.counts, n)
			}
			h.mu.Unlock()
		}
	}()
	s.eventually("the first count of "+name, func() error {
		if len(h.all()) == 0 {
			return fmt.Errorf("none")
		}
		return nil
	})
	return h
}

func (h *history) all() []int32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.counts)
}

// expectHistory compares what was recorded so far, once the watch has had the
// time to tell of the last change.
func (s *scene) expectHistory(h *history, want ...int32) {
	s.Helper()
	s.within(5*time.Second, fmt.Sprintf("replicas going through %v", want), func() error {
		if got := h.all(); !slices.Equal(got, want) {
			return fmt.Errorf("they went through %v", got)
		}
		return nil
	})
}
