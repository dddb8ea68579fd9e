package horizontal

import (
	"strings"
	"testing"

	"github.com/freshet-io/freshet/controller/timeline"
)

// TestTimelines plays the stories of testdata. testdata/README.md tells how a file is
// written.
func TestTimelines(t *testing.T) {
	timeline.Test(t, func() timeline.World { return &world{start: timeline.Start} })
}

// TestTimelinesShowEverything makes sure that no outcome, and no reason of a
// condition, is without an example.
func TestTimelinesShowEverything(t *testing.T) {
	all := timeline.All(t)
	for _, want := range []string{
		"-> NoTarget", "-> Disabled", "-> AboveMax", "-> BelowMin", "-> Failed", "-> Computed",
		"FailedGetScale", "FailedUpdateScale", "SucceededRescale", "ReadyForNewScale", "ScaleUpStabilized", "ScaleDownStabilized",
		"ValidMetricFound", "ScalingDisabled", "InvalidSelector", "FailedGetExternalMetric", "FailedGetResourceMetric",
		"ScaleUpLimit", "ScaleDownLimit", "TooManyReplicas", "TooFewReplicas", "DesiredWithinRange", "NotScaledToZero", "ScaledToZero",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no timeline shows %s", want)
		}
	}
}
