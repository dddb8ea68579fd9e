package scaledjob

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// took is the condition that a worker sets on its pod once it has an item.
const took corev1.PodConditionType = "freshet.io/took-item"

// crew does the work of all pods that run: each one item, in random time.
type crew struct {
	*scene
	// takes tells that an item is taken at the start, and not when it is done.
	takes bool
	// longest is what an item takes at most. ending is the phase of pods at the end.
	longest time.Duration
	ending  corev1.PodPhase

	mu   sync.Mutex
	seen map[types.UID]bool
	// done are items, idle are workers that found none.
	done, idle atomic.Int64
}

// crew begins to work.
func (s *scene) crew(takes bool, longest time.Duration) *crew {
	c := &crew{scene: s, takes: takes, longest: longest, ending: corev1.PodSucceeded, seen: map[types.UID]bool{}}
	follow(s, &corev1.PodList{}, c.see)
	return c
}

func (c *crew) see(obj client.Object) {
	pod, ok := obj.(*corev1.Pod)
	if !ok || pod.Status.Phase != corev1.PodRunning {
		return
	}
	c.mu.Lock()
	known := c.seen[pod.UID]
	c.seen[pod.UID] = true
	c.mu.Unlock()
	if !known {
		go c.work(pod)
	}
}

// work does one item, in one of two protocols.
func (c *crew) work(pod *corev1.Pod) {
	pause := func() { time.Sleep(time.Duration(rand.Int64N(int64(c.longest)))) } //nolint:gosec // moments, not secrets
	if c.takes {
		c.pop()
		c.patch(pod, fmt.Sprintf(`{"status":{"conditions":[{"type":%q,"status":"True"}]}}`, took))
		pause()
	} else {
		pause()
		c.pop()
	}
	c.patch(pod, fmt.Sprintf(`{"status":{"phase":%q}}`, c.ending))
}

func (c *crew) pop() {
	switch err := c.redis.Client().LPop(c.Ctx, "orders").Err(); {
	case err == nil:
		c.done.Add(1)
	case errors.Is(err, redis.Nil):
		c.idle.Add(1)
	case c.Ctx.Err() == nil:
		c.Errorf("taking an item: %v", err)
	}
}

// patch writes a pod's status, as a kubelet does.
func (c *crew) patch(pod *corev1.Pod, text string) {
	for c.Ctx.Err() == nil {
		err := world.Client.Status().Patch(c.Ctx, pod.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, []byte(text)))
		if client.IgnoreNotFound(err) == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}
