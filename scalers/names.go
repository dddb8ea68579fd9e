package scalers

import (
	"fmt"
	"strings"
)

var metricNameReplacer = strings.NewReplacer("/", "-", ".", "-", ":", "-", "%", "-", "(", "-", ")", "-")

// MetricName is the external metric's name of the trigger at place index of
// spec.triggers: "s<index>-" and the stem, in which the characters / . : % ( )
// became "-".
func MetricName(index int, stem string) string {
	return MetricPrefix(index) + metricNameReplacer.Replace(stem)
}

// MetricPrefix is how the names of external metrics of the trigger at place
// index of spec.triggers begin.
func MetricPrefix(index int) string { return fmt.Sprintf("s%d-", index) }
