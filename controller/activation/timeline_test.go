package activation

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/timeline"
	"github.com/freshet-io/freshet/metricsadapter/fallback"
)

// TestTimelines plays the stories of testdata. testdata/README.md tells how a file is
// written.
func TestTimelines(t *testing.T) {
	timeline.Test(t, func() timeline.World {
		w := &world{start: timeline.Start}
		w.spec.Max = 100
		return w
	})
}

// TestTimelinesShowEveryOutcome makes sure that no row of the decision table is
// without an example.
func TestTimelinesShowEveryOutcome(t *testing.T) {
	all := timeline.All(t)
	for _, o := range outcomes(t) {
		if !strings.Contains(all, "-> "+o+",") && !strings.Contains(all, "-> "+o+" until") {
			t.Errorf("no timeline has the outcome %s", o)
		}
	}
}

// world is what a timeline tells of, and what the controller keeps of it.
type world struct {
	start    time.Time
	now      time.Time
	spec     Spec
	rules    map[string]float64 // activation thresholds, by metric
	triggers []Trigger
	replicas int32
	// observed is when a trigger was last seen active, in memory. stored, active
	// and forced, which says why, are in the object's status, and outlive a restart.
	observed, stored time.Time
	active           activity
	forced           bool
}

// activity is the Active condition of the object.
type activity int

const (
	unknown activity = iota
	yes
	no
)

// Obey does what one line says. A step returns the decision as text.
func (w *world) Obey(words []string) (string, error) {
	switch verb, args := words[0], words[1:]; verb {
	case "spec":
		return "", timeline.Each(args, w.setSpec)
	case "scale-up":
		return "", timeline.Each(args, w.setScaleUp)
	case "fallback":
		w.spec.Fallback = &fallback.Spec{}
		return "", timeline.Each(args, w.setFallback)
	case "trigger":
		return "", w.addTrigger(args)
	case "at":
		return w.step(args)
	default:
		return "", fmt.Errorf("%q is none of spec, scale-up, fallback, trigger and at", verb)
	}
}

func (w *world) setSpec(key, value string) (err error) {
	switch key {
	case "min":
		w.spec.Min, err = count(value)
	case "max":
		w.spec.Max, err = count(value)
	case "idle":
		var idle int32
		idle, err = count(value)
		w.spec.Idle = &idle
	case "cooldown":
		w.spec.Cooldown, err = time.ParseDuration(value)
	case "initialCooldown":
		w.spec.InitialCooldown, err = time.ParseDuration(value)
	case "replicas":
		w.replicas, err = count(value)
	default:
		err = timeline.ErrUnknownWord
	}
	return err
}

func (w *world) setFallback(key, value string) (err error) {
	switch key {
	case "threshold":
		w.spec.Fallback.Threshold, err = count(value)
	case "replicas":
		w.spec.Fallback.Replicas, err = count(value)
	case "behavior":
		w.spec.Fallback.Behavior = kedav1alpha1.FallbackBehavior(value)
	default:
		err = timeline.ErrUnknownWord
	}
	return err
}

func (w *world) setScaleUp(key, value string) error {
	if w.spec.Behavior == nil {
		w.spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: &autoscalingv2.HPAScalingRules{}}
	}
	up := w.spec.Behavior.ScaleUp
	switch key {
	case "select":
		selection := autoscalingv2.ScalingPolicySelect(value)
		up.SelectPolicy = &selection
		return nil
	case "window":
		window, err := time.ParseDuration(value)
		seconds := int32(window.Seconds())
		up.StabilizationWindowSeconds = &seconds
		return err
	case string(autoscalingv2.PodsScalingPolicy), string(autoscalingv2.PercentScalingPolicy):
		n, err := count(value)
		up.Policies = append(up.Policies, autoscalingv2.HPAScalingPolicy{
			Type: autoscalingv2.HPAScalingPolicyType(key), Value: n, PeriodSeconds: 15,
		})
		return err
	default:
		return timeline.ErrUnknownWord
	}
}

func (w *world) addTrigger(args []string) error {
	if len(args) == 0 {
		return errors.New("the trigger has no name")
	}
	t := Trigger{Metric: args[0]}
	if w.rules == nil {
		w.rules = map[string]float64{}
	}
	err := timeline.Each(args[1:], func(key, value string) (err error) {
		switch key {
		case "target":
			t.Target, err = strconv.ParseFloat(value, 64)
		case "activation":
			w.rules[t.Metric], err = strconv.ParseFloat(value, 64)
		case "type":
			t.Total = value == string(autoscalingv2.ValueMetricType)
		default:
			err = timeline.ErrUnknownWord
		}
		return err
	})
	w.triggers = append(w.triggers, t)
	return err
}

// step moves the clock, does what is said to happen, decides, and acts on it.
func (w *world) step(args []string) (string, error) {
	if len(args) == 0 {
		return "", errors.New("the step has no time")
	}
	since, err := time.ParseDuration(args[0])
	if err != nil {
		return "", err
	}
	now := w.start.Add(since)
	if now.Before(w.now) {
		return "", errors.New("the step is before the last")
	}
	w.now = now
	if err := timeline.Each(args[1:], w.happen); err != nil {
		return "", err
	}
	return w.decide(), nil
}

// happen is one event of a step.
func (w *world) happen(key, value string) (err error) {
	switch key {
	case "replicas":
		w.replicas, err = count(value)
	case "paused":
		w.spec.Paused, err = strconv.ParseBool(value)
	case "paused-scale-in":
		w.spec.PausedScaleIn, err = strconv.ParseBool(value)
	case "paused-scale-out":
		w.spec.PausedScaleOut, err = strconv.ParseBool(value)
	case "force-activation":
		w.spec.Forced, err = strconv.ParseBool(value)
	case "restart":
		w.observed = time.Time{}
		for i, t := range w.triggers {
			w.triggers[i] = Trigger{Metric: t.Metric, Target: t.Target, Total: t.Total, Failures: t.Failures} // from status.health
		}
	default:
		i := slices.IndexFunc(w.triggers, func(t Trigger) bool { return t.Metric == key })
		if i < 0 {
			return timeline.ErrUnknownWord
		}
		err = w.read(&w.triggers[i], value)
	}
	return err
}

// read gives a trigger its next reading.
func (w *world) read(t *Trigger, value string) (err error) {
	t.Known, t.Active, t.Value, t.Err = true, false, 0, nil
	if value == "error" {
		t.Err = errors.New("no answer")
		t.Failures++
		return nil
	}
	t.Failures = 0
	t.Value, err = strconv.ParseFloat(value, 64)
	t.Active = t.Value > w.rules[t.Metric]
	return err
}

// decide calls Decide, sets the replicas it asks for, and tells of it.
func (w *world) decide() string {
	state := State{Replicas: w.replicas, LastActive: w.lastActive(), Created: w.start}
	d := Decide(w.spec, w.triggers, state, w.now)
	w.remember(d, state)
	var out strings.Builder
	out.WriteString(string(d.Outcome))
	if !d.Recheck.IsZero() {
		fmt.Fprintf(&out, " until %s", short(d.Recheck.Sub(w.start)))
	}
	if d.Replicas == nil {
		fmt.Fprintf(&out, ", replicas stay %d", w.replicas)
	} else {
		fmt.Fprintf(&out, ", replicas %d to %d", w.replicas, *d.Replicas)
		w.replicas = *d.Replicas
	}
	fmt.Fprintf(&out, ": %s", d.Why)
	if len(d.Failed) > 0 && d.Outcome != Failing {
		fmt.Fprintf(&out, " (failing: %s)", strings.Join(d.Failed, ", "))
	}
	return out.String()
}

// lastActive is when a trigger was last active, as the controller finds it.
func (w *world) lastActive() time.Time {
	if len(Asking(w.spec, w.triggers, w.replicas)) > 0 {
		w.observed = w.now
	}
	switch {
	case w.spec.Forced, w.forced:
		return w.now
	case w.observed.IsZero() && !w.stored.IsZero() && w.active != no:
		return w.now
	case w.observed.After(w.stored):
		return w.observed
	default:
		return w.stored
	}
}

// remember writes the status, as the controller does.
func (w *world) remember(d Decision, state State) {
	was := w.active
	switch d.Outcome {
	case Activated, Active:
		w.active, w.forced = yes, len(d.By) == 0
	case Cooling, Deactivated, Raised, Idle, Paused:
		w.active, w.forced = no, false
		if len(d.By) > 0 {
			w.active = yes
		}
	case Waiting, Failing:
	}
	switch {
	case w.active == was:
	case w.active == yes:
		w.stored = w.now
	case was == yes:
		w.stored = state.LastActive
	}
}

func count(text string) (int32, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	return int32(n), err
}

// short writes a duration without units that are zero.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
