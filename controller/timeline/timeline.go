// Package timeline plays the text files by which decisions are tested: lines that say
// what is so and what happens, and below each step what was decided then. It is for
// tests alone.
package timeline

import (
	"errors"
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

// Start is when a timeline begins.
var Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// World is what one timeline tells of.
type World interface {
	// Obey does what the words of a line say. A step returns the decision as text;
	// any other line returns "".
	Obey(words []string) (decided string, err error)
}

// Test plays every file of testdata, each in a world of its own, and compares the
// decisions with those that stand in it. A file begins with the rule that it shows.
func Test(t *testing.T, newWorld func() World) {
	t.Helper()
	for path, want := range files(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			if !strings.HasPrefix(want, "# ") {
				t.Errorf("%s does not begin with the rule that it shows, as a comment", path)
			}
			got, steps, err := play(want, newWorld())
			if err != nil {
				t.Fatalf("%s:%v", path, err)
			}
			if steps == 0 {
				t.Errorf("%s has no step", path)
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

// All is the text of all files of testdata, of which a test can tell what no timeline
// shows.
func All(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, text := range files(t) {
		all.WriteString(text)
	}
	return all.String()
}

func files(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("finding timelines: %d found, %v", len(paths), err)
	}
	texts := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[path] = string(text)
	}
	return texts
}

// play returns a timeline with the decisions that are made in place of those it had,
// and how many they are.
func play(text string, w World) (played string, steps int, err error) {
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
		decided, err := w.Obey(words)
		if err != nil {
			return "", 0, fmt.Errorf("%d: %q: %w", i+1, line, err)
		}
		if decided != "" {
			fmt.Fprintf(&out, "  -> %s\n", decided)
			steps++
		}
	}
	return out.String(), steps, nil
}

// ErrUnknownWord is what a world says of a key that it does not know.
var ErrUnknownWord = errors.New("this word has no meaning here")

// Each calls f with each key=value among words.
func Each(words []string, f func(key, value string) error) error {
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		if err := f(key, value); err != nil {
			return fmt.Errorf("%s: %w", word, err)
		}
	}
	return nil
}
