package scaledobject

import (
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers/poll"
)

// TestEarly: nothing is said of an object that is new until its triggers were
// read, or until that takes too long.
func TestEarly(t *testing.T) {
	for name, read := range map[string]bool{"read soon": true, "not read": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newDeployment("orders", 0), newObject("orders"))
			w.r.Patience = time.Minute
			if got := w.settle("orders").RequeueAfter; got != time.Minute {
				t.Errorf("looks again after %s, want a minute", got)
			}
			w.expectWrites("create HorizontalPodAutoscaler")
			w.expectEvents()
			if read {
				w.read("orders", 0, 0)
			} else {
				w.r.Patience = 0
			}
			w.settle("orders")
			w.expectWrites("patch status of ScaledObject")
			w.settle("orders")
			w.expectWrites()
		})
	}
}

// TestRestartSaysNothing: a replica that begins to own an object writes nothing when
// what it reads is what was known.
func TestRestartSaysNothing(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders"))
	w.settle("orders")
	w.read("orders", 0, 0)
	w.settle("orders")
	w.writes = nil
	leader := poll.NewLeader("next")
	leader.Elect()
	w.restart(leader)
	w.r.Patience = time.Minute
	w.settle("orders")
	w.read("orders", 0, 0)
	w.settle("orders")
	w.expectWrites()
}
