package activation

import (
	"errors"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/metricsadapter/fallback"
)

// bytes hands out what a fuzzer made up; 0 when there is no more.
type bytes struct{ left []byte }

func (b *bytes) next() byte {
	if len(b.left) == 0 {
		return 0
	}
	first := b.left[0]
	b.left = b.left[1:]
	return first
}

func (b *bytes) bool() bool { return b.next()&1 == 1 }

// count is mostly small, and at times beyond all that validation lets through.
func (b *bytes) count() int32 {
	if n := b.next(); n < 250 {
		return int32(n % 16)
	}
	return int32(b.next())<<24 | int32(b.next())<<8
}

func (b *bytes) seconds() time.Duration { return time.Duration(b.count()) * time.Second }

func (b *bytes) number() float64 { return float64(b.count()) / float64(1+b.next()%7) }

func (b *bytes) spec() Spec {
	s := Spec{
		Min: b.count(), Max: b.count(), Cooldown: b.seconds(), InitialCooldown: b.seconds(),
		Forced: b.bool(), Paused: b.bool(), PausedScaleIn: b.bool(), PausedScaleOut: b.bool(),
	}
	if b.bool() {
		s.Idle = new(b.count())
	}
	if b.bool() {
		behaviors := []kedav1alpha1.FallbackBehavior{
			"", kedav1alpha1.FallbackBehaviorStatic, kedav1alpha1.FallbackBehaviorCurrentReplicas,
			kedav1alpha1.FallbackBehaviorCurrentReplicasIfHigher, kedav1alpha1.FallbackBehaviorCurrentReplicasIfLower,
			kedav1alpha1.FallbackBehaviorScalingModifiers, "unheard of",
		}
		s.Fallback = &fallback.Spec{Threshold: b.count(), Replicas: b.count(), Behavior: behaviors[int(b.next())%len(behaviors)]}
	}
	if b.bool() {
		s.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: &autoscalingv2.HPAScalingRules{}}
		for range b.next() % 4 {
			kind := autoscalingv2.PodsScalingPolicy
			if b.bool() {
				kind = autoscalingv2.PercentScalingPolicy
			}
			s.Behavior.ScaleUp.Policies = append(s.Behavior.ScaleUp.Policies, autoscalingv2.HPAScalingPolicy{Type: kind, Value: b.count()})
		}
	}
	return s
}

func (b *bytes) triggers() []Trigger {
	all := make([]Trigger, b.next()%5)
	for i := range all {
		all[i] = Trigger{
			Metric: string(rune('a' + i)), Known: b.bool(), Active: b.bool(), Failures: b.count(),
			Value: b.number(), Target: b.number(), Total: b.bool(),
		}
		if b.bool() {
			all[i].Err, all[i].Active = errors.New("no answer"), false
		}
	}
	return all
}

// FuzzDecide holds every decision, also on specs that validation would refuse, to
// what must never be: a panic, a count below zero, a step against a pause, or a
// scale-in on an error that no fallback stands in for.
func FuzzDecide(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("the quick brown fox jumps over the lazy dog, twice"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b := &bytes{raw}
		spec, triggers := b.spec(), b.triggers()
		state := State{Replicas: max(0, b.count()), Created: walkNow.Add(-b.seconds())}
		if b.bool() {
			state.LastActive = walkNow.Add(-b.seconds())
		}
		d := Decide(spec, triggers, state, walkNow)
		if d.Outcome == "" || d.Why == "" {
			t.Fatalf("no outcome or reason: %s", describe(d))
		}
		if again := Decide(spec, triggers, state, walkNow); !same(d, again) {
			t.Errorf("asked twice: %s, then %s", describe(d), describe(again))
		}
		if d.Replicas == nil {
			return
		}
		down, valid := *d.Replicas < state.Replicas, spec.Min >= 0 && spec.Max >= max(1, spec.Min) && (spec.Idle == nil || (*spec.Idle >= 0 && *spec.Idle < spec.Min))
		if spec.Paused || (valid && down && spec.PausedScaleIn) || (valid && !down && spec.PausedScaleOut) {
			t.Errorf("a step against a pause: %s", describe(d))
		}
		if valid && *d.Replicas < 0 {
			t.Errorf("below zero: %s", describe(d))
		}
		if down && valid && len(d.Failed) > len(d.StoodIn) {
			t.Errorf("scaled in on an error: %s", describe(d))
		}
	})
}
