package strategy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/timeline"
)

// TestTimelines plays the stories of testdata. testdata/README.md tells how a file is
// written.
func TestTimelines(t *testing.T) {
	timeline.Test(t, func() timeline.World {
		w := &world{start: timeline.Start}
		w.spec.Max, w.spec.Interval = 100, 30*time.Second
		return w
	})
}

// TestTimelinesShowEverything makes sure that no outcome, strategy or way to combine
// is without an example.
func TestTimelinesShowEverything(t *testing.T) {
	all := timeline.All(t)
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
		if !strings.Contains(all, word) {
			t.Errorf("no timeline has %q", word)
		}
	}
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

// Obey does what one line says.
func (w *world) Obey(words []string) (string, error) {
	switch verb, args := words[0], words[1:]; verb {
	case "spec":
		return "", timeline.Each(args, w.set)
	case "trigger":
		t := Trigger{Metric: args[0], Target: 1}
		err := timeline.Each(args[1:], func(key, value string) (err error) {
			if key != "target" {
				return timeline.ErrUnknownWord
			}
			t.Target, err = strconv.ParseFloat(value, 64)
			return err
		})
		w.triggers = append(w.triggers, t)
		return "", err
	case "at":
		return w.step(args)
	}
	return "", fmt.Errorf("%q is none of spec, trigger and at", words[0])
}

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
		err = timeline.ErrUnknownWord
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
	if err := timeline.Each(args[1:], w.happen); err != nil {
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
		return timeline.ErrUnknownWord
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
