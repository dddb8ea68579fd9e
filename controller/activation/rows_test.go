package activation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryRowHasATimeline holds the timelines to the decision table that KEDA's users
// know, row by row, with both ends of each condition. That replicas which cannot be read
// decide nothing is not Decide's, which is not called then.
func TestEveryRowHasATimeline(t *testing.T) {
	for _, row := range []struct{ row, file, decision string }{
		{"paused", "paused", "Paused, replicas stay"},
		{"active at zero: to the minimum or more", "demand", "Activated, replicas 0 to"},
		{"active below the minimum, with idle replicas", "idle-above-zero", "Activated, replicas 1 to"},
		{"active at zero, scaling out paused", "paused-scale-out", "Paused, replicas stay 0: scaling out"},
		{"active and up: the HPA's", "queue", "Active, replicas stay"},
		{"active and up, while another trigger fails", "error-partial", "Active, replicas stay 3: s0-redis-orders active: the HPA scales between 1 and 10 (failing: s1-kafka-orders)"},
		{"active at zero, while another trigger fails", "error-partial", "Activated, replicas 0 to 3: s0-redis-orders active: s0-redis-orders asks for 3 (failing: s1-kafka-orders)"},
		{"forced", "force-activation", "Activated, replicas 0 to 1: force-activation"},
		{"forced, while the trigger fails", "force-activation-error", "Active, replicas stay 3: force-activation active"},
		{"forced, scaling out paused", "force-activation-paused-scale-out", "Paused, replicas stay 0"},
		{"an error, and a fallback to some replicas: before it holds", "fallback", "Failing, replicas stay 3"},
		{"an error, and a fallback to some replicas: while it holds", "fallback", "Active, replicas stay 6: fallback of"},
		{"an error, and a fallback to some replicas: from zero", "fallback-from-zero", "Activated, replicas 0 to"},
		{"an error, and no fallback, up", "error", "Failing, replicas stay"},
		{"an error, and no fallback, idle", "idle-error", "Failing, replicas stay 1"},
		{"an error, and no fallback, below the minimum", "error-below-min", "Failing, replicas stay 0"},
		{"an error, and a fallback to none: as inactive", "fallback-zero", "Deactivated, replicas"},
		{"an error, and a fallback to none: in the cooldown", "fallback-zero-cooldown", "Cooling until"},
		{"an error, and a fallback to none, scaling in paused", "fallback-paused-scale-in", "Paused, replicas stay 3"},
		{"inactive above idle, in the cooldown", "idle-above-zero", "Cooling until"},
		{"inactive above idle, after it", "idle-paused-scale-in", "Deactivated, replicas 4 to 1"},
		{"inactive above zero, in the cooldown", "cooldown", "Cooling until"},
		{"inactive above zero, after it", "cooldown", "Deactivated, replicas"},
		{"never active, in the initial cooldown", "initial-cooldown", "Cooling until 10m"},
		{"never active, without one", "never-active", "Deactivated, replicas 3 to 0"},
		{"inactive above zero, scaling in paused", "paused-scale-in", "Paused, replicas stay 1: scaling in"},
		{"inactive above idle, scaling in paused", "idle-paused-scale-in", "Paused, replicas stay 4: scaling in"},
		{"inactive below the minimum", "min", "Raised, replicas"},
		{"inactive below the minimum, scaling out paused", "paused-scale-out-below-min", "Paused, replicas stay 1"},
		{"inactive, at rest", "restart-while-idle", "Idle, replicas stay 0"},
		{"inactive, between minimum and maximum", "cooldown-between-min-and-max", "Idle, replicas stay 7"},
	} {
		text, err := os.ReadFile(filepath.Join("testdata", row.file+".txt"))
		if err != nil {
			t.Errorf("%s: %v", row.row, err)
			continue
		}
		if !strings.Contains(string(text), "-> "+row.decision) {
			t.Errorf("%s: %s.txt has no decision %q", row.row, row.file, row.decision)
		}
	}
}
