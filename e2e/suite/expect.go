package suite

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// Eventually waits until check has nothing to complain about.
func (s *Scene) Eventually(what string, check func() error) {
	s.Helper()
	s.Within(Patience, what, check)
}

// Within is Eventually with a limit of its own.
func (s *Scene) Within(limit time.Duration, what string, check func() error) {
	s.Helper()
	var last error
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if last = check(); last == nil {
			return
		}
	}
	s.Fatalf("%s: not within %s: %v", what, limit, last)
}

// Replicas is how many the Deployment is asked to have.
func (s *Scene) Replicas(name string) int32 {
	s.Helper()
	var d appsv1.Deployment
	s.Must(s.World.Client.Get(s.Ctx, client.ObjectKey{Namespace: s.Namespace, Name: name}, &d))
	return *d.Spec.Replicas
}

// ExpectReplicas waits until the Deployment is asked to have n.
func (s *Scene) ExpectReplicas(name string, n int32) {
	s.Helper()
	s.Eventually(fmt.Sprintf("%d replicas of %s", n, name), func() error {
		if got := s.Replicas(name); got != n {
			return fmt.Errorf("it has %d", got)
		}
		return nil
	})
}

// Object is the ScaledObject as it is now.
func (s *Scene) Object(name string) *kedav1alpha1.ScaledObject {
	s.Helper()
	so := &kedav1alpha1.ScaledObject{}
	s.Must(s.World.Client.Get(s.Ctx, client.ObjectKey{Namespace: s.Namespace, Name: name}, so))
	return so
}

// ExpectCondition waits for a condition of a ScaledObject, whose message must
// hold all words. A reason "" is any.
func (s *Scene) ExpectCondition(name string, t kedav1alpha1.ConditionType, status metav1.ConditionStatus, reason string, words ...string) {
	s.Helper()
	s.Eventually(fmt.Sprintf("condition %s=%s of %s", t, status, name), func() error {
		c := s.Object(name).Status.Conditions.Get(t)
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

// ExpectEvent waits for an event on a ScaledObject, whose note must hold word.
func (s *Scene) ExpectEvent(name, reason, word string) {
	s.Helper()
	s.Eventually("event "+reason, func() error {
		var events eventsv1.EventList
		s.Must(s.World.Client.List(s.Ctx, &events, client.InNamespace(s.Namespace)))
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

// HPA waits for the HPA of that name.
func (s *Scene) HPA(name string) *autoscalingv2.HorizontalPodAutoscaler {
	s.Helper()
	var hpa autoscalingv2.HorizontalPodAutoscaler
	s.Eventually("HPA "+name, func() error {
		return s.World.Client.Get(s.Ctx, client.ObjectKey{Namespace: s.Namespace, Name: name}, &hpa)
	})
	return &hpa
}

// History is every count that a Deployment was asked to have.
type History struct {
	mu     sync.Mutex
	counts []int32
}

// Record begins a history, by a watch that misses no change.
func (s *Scene) Record(name string) *History {
	s.Helper()
	h := &History{}
	w, err := s.World.Client.Watch(s.Ctx, &appsv1.DeploymentList{}, client.InNamespace(s.Namespace))
	s.Must(err)
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
	s.Eventually("the first count of "+name, func() error {
		if len(h.All()) == 0 {
			return errors.New("none")
		}
		return nil
	})
	return h
}

// All are the counts so far.
func (h *History) All() []int32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.counts)
}

// ExpectHistory compares what was recorded so far, once the watch has had the
// time to tell of the last change.
func (s *Scene) ExpectHistory(h *History, want ...int32) {
	s.Helper()
	s.Within(5*time.Second, fmt.Sprintf("replicas going through %v", want), func() error {
		if got := h.All(); !slices.Equal(got, want) {
			return fmt.Errorf("they went through %v", got)
		}
		return nil
	})
}
