package strategy_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/jobs"
	"github.com/freshet-io/freshet/controller/scaledjob/strategy"
)

// TestExact has random queues worked on, in the protocol that a strategy is for, with
// everything that makes what is known old: reads take time, and what Jobs and pods do
// is seen late. As many Jobs are made as there were items.
func TestExact(t *testing.T) {
	for _, s := range []kedav1alpha1.ScalingStrategyType{"default", "accurate"} {
		t.Run(string(s), func(t *testing.T) {
			for seed := range uint64(300) {
				y := newYard(s, seed)
				y.run()
				if y.made != y.items || y.idle > 0 {
					t.Fatalf("seed %d: %d Jobs were made for %d items, and %d found none", seed, y.made, y.items, y.idle)
				}
			}
		})
	}
}

// yard is a queue and its workers, in steps of a millisecond.
type yard struct {
	random  *rand.Rand
	spec    strategy.Spec
	takes   bool
	tracker *jobs.Tracker
	now     time.Time
	later   map[int64][]func()

	queue, items, made, idle int
	answered                 time.Time
}

var owner = client.ObjectKey{Namespace: "shop", Name: "worker"}

func newYard(s kedav1alpha1.ScalingStrategyType, seed uint64) *yard {
	y := &yard{
		random: rand.New(rand.NewPCG(seed, 0)), takes: s == "accurate", now: time.UnixMilli(0), later: map[int64][]func(){},
	}
	y.spec = strategy.Spec{Max: 1 + y.random.Int32N(20), Strategy: s, Interval: time.Second}
	y.tracker = &jobs.Tracker{Now: func() time.Time { return y.now }, Ended: func(client.ObjectKey) {}}
	return y
}

// after has f happen within so many milliseconds.
func (y *yard) after(most int64, f func()) {
	at := y.now.UnixMilli() + 1 + y.random.Int64N(most)
	y.later[at] = append(y.later[at], f)
}

func (y *yard) run() {
	for range 1 + y.random.IntN(8) {
		y.after(8000, func() { n := 1 + y.random.IntN(20); y.queue += n; y.items += n })
	}
	y.poll()
	for ms, end := int64(0), int64(10_000); ms < end; ms++ {
		if y.now = time.UnixMilli(ms); y.queue > 0 || y.tracker.Count(owner, "u", nil, y.now).Unfinished > 0 {
			end = max(end, ms+5000) // some polls more
		}
		for _, f := range y.later[ms] {
			f()
		}
		delete(y.later, ms)
	}
}

// poll begins a read: the source is looked at a while later, and what it said is
// decided on a while after that.
func (y *yard) poll() {
	began := y.now
	y.after(300, func() {
		n := y.queue
		y.after(900, func() { y.decide(n, began) })
	})
	y.after(1000, y.poll)
}

func (y *yard) decide(n int, at time.Time) {
	triggers := []strategy.Trigger{{Metric: "orders", Known: true, Active: n > 0, Queue: float64(n), Target: 1, At: at}}
	c := y.tracker.Count(owner, "u", []string{"took"}, strategy.Oldest(triggers))
	d := strategy.Decide(y.spec, triggers, strategy.State{
		Running: c.Running, Pending: c.Pending, Unfinished: c.Unfinished, Answered: y.answered,
	}, y.now)
	if d.Jobs > 0 {
		y.answered = d.Newest
	}
	for range d.Jobs {
		y.made++
		y.work(fmt.Sprintf("job-%d", y.made))
	}
}

// work is the life of a Job and its pod, each change of which is seen late and in
// order.
func (y *yard) work(name string) {
	y.tracker.Expect(owner, name)
	labels := map[string]string{kedav1alpha1.LabelScaledJobName: owner.Name, kedav1alpha1.LabelJobName: name}
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: name, UID: types.UID(name), Labels: labels}}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: name, Labels: labels}}
	took := func() {
		if y.queue == 0 {
			y.idle++
			return
		}
		y.queue--
	}
	end := func() {
		job = job.DeepCopy()
		job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
		y.after(200, func() { y.tracker.See(job) })
	}
	y.after(200, func() { y.tracker.See(job) }) // the Job is there at once
	y.after(1500, func() {                      // it begins
		if !y.takes {
			y.after(2000, func() { took(); y.after(50, end) })
			return
		}
		took()
		pod.Status.Conditions = []corev1.PodCondition{{Type: "took", Status: corev1.ConditionTrue}}
		y.after(200, func() { y.tracker.SeePod(pod) })
		y.after([]int64{2, 2000}[y.random.IntN(2)], func() { y.after([]int64{2, 300}[y.random.IntN(2)], end) }) // some in no time
	})
}
