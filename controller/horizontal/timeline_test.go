package horizontal

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what is decided into testdata, to be read before it is kept")

// TestTimelines plays every file of testdata and compares the decisions with
// those that stand in it. testdata/README.md tells how a file is written.
func TestTimelines(t *testing.T) {
	for _, path := range timelines(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			want := read(t, path)
			got, err := play(want)
			if err != nil {
				t.Fatalf("%s:%v", path, err)
			}
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: the decisions are others (-want +got); go test -update writes them:\n%s", path, diff)
			}
		})
	}
}

// TestTimelinesShowEverything makes sure that no outcome, and no reason of a
// condition, is without an example.
func TestTimelinesShowEverything(t *testing.T) {
	var all strings.Builder
	for _, path := range timelines(t) {
		text := read(t, path)
		if !strings.HasPrefix(text, "# ") {
			t.Errorf("%s does not begin with the rule that it shows, as a comment", path)
		}
		all.WriteString(text)
	}
	for _, want := range []string{
		"-> NoTarget", "-> Disabled", "-> AboveMax", "-> BelowMin", "-> Failed", "-> Computed",
		"FailedGetScale", "FailedUpdateScale", "SucceededRescale", "ReadyForNewScale", "ScaleUpStabilized", "ScaleDownStabilized",
		"ValidMetricFound", "ScalingDisabled", "InvalidSelector", "FailedGetExternalMetric", "FailedGetResourceMetric",
		"ScaleUpLimit", "ScaleDownLimit", "TooManyReplicas", "TooFewReplicas", "DesiredWithinRange", "NotScaledToZero", "ScaledToZero",
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no timeline shows %s", want)
		}
	}
}

func timelines(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("finding timelines: %d found, %v", len(paths), err)
	}
	return paths
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// play decides at every step of a timeline and returns it with the decisions
// that were made in place of those it had.
func play(text string) (string, error) {
	w := &world{start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	var out strings.Builder
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "->") {
			continue
		}
		fmt.Fprintln(&out, line)
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		decided, err := w.obey(words)
		if err != nil {
			return "", fmt.Errorf("%d: %q: %w", i+1, line, err)
		}
		if decided != "" {
			fmt.Fprintf(&out, "  -> %s\n", decided)
		}
	}
	return out.String(), nil
}
