package scaledobject

import (
	"testing"
	"time"
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
			w.expectWrites("patch ScaledObject", "apply HorizontalPodAutoscaler")
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
