package behaviour

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/activation"
	"github.com/freshet-io/freshet/metricsadapter/fallback"
)

// kind is one of the sorts of objects in the mixed workload. Each object reads the
// lists of its own sort.
type kind struct {
	name  string
	count int
	// start is the replicas before.
	start int32
	edit  func(*kedav1alpha1.ScaledObject)
	// before and after are the lengths of the list in the two halves of the test.
	before, after int
	dead          bool
	formula       string
	// then is the count that the HPA goes to in the second half; 0 is none.
	then int32
}

// mixed is 50 objects.
var mixed = []kind{
	{name: "busy", count: 12, before: 20, after: 20},
	{name: "growing", count: 8, before: 20, after: 40, then: 8},
	{name: "quiet", count: 8},
	{name: "late", count: 4, after: 10},
	{name: "least", count: 4, edit: func(so *kedav1alpha1.ScaledObject) { so.Spec.MinReplicaCount = ptr.To[int32](2) }},
	{name: "cooling", count: 4, before: 10, then: 1}, // the HPA goes to its minimum, the cooldown keeps that
	{name: "idling", count: 3, start: 1, edit: func(so *kedav1alpha1.ScaledObject) {
		so.Spec.MinReplicaCount, so.Spec.IdleReplicaCount = ptr.To[int32](3), ptr.To[int32](1)
	}},
	{name: "stood-in", count: 3, dead: true, edit: func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Fallback = &kedav1alpha1.Fallback{FailureThreshold: 1, Replicas: 3}
	}},
	{name: "reckoned", count: 2, before: 8, after: 8, formula: "reckoned / 2"},
	{name: "paused", count: 2, start: 5, before: 20, after: 40, edit: func(so *kedav1alpha1.ScaledObject) {
		so.Annotations = map[string]string{kedav1alpha1.AnnotationPaused: "true"}
	}},
}

// decided is the count that the pure decision makes of an object with replicas whose
// list is n long.
func (k *kind) decided(so *kedav1alpha1.ScaledObject, replicas int32, n int, cooling bool) int32 {
	trigger := activation.Trigger{Metric: "s0", Known: true, Active: n > 0, Value: float64(n), Target: 5}
	if k.formula != "" {
		trigger.Value, trigger.Target = float64(n)/2, 1
	}
	if k.dead {
		trigger = activation.Trigger{Metric: "s0", Err: fmt.Errorf("nothing listens"), Failures: 2}
	}
	now := time.Now()
	state := activation.State{Replicas: replicas, Created: now.Add(-time.Hour)}
	if cooling {
		state.LastActive = now
	}
	d := activation.Decide(activation.Spec{
		Min: so.MinReplicas(), Max: so.MaxReplicas(), Idle: so.IdleReplicas(), Cooldown: so.CooldownPeriod(),
		Behavior: so.HPABehavior(), Fallback: fallback.Of(so), Paused: so.Paused(),
	}, []activation.Trigger{trigger}, state, now)
	if d.Replicas == nil {
		return replicas
	}
	return *d.Replicas
}

// histories are the counts that every Deployment of a scene went through.
type histories struct {
	mu     sync.Mutex
	counts map[string][]int32
}

func (s *scene) recordAll() *histories {
	s.Helper()
	h := &histories{counts: map[string][]int32{}}
	w, err := world.Client.Watch(s.Ctx, &appsv1.DeploymentList{}, client.InNamespace(s.Namespace))
	s.Must(err)
	s.Cleanup(w.Stop)
	go func() {
		for e := range w.ResultChan() {
			d, ok := e.Object.(*appsv1.Deployment)
			if !ok {
				continue
			}
			h.mu.Lock()
			if past, n := h.counts[d.Name], *d.Spec.Replicas; len(past) == 0 || past[len(past)-1] != n {
				h.counts[d.Name] = append(past, n)
			}
			h.mu.Unlock()
		}
	}()
	return h
}

func (h *histories) of(name string) []int32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.counts[name])
}

// Freshet is killed at ten random moments of the life of 50 objects: each workload
// goes through the counts that the same life without a restart takes it through,
// which are those that the pure decision and the HPA give it, and no other. It is not
// parallel: the others want Freshet to run.
func TestKilledTenTimes(t *testing.T) {
	lives := map[string]map[string][]int32{}
	for name, live := range map[string]func(*life){"left alone": (*life).undisturbed, "killed": (*life).killed} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t)
			live(l)
			lives[name] = l.end()
		})
	}
	for name, counts := range lives["left alone"] {
		if got := lives["killed"][name]; !slices.Equal(got, counts) {
			t.Errorf("%s went through %v when Freshet was killed, and %v when it was left alone", name, got, counts)
		}
	}
}

// life is that of the mixed workload: a first half, then other lists, then a second.
type life struct {
	*scene
	h    *histories
	want map[string][]int32
}

func newLife(t *testing.T) *life {
	l := &life{scene: newScene(t), want: map[string][]int32{}}
	l.h = l.recordAll()
	for i := range mixed {
		k := &mixed[i]
		l.fill(k.name, k.before)
		for n := range k.count {
			name := fmt.Sprintf("%s-%d", k.name, n)
			l.Deployment(name, k.start)
			so := k.object(l.scene, name)
			l.Create(so)
			first := k.decided(so, k.start, k.before, false)
			second := k.decided(so, first, k.after, true)
			if k.then != 0 {
				second = k.then
			}
			l.want[name] = slices.Compact([]int32{k.start, first, second})
		}
	}
	return l
}

func (l *life) undisturbed() {
	l.awaitHalf(l.h, l.want)
	l.turn()
}

func (l *life) killed() {
	seed := uint64(time.Now().UnixNano())
	l.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // moments, not secrets
	for i := range 10 {
		time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
		l.Must(world.Freshet.Kill())
		if i == 5 { // while nobody looks
			l.expectHalf(l.h, l.want)
			l.turn()
		}
		time.Sleep(time.Duration(random.IntN(500)) * time.Millisecond)
		l.Must(world.Freshet.Start(l.Ctx))
		if i == 4 {
			l.awaitHalf(l.h, l.want)
		}
	}
}

// turn begins the second half.
func (l *life) turn() {
	for _, k := range mixed {
		l.fill(k.name, k.after)
	}
}

// end returns what each workload went through, once all arrived.
func (l *life) end() map[string][]int32 {
	l.Eventually("the counts of all workloads", func() error {
		for name, counts := range l.want {
			if got := l.h.of(name); !slices.Equal(got, counts) {
				return fmt.Errorf("%s went through %v, want %v", name, got, counts)
			}
		}
		return nil
	})
	time.Sleep(3 * time.Second) // a sync of the HPA more
	l.expectAll(l.h, l.want)
	through := map[string][]int32{}
	for name := range l.want {
		through[name] = l.h.of(name)
	}
	return through
}

// object is the ScaledObject of that name.
func (k *kind) object(s *scene, name string) *kedav1alpha1.ScaledObject {
	trigger := s.list(k.name)
	if k.dead {
		trigger.Metadata["address"] = "127.0.0.1:1"
	}
	so := s.ScaledObject(trigger)
	so.ObjectMeta = metav1.ObjectMeta{Name: name}
	so.Spec.ScaleTargetRef.Name = name
	so.Spec.CooldownPeriod = ptr.To[int32](3600)
	if k.formula != "" {
		so.Spec.Advanced.ScalingModifiers = &kedav1alpha1.ScalingModifiers{Formula: k.formula, Target: "1"}
	}
	if k.edit != nil {
		k.edit(so)
	}
	return so
}

// firstHalf is what of the counts does not need the second half.
func firstHalf(name string, want []int32) []int32 {
	for _, k := range mixed {
		late := k.then != 0 || (k.before == 0 && k.after > 0)
		if late && len(name) > len(k.name) && name[:len(k.name)] == k.name {
			return want[:len(want)-1]
		}
	}
	return want
}

// awaitHalf waits until every workload is where the first half takes it.
func (s *scene) awaitHalf(h *histories, want map[string][]int32) {
	s.Helper()
	s.Eventually("the counts of the first half", func() error {
		for name, counts := range want {
			if got := h.of(name); !slices.Equal(got, firstHalf(name, counts)) {
				return fmt.Errorf("%s went through %v, want %v", name, got, firstHalf(name, counts))
			}
		}
		return nil
	})
}

func (s *scene) expectHalf(h *histories, want map[string][]int32) {
	s.Helper()
	for name, counts := range want {
		if got := h.of(name); !slices.Equal(got, firstHalf(name, counts)) {
			s.Errorf("before the second half %s went through %v, want %v", name, got, firstHalf(name, counts))
		}
	}
}

func (s *scene) expectAll(h *histories, want map[string][]int32) {
	s.Helper()
	for name, counts := range want {
		if got := h.of(name); !slices.Equal(got, counts) {
			s.Errorf("%s went through %v, want %v", name, got, counts)
		}
	}
}
