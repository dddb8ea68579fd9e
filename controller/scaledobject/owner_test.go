package scaledobject

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
)

// TestNonOwner: a replica that does not own the object reads nothing on
// schedule and writes nothing, but is ready to answer for it.
func TestNonOwner(t *testing.T) {
	for _, edit := range []func(*kedav1alpha1.ScaledObject){
		func(*kedav1alpha1.ScaledObject) {},
		func(so *kedav1alpha1.ScaledObject) { so.Spec.ScaleTargetRef.Name = "nothing" },
	} {
		w := newWorld(t, newDeployment("orders", 0), newObject("orders", edit))
		w.restart(poll.NewLeader("that"))
		w.settle("orders")
		w.read("orders", 0, 12)
		w.settle("orders")
		w.expectWrites()
		w.expectEvents()
		w.expectScaled()
		if w.r.Store.Find("shop", "orders", "s0-tray-orders") == nil {
			t.Error("the replica cannot answer for the trigger")
		}
	}
}

// TestNonOwnerForgets: an object that is deleted or paused is no longer
// answered for, by any replica.
func TestNonOwnerForgets(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders", func(so *kedav1alpha1.ScaledObject) {
		so.Finalizers = []string{kedav1alpha1.Finalizer}
	}))
	w.restart(poll.NewLeader("that"))
	w.settle("orders")
	if err := w.client.Delete(t.Context(), newObject("orders")); err != nil {
		t.Fatal(err)
	}
	w.writes = nil
	w.settle("orders")
	w.expectWrites()
	if w.object("orders") == nil {
		t.Error("a replica that does not own the object let it go")
	}
	if w.r.Store.Find("shop", "orders", "s0-tray-orders") != nil {
		t.Error("the object is still answered for")
	}
	if got := w.r.Engine.Size(); got != (poll.Size{}) {
		t.Errorf("the engine still holds %+v", got)
	}
}

// TestWarm: the process is warm when every object was reconciled once, whatever
// came of it, and stays so.
func TestWarm(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders"), newObject("returns"))
	w.r.warm.Begin()
	if err := w.r.Warm(t.Context()); err == nil {
		t.Error("warm before anything was reconciled")
	}
	w.settle("orders")
	if err := w.r.Warm(t.Context()); err == nil {
		t.Error("warm with one object of two")
	}
	w.settle("returns") // whose target does not exist
	if err := w.r.Warm(t.Context()); err != nil {
		t.Errorf("not warm with all objects reconciled: %v", err)
	}
	if err := w.client.Create(t.Context(), newObject("late")); err != nil {
		t.Fatal(err)
	}
	if err := w.r.Warm(t.Context()); err != nil {
		t.Errorf("a new object takes the warmth away: %v", err)
	}
}

// TestTakeOver: a replica takes the object over from another one. It saw the
// trigger active long ago, when it read it for the HPA; the other one until now.
func TestTakeOver(t *testing.T) {
	hourAgo := time.Now().Add(-time.Hour).Truncate(time.Second)
	w := newWorld(t, newDeployment("orders", 3), newObject("orders", func(so *kedav1alpha1.ScaledObject) {
		so.Status.LastActiveTime = &metav1.Time{Time: hourAgo.Add(-time.Hour)}
		so.Status.Conditions.Set(kedav1alpha1.Condition{Type: kedav1alpha1.ConditionActive, Status: metav1.ConditionTrue}, hourAgo.Add(-time.Hour))
	}))
	leader := poll.NewLeader("that")
	w.restart(leader)
	w.settle("orders")
	w.slot("orders", 0).Put(scalers.Reading{Value: scalers.Number(3), Active: true, At: hourAgo})
	w.settle("orders")
	leader.Elect()
	w.read("orders", 0, 0)
	w.settle("orders")
	w.expectScaled()
	w.expectCondition("orders", kedav1alpha1.ConditionActive, metav1.ConditionFalse, kedav1alpha1.ReasonScalerCooldown,
		"No trigger is active, and the cooldown is not over")
}

// shifting is an ownership that moves from one replica to another.
type shifting struct{ owner string }

// Owner is who owns every object at present.
func (s *shifting) Owner(poll.Key) string { return s.owner }

// Self is this replica.
func (s *shifting) Self() string { return "this" }

// TestTakeOverAgain: what a replica saw before it lost the object does not count
// when it gets it back.
func TestTakeOverAgain(t *testing.T) {
	now := time.Now()
	ownership := &shifting{owner: "this"}
	w := newWorld(t, newDeployment("orders", 3), newObject("orders"))
	w.restart(ownership)
	w.settle("orders")
	first := w.r.ownedSince(Key(client.ObjectKeyFromObject(newObject("orders"))), now.Add(time.Hour))
	if !first.Before(now.Add(time.Minute)) {
		t.Errorf("the object is owned since %s, want since it was first reconciled", first)
	}
	ownership.owner = "that"
	w.settle("orders")
	later := now.Add(time.Hour)
	if got := w.r.ownedSince(Key(client.ObjectKeyFromObject(newObject("orders"))), later); !got.Equal(later) {
		t.Errorf("the object is owned since %s, want since this replica got it back at %s", got, later)
	}
}
