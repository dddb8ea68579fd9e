package horizontal

import (
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"

	ours "github.com/freshet-io/freshet/controller/horizontal"
)

// A run is so many HPAs, each with so many syncs.
const (
	lives = 500
	syncs = 40
)

// The controller's own code and ours make the same of 20,000 random syncs: the
// count, the status and the conditions, with windows and periods to the nanosecond.
func TestDecidesAsTheControllersCode(t *testing.T) {
	silence(t)
	seed := newSeed(t)
	seen := sights{}
	for life := range uint64(lives) {
		synctest.Test(t, func(t *testing.T) {
			one := newLife(t, diceOf(seed, life))
			for n := range syncs {
				if faults := one.step(seen); len(faults) > 0 {
					t.Fatalf("life %d, sync %d: %s\n%s", life, n, faults, one)
				}
			}
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("%d syncs: %v", lives*syncs, seen)
	seen.expectAll(t)
}

// silence takes the controller's log away, and the pauses of those who log errors,
// which would move the clock in the middle of a sync.
func silence(t *testing.T) {
	handlers := utilruntime.ErrorHandlers
	utilruntime.ErrorHandlers = nil
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	t.Cleanup(func() {
		utilruntime.ErrorHandlers = handlers
		klog.LogToStderr(true)
	})
}

// life is that of one HPA, from its creation on.
type life struct {
	dice
	server *server
	hpa    *autoscalingv2.HorizontalPodAutoscaler
	// written is the spec without the API server's defaults.
	written autoscalingv2.HorizontalPodAutoscalerSpec
	memory  ours.Memory
	// idle is a time without work.
	idle bool
	// told are the conditions by what we decided so far.
	told map[autoscalingv2.HorizontalPodAutoscalerConditionType]ours.Condition

	input    ours.Input
	decision ours.Decision
}

func newLife(t *testing.T, d dice) *life {
	s := &server{scale: &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: "worker", Namespace: "test"}}}
	s.hpas, s.pods = newInformer(s), newInformer(s)
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), logr.Discard()))
	settings := ours.DefaultSettings()
	const never = 100 * 365 * 24 * time.Hour // the test says when the HPA is looked at
	c := podautoscaler.NewHorizontalController(ctx, nobody{}, s, s, mapper{}, s, hpaInformer{s.hpas}, podInformer{s.pods}, never,
		settings.DownscaleStabilization, settings.Tolerance, settings.CPUInitialization, settings.InitialReadinessDelay)
	done := make(chan struct{})
	go func() {
		c.Run(ctx, 1)
		close(done)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	l := &life{dice: d, server: s, told: map[autoscalingv2.HorizontalPodAutoscalerConditionType]ours.Condition{}}
	l.hpa = &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: "worker", Namespace: "test"}}
	s.scale.Spec.Replicas = int32(oneOf(d, 0, 1, 1, 3, 10, 40))
	l.respec()
	return l
}

// step has one sync happen in both, and returns what differs.
func (l *life) step(seen sights) []string {
	if l.chance(4) || l.told[autoscalingv2.ScaledToZero].Status && l.server.scale.Spec.Replicas == 0 && l.chance(20) {
		l.respec()
	}
	l.happen()
	spec := ours.SpecOf(&l.written, ours.DefaultSettings())
	before := fmt.Sprint(l.memory)
	decision, memory := ours.Decide(spec, &l.input, l.memory, time.Now())
	if fmt.Sprint(l.memory) != before {
		return []string{"the memory that was given changed"}
	}
	if broken := l.promises(spec, &decision); len(broken) > 0 {
		return broken
	}
	l.decision, l.memory = decision, memory
	seen.add(&decision)

	was := l.hpa.Status.DeepCopy()
	l.server.hpas.handler.OnAdd(l.hpa, false)
	synctest.Wait()
	l.hpa = l.server.current()
	faults := l.compare(was)
	time.Sleep(l.pause())
	return faults
}

// pause is how long it takes to the next sync: the usual time, any other, or one
// that ends windows and periods to the point.
func (l *life) pause() time.Duration {
	switch l.IntN(4) {
	case 0:
		return time.Duration(l.IntN(int(2 * time.Minute)))
	case 1:
		return time.Duration(oneOf(l.dice, 1, 2, 3, 6, 30, 60, 300)) * time.Second
	default:
		return 15 * time.Second
	}
}
