package strategy

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

var update = flag.Bool("update", false, "write what is decided into testdata, to be read before it is kept")

// TestTimelines plays every file of testdata and compares the decisions with those
// that stand in it. testdata/README.md tells how a file is written.
func TestTimelines(t *testing.T) {
	for _, path := range timelines(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got, err := play(string(want))
			if err != nil {
				t.Fatalf("%s:%v", path, err)
			}
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s: the decisions are others (-want +got); go test -update writes them:\n%s", path, diff)
			}
		})
	}
}

// TestTimelinesShowEverything makes sure that no outcome, strategy or way to combine
// is without an example, and that each file begins with its rule.
func TestTimelinesShowEverything(t *testing.T) {
	var all strings.Builder
	for _, path := range timelines(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "# ") {
			t.Errorf("%s does not begin with the rule that it shows, as a comment", path)
		}
		all.Write(text)
	}
	var wanted []string
	for _, o := range []Outcome{Minimum, Start, Enough, Answered, Failing, Waiting, Idle} {
		wanted = append(wanted, "-> "+string(o))
	}
	for _, word := range []string{"default", "custom", "accurate", "eager"} {
		wanted = append(wanted, "strategy="+word)
	}
	for _, word := range []string{"max", "min", "avg", "sum"} {
		wanted = append(wanted, "combine="+word)
	}
	for _, word := range wanted {
		if !strings.Contains(all.String(), word) {
			t.Errorf("no timeline has %q", word)
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

// play decides at every step of a timeline and returns it with the decisions that
// were made in place of those it had.
func play(text string) (string, error) {
	w := &world{start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	w.spec.Max, w.spec.Interval = 100, 30*time.Second
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
		decided, err := w.obey(words[0], words[1:])
		if err != nil {
			return "", fmt.Errorf("%d: %q: %w", i+1, line, err)
		}
		if decided != "" {
			fmt.Fprintf(&out, "  -> %s\n", decided)
		}
	}
	return out.String(), nil
}

// world is what a timeline tells of.
type world struct {
	start, now time.Time
	spec       Spec
	triggers   []Trigger
	jobs       []job
	answered   time.Time
	made       time.Time
}

// job is a Job with the moments of its life; zero is not yet.
type job struct{ began, ended time.Time }

func (w *world) obey(verb string, args []string) (string, error) {
	switch verb {
	case "spec":
		return "", each(args, w.set)
	case "trigger":
		t := Trigger{Metric: args[0], Target: 1}
		err := each(args[1:], func(key, value string) (err error) {
			if key != "target" {
				return errUnknownWord
			}
			t.Target, err = strconv.ParseFloat(value, 64)
			return err
		})
		w.triggers = append(w.triggers, t)
		return "", err
	case "at":
		return w.step(args)
	}
	return "", fmt.Errorf("%q is none of spec, trigger and at", verb)
}

// each splits key=value.
func each(args []string, f func(key, value string) error) error {
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		if err := f(key, value); err != nil {
			return fmt.Errorf("%s: %w", arg, err)
		}
	}
	return nil
}

var errUnknownWord = errors.New("this word has no meaning here")

func (w *world) set(key, value string) (err error) {
	n, notNumber := strconv.ParseInt(value, 10, 32)
	switch key {
	case "min":
		w.spec.Min, err = int32(n), notNumber
	case "max":
		w.spec.Max, err = int32(n), notNumber
	case "deduction":
		w.spec.Deduction, err = int32(n), notNumber
	case "share":
		w.spec.Share, err = strconv.ParseFloat(value, 64)
	case "interval":
		w.spec.Interval, err = time.ParseDuration(value)
	case "strategy":
		w.spec.Strategy = kedav1alpha1.ScalingStrategyType(value)
	case "combine":
		w.spec.Combine = kedav1alpha1.MultipleScalersCalculation(value)
	default:
		err = errUnknownWord
	}
	return err
}

// step moves the clock, does what is said to happen, decides, and acts on it.
func (w *world) step(args []string) (string, error) {
	since, err := time.ParseDuration(args[0])
	if err != nil {
		return "", err
	}
	w.now = w.start.Add(since)
	if err := each(args[1:], w.happen); err != nil {
		return "", err
	}
	d := Decide(w.spec, w.triggers, w.state(), w.now)
	if d.Jobs > 0 {
		w.jobs = append(w.jobs, make([]job, d.Jobs)...)
		if w.made = w.now; d.Outcome == Start {
			w.answered = d.Newest
		}
	}
	text := string(d.Outcome)
	if d.Jobs > 0 {
		text += fmt.Sprintf(" %d", d.Jobs)
	}
	if !d.Recheck.IsZero() {
		text += fmt.Sprintf(" until %s", d.Recheck.Sub(w.start))
	}
	if text += ": " + d.Why; len(d.Failed) > 0 && d.Outcome != Failing {
		text += fmt.Sprintf(" (failing: %s)", strings.Join(d.Failed, ", "))
	}
	return text, nil
}

// happen is one event of a step.
func (w *world) happen(key, value string) error {
	switch key {
	case "begin", "end":
		n, err := strconv.Atoi(value)
		if err != nil {
			return err
		}
		return w.advance(key, n)
	case "restart":
		w.answered = time.Time{}
		for i, t := range w.triggers {
			w.triggers[i] = Trigger{Metric: t.Metric, Target: t.Target}
		}
		return nil
	}
	i := slices.IndexFunc(w.triggers, func(t Trigger) bool { return t.Metric == key })
	if i < 0 {
		return errUnknownWord
	}
	return w.read(&w.triggers[i], value)
}

// read gives a trigger its next reading: a number, which may tell how long ago the
// read began, or an error.
func (w *world) read(t *Trigger, value string) error {
	value, before, late := strings.Cut(value, "@")
	t.Known, t.Active, t.Queue, t.Err, t.At = true, false, 0, nil, w.now
	if late {
		ago, err := time.ParseDuration(before)
		if err != nil {
			return err
		}
		t.At = w.now.Add(-ago)
	}
	if value == "error" {
		t.Err = errors.New("no answer")
		return nil
	}
	n, err := strconv.ParseFloat(value, 64)
	t.Queue, t.Active = n, n > 0
	return err
}

// advance has n Jobs begin, or end, those first that were made first.
func (w *world) advance(what string, n int) error {
	for i := range w.jobs {
		j := &w.jobs[i]
		switch {
		case n == 0:
			return nil
		case what == "begin" && j.began.IsZero() && j.ended.IsZero():
			j.began, n = w.now, n-1
		case what == "end" && j.ended.IsZero():
			j.ended, n = w.now, n-1
		}
	}
	if n > 0 {
		return fmt.Errorf("%d Jobs too many are to %s", n, what)
	}
	return nil
}

// state counts Jobs as of the oldest reading.
func (w *world) state() State {
	s := State{Answered: w.answered, Made: w.made}
	since := Oldest(w.triggers)
	for _, j := range w.jobs {
		if j.ended.IsZero() {
			s.Unfinished++
		}
		if j.ended.IsZero() || j.ended.After(since) {
			s.Running++
			if j.began.IsZero() || j.began.After(since) {
				s.Pending++
			}
		}
	}
	return s
}
