package scaledjob

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/e2e/cluster"
	"github.com/freshet-io/freshet/e2e/suite"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// scene is the place of one test, with a Redis.
type scene struct {
	*suite.Scene
	redis *servers.Redis
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := world.NewScene(t)
	return &scene{Scene: s, redis: s.Redis(servers.RedisOptions{})}
}

// scaledJob is the ScaledJob "worker" of the list "orders": one item a Job, read every
// second, up to 50 Jobs at a time, whose pods run until a worker ends them.
func (s *scene) scaledJob(edit func(*kedav1alpha1.ScaledJob)) *kedav1alpha1.ScaledJob {
	sj := &kedav1alpha1.ScaledJob{
		ObjectMeta: metav1.ObjectMeta{Name: "worker"},
		Spec: kedav1alpha1.ScaledJobSpec{
			JobTargetRef: &batchv1.JobSpec{
				BackoffLimit: ptr.To[int32](0),
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{cluster.RunForAnnotation: "1h"}},
					Spec: corev1.PodSpec{
						RestartPolicy: corev1.RestartPolicyNever,
						Containers:    []corev1.Container{{Name: "worker", Image: "worker"}},
					},
				},
			},
			PollingInterval: ptr.To[int32](1), MaxReplicaCount: ptr.To[int32](50),
			Triggers: []kedav1alpha1.ScaleTriggers{{
				Type: "redis", Metadata: map[string]string{"address": s.redis.Addr(), "listName": "orders", "listLength": "1"},
			}},
		},
	}
	if edit != nil {
		edit(sj)
	}
	return sj
}

// suspended makes Jobs that have no pods and never end.
func suspended(sj *kedav1alpha1.ScaledJob) { sj.Spec.JobTargetRef.Suspend = ptr.To(true) }

// push adds n items to the list.
func (s *scene) push(n int) {
	s.Helper()
	items := make([]any, n)
	for i := range items {
		items[i] = i
	}
	s.Must(s.redis.Client().RPush(s.Ctx, "orders", items...).Err())
}

// object is the ScaledJob as it is now.
func (s *scene) object() *kedav1alpha1.ScaledJob {
	s.Helper()
	sj := &kedav1alpha1.ScaledJob{}
	s.Must(world.Client.Get(s.Ctx, client.ObjectKey{Namespace: s.Namespace, Name: "worker"}, sj))
	return sj
}

// expectCondition waits for a condition, whose message must hold all words.
func (s *scene) expectCondition(t kedav1alpha1.ConditionType, status metav1.ConditionStatus, reason string, words ...string) {
	s.Helper()
	s.Within(time.Minute, fmt.Sprintf("condition %s=%s (%s)", t, status, reason), func() error {
		c := s.object().Status.Conditions.Get(t)
		if c.Status != status || c.Reason != reason {
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

// jobs are those that there are, in the order of their names.
func (s *scene) jobs() []batchv1.Job {
	s.Helper()
	var list batchv1.JobList
	s.Must(world.Client.List(s.Ctx, &list, client.InNamespace(s.Namespace)))
	return list.Items
}

// expectJobs waits until there are n Jobs that nobody deletes.
func (s *scene) expectJobs(n int) {
	s.Helper()
	s.Within(time.Minute, fmt.Sprintf("%d Jobs", n), func() error {
		there := slices.DeleteFunc(s.jobs(), func(j batchv1.Job) bool { return j.DeletionTimestamp != nil })
		if len(there) != n {
			return fmt.Errorf("there are %d", len(there))
		}
		return nil
	})
}

// stays makes sure that nothing changes for as long as it takes to poll three times.
func (s *scene) stays(what string, count func() int) {
	s.Helper()
	before := count()
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if now := count(); now != before {
			s.Fatalf("%s: %d became %d", what, before, now)
		}
	}
}

// ledger is of every Job that was ever there.
type ledger struct {
	mu   sync.Mutex
	made map[types.UID]time.Time
}

// record begins a ledger. It lists and watches anew when a watch ends.
func (s *scene) record() *ledger {
	s.Helper()
	l := &ledger{made: map[types.UID]time.Time{}}
	follow(s, &batchv1.JobList{}, func(obj client.Object) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if _, known := l.made[obj.GetUID()]; !known {
			l.made[obj.GetUID()] = time.Now()
		}
	})
	return l
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.made)
}

// follow calls see with every object of the scene as it changes, for as long as the
// test lasts.
func follow(s *scene, list client.ObjectList, see func(client.Object)) {
	ctx, stop := context.WithCancel(s.Ctx)
	done := make(chan struct{})
	s.Cleanup(func() { stop(); <-done })
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			one := list.DeepCopyObject().(client.ObjectList)
			if err := world.Client.List(ctx, one, client.InNamespace(s.Namespace)); err != nil {
				continue // until the test ends
			}
			for _, obj := range itemsOf(one) {
				see(obj)
			}
			w, err := world.Client.Watch(ctx, list.DeepCopyObject().(client.ObjectList), client.InNamespace(s.Namespace),
				&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: one.GetResourceVersion()}})
			if err != nil {
				continue
			}
			for e := range w.ResultChan() {
				if obj, ok := e.Object.(client.Object); ok {
					see(obj)
				}
			}
		}
	}()
}

func itemsOf(list client.ObjectList) []client.Object {
	var all []client.Object
	switch l := list.(type) {
	case *batchv1.JobList:
		for i := range l.Items {
			all = append(all, &l.Items[i])
		}
	case *corev1.PodList:
		for i := range l.Items {
			all = append(all, &l.Items[i])
		}
	}
	return all
}
