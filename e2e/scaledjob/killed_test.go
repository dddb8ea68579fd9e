package scaledjob

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/utils/ptr"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/e2e/local"
)

// shop is one way of working that is killed: so many items, which arrive in bursts.
type shop struct {
	*crew
	made         *ledger
	items, given int
}

func newShop(t *testing.T, items int, takes bool, edit func(*kedav1alpha1.ScaledJob)) *shop {
	s := newScene(t)
	h := &shop{made: s.record(), items: items, crew: s.crew(takes, 1500*time.Millisecond)}
	s.Create(s.scaledJob(func(sj *kedav1alpha1.ScaledJob) {
		sj.Spec.SuccessfulJobsHistoryLimit = ptr.To[int32](1000)
		edit(sj)
	}))
	return h
}

// give brings a share of the items.
func (h *shop) give(share float64) {
	if n := min(int(share*float64(h.items)), h.items) - h.given; n > 0 {
		h.push(n)
		h.given += n
	}
}

// expectExact waits until the work is done, and holds the number of Jobs to that of
// items.
func (h *shop) expectExact(name string) {
	h.Helper()
	h.Within(2*time.Minute, name+": all items are done", func() error {
		if done := h.done.Load(); done != int64(h.items) {
			return fmt.Errorf("%d of %d are done, %d Jobs were made: %+v", done, h.items, h.made.count(), h.object().Status.Batch)
		}
		return nil
	})
	h.stays(name+": Jobs after the work is done", h.made.count)
	if n := h.made.count(); n != h.items {
		h.Errorf("%s: %d Jobs were made for %d items", name, n, h.items)
	}
	if idle := h.idle.Load(); idle != 0 {
		h.Errorf("%s: %d Jobs found no item", name, idle)
	}
}

// mortal is a process in place of the one that the others share, for as long as the
// test lasts. Nobody asks it for metrics, so that its start waits for no one.
func mortal(t *testing.T, s *scene) *local.Freshet {
	t.Helper()
	s.Must(world.Freshet.Stop())
	freshet, err := local.New(world.Program, world.Kubeconfig, filepath.Join(t.TempDir(), "mortal.log"), world.Client)
	s.Must(err)
	freshet.Args = world.Args
	s.Must(freshet.Start(s.Ctx))
	t.Cleanup(func() {
		if err := errors.Join(freshet.Stop(), world.Freshet.Start(s.Ctx)); err != nil {
			t.Error(err)
		}
	})
	return freshet
}

// Freshet is killed at twenty random moments while 500 items are worked on, in each
// of the two protocols: items that leave their list when they are done, which the
// default strategy is for, and items that leave it when a Job takes them, which the
// accurate one is for. As many Jobs are made as there are items. It is not parallel:
// the others want Freshet to run.
func TestKilledTwentyTimes(t *testing.T) {
	kept := newShop(t, 500, false, func(*kedav1alpha1.ScaledJob) {})
	taken := newShop(t, 500, true, func(sj *kedav1alpha1.ScaledJob) {
		sj.Spec.ScalingStrategy = &kedav1alpha1.ScalingStrategy{
			Strategy: kedav1alpha1.ScalingStrategyAccurate, PendingPodConditions: []string{string(took)},
		}
	})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // moments, not secrets
	freshet := mortal(t, kept.scene)
	const kills = 20
	for i := range kills {
		for _, h := range []*shop{kept, taken} {
			h.give(float64(i+1) / kills)
		}
		time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
		kept.Must(freshet.Kill())
		kept.Must(freshet.Start(kept.Ctx))
	}
	t.Logf("%d and %d Jobs were made until the last kill", kept.made.count(), taken.made.count())
	kept.expectExact("items that are kept")
	taken.expectExact("items that are taken")
}
