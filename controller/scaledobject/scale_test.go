package scaledobject

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/activation"
	"github.com/freshet-io/freshet/metricsadapter/fallback"
	"github.com/freshet-io/freshet/metricsadapter/store"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/poll"
)

func TestLastActive(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	read := func(active bool, at time.Time) scalers.Reading { return scalers.Reading{Active: active, At: at} }
	status := func(active metav1.ConditionStatus, last time.Time) kedav1alpha1.ScaledObjectStatus {
		s := kedav1alpha1.ScaledObjectStatus{Conditions: kedav1alpha1.Conditions{{Type: kedav1alpha1.ConditionActive, Status: active}}}
		if !last.IsZero() {
			s.LastActiveTime = &metav1.Time{Time: last}
		}
		return s
	}
	cases := []struct {
		reason   string
		status   kedav1alpha1.ScaledObjectStatus
		readings [][]scalers.Reading // of each trigger
		forced   bool
		since    time.Time // this replica owns the object; zero is long ago
		want     time.Time
	}{
		{
			reason: "a new object was never active", status: kedav1alpha1.ScaledObjectStatus{},
			readings: [][]scalers.Reading{{}}, want: time.Time{},
		},
		{
			reason: "read and not active, it still never was", status: status(metav1.ConditionUnknown, time.Time{}),
			readings: [][]scalers.Reading{{read(false, ago(time.Second))}}, want: time.Time{},
		},
		{
			reason: "a trigger that is active is so now", status: status(metav1.ConditionTrue, ago(time.Hour)),
			readings: [][]scalers.Reading{{read(true, ago(20*time.Second))}}, want: now,
		},
		{
			reason: "one active trigger of many is enough", status: status(metav1.ConditionFalse, ago(time.Hour)),
			readings: [][]scalers.Reading{{read(false, ago(time.Second))}, {read(true, ago(20*time.Second))}}, want: now,
		},
		{
			reason: "what this process saw last counts, not when it began", status: status(metav1.ConditionTrue, ago(time.Hour)),
			readings: [][]scalers.Reading{{read(true, ago(time.Minute)), read(false, ago(time.Second))}}, want: ago(time.Minute),
		},
		{
			reason: "the trigger that was active last counts", status: status(metav1.ConditionTrue, ago(time.Hour)),
			readings: [][]scalers.Reading{
				{read(true, ago(time.Minute)), read(false, ago(time.Second))},
				{read(true, ago(2*time.Minute)), read(false, ago(time.Second))},
			},
			want: ago(time.Minute),
		},
		{
			reason: "an error after activity does not make it younger", status: status(metav1.ConditionTrue, ago(time.Hour)),
			readings: [][]scalers.Reading{{read(true, ago(time.Minute)), {Err: errors.New("no answer"), At: ago(time.Second)}}},
			want:     ago(time.Minute),
		},
		{
			reason: "after a restart, an object that is active was so until now", status: status(metav1.ConditionTrue, ago(time.Hour)),
			readings: [][]scalers.Reading{{read(false, ago(time.Second))}}, want: now,
		},
		{
			reason: "after a restart before the first reading, too", status: status(metav1.ConditionTrue, ago(time.Hour)),
			readings: [][]scalers.Reading{{}}, want: now,
		},
		{
			reason: "after a restart, an object that is not active was so when the status says", status: status(metav1.ConditionFalse, ago(time.Hour)),
			readings: [][]scalers.Reading{{read(false, ago(time.Second))}}, want: ago(time.Hour),
		},
		{
			reason: "when it is not known whether it is active, it may have been until now", status: status(metav1.ConditionUnknown, ago(time.Hour)),
			readings: [][]scalers.Reading{{read(false, ago(time.Second))}}, want: now,
		},
		{
			reason: "after a restart, an object that is not known to be active and never was, never was", status: status(metav1.ConditionUnknown, time.Time{}),
			readings: [][]scalers.Reading{{read(false, ago(time.Second))}}, want: time.Time{},
		},
		{
			reason: "the status may be younger than what was seen, when another replica wrote it", status: status(metav1.ConditionFalse, ago(time.Minute)),
			readings: [][]scalers.Reading{{read(true, ago(time.Hour)), read(false, ago(time.Second))}}, want: ago(time.Minute),
		},
		{
			reason: "what was seen before this replica owned the object does not count, since another one saw more",
			status: status(metav1.ConditionTrue, ago(2*time.Hour)), since: ago(time.Minute),
			readings: [][]scalers.Reading{{read(true, ago(time.Hour)), read(false, ago(time.Second))}}, want: now,
		},
		{
			reason: "what it saw since does",
			status: status(metav1.ConditionTrue, ago(2*time.Hour)), since: ago(time.Minute),
			readings: [][]scalers.Reading{{read(true, ago(50*time.Second)), read(false, ago(time.Second))}}, want: ago(50 * time.Second),
		},
		{
			reason: "force-activation is activity", status: status(metav1.ConditionFalse, ago(time.Hour)),
			readings: [][]scalers.Reading{{read(false, ago(time.Second))}}, forced: true, want: now,
		},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			so := newObject("orders")
			so.Status = tc.status
			if tc.forced {
				withAnnotation(kedav1alpha1.AnnotationForceActivation, "true")(so)
			}
			described := make([]store.Trigger, len(tc.readings))
			for i := range described {
				described[i].Index = i
			}
			slots := store.New(func(poll.Key) {}).Set(poll.Key{}, described)
			triggers := make([]*trigger, len(tc.readings))
			for i, readings := range tc.readings {
				triggers[i] = &trigger{spec: &so.Spec.Triggers[0], index: i, scaler: &scalers.Scaler{}, slot: slots[i]}
				for _, r := range readings {
					if r.Known() {
						slots[i].Put(r)
					}
				}
			}
			got := lastActive(so, lastSeen(triggers, nil),
				activation.Asking(activation.SpecOf(so), activationTriggers(so, triggers, nil, now), 1), tc.since, now)
			if !got.Equal(tc.want) {
				t.Errorf("last active at %s, want %s", got, tc.want)
			}
		})
	}
}

func TestActivationSpec(t *testing.T) {
	got := activation.SpecOf(newObject("orders"))
	want := activation.Spec{Min: 0, Max: 100, Cooldown: 300 * time.Second}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("with the defaults (-want +got):\n%s", diff)
	}
	so := fullObject()
	so.Spec.IdleReplicaCount = new(int32(1))
	so.Spec.CooldownPeriod, so.Spec.InitialCooldownPeriod = new(int32(60)), new(int32(90))
	so.Spec.Fallback = &kedav1alpha1.Fallback{FailureThreshold: 3, Replicas: 6}
	for _, annotation := range []string{
		kedav1alpha1.AnnotationForceActivation, kedav1alpha1.AnnotationPausedScaleIn, kedav1alpha1.AnnotationPausedScaleOut,
	} {
		withAnnotation(annotation, "true")(so)
	}
	got = activation.SpecOf(so)
	want = activation.Spec{
		Min: 2, Max: 20, Idle: new(int32(1)), Cooldown: time.Minute, InitialCooldown: 90 * time.Second,
		Behavior: so.HPABehavior(), Fallback: &fallback.Spec{Threshold: 3, Replicas: 6, Behavior: kedav1alpha1.FallbackBehaviorStatic},
		Forced: true, PausedScaleIn: true, PausedScaleOut: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("with everything set (-want +got):\n%s", diff)
	}
}

// TestForceActivationThenCooldown: the cooldown counts from the end of
// force-activation, also for an object whose triggers were active before.
func TestForceActivationThenCooldown(t *testing.T) {
	hourAgo := time.Now().Add(-time.Hour).Truncate(time.Second)
	w := newWorld(t, newDeployment("orders", 1), newObject("orders", func(so *kedav1alpha1.ScaledObject) {
		so.Spec.CooldownPeriod = new(int32(60))
		so.Status.LastActiveTime = &metav1.Time{Time: hourAgo}
		so.Status.Conditions.Set(kedav1alpha1.Condition{Type: kedav1alpha1.ConditionActive, Status: metav1.ConditionTrue}, hourAgo)
	}))
	w.r.ownedSince(Key(client.ObjectKeyFromObject(newObject("orders"))), hourAgo)
	w.settle("orders")
	w.slot("orders", 0).Put(scalers.Reading{Value: scalers.Number(3), Active: true, At: hourAgo})
	w.settle("orders")
	w.annotate("orders", kedav1alpha1.AnnotationForceActivation, "true")
	w.read("orders", 0, 0)
	w.settle("orders")
	w.expectCondition("orders", kedav1alpha1.ConditionActive, metav1.ConditionTrue, kedav1alpha1.ReasonScalerActive,
		"Scaling is performed because of force-activation")
	w.annotate("orders", kedav1alpha1.AnnotationForceActivation, "")
	result := w.settle("orders")
	w.expectScaled()
	w.expectCondition("orders", kedav1alpha1.ConditionActive, metav1.ConditionFalse, kedav1alpha1.ReasonScalerCooldown,
		"No trigger is active, and the cooldown is not over")
	if got := result.RequeueAfter.Round(time.Second); got != time.Minute {
		t.Errorf("the object is looked at again after %s, want the whole cooldown of 1m", got)
	}
}

// TestForceActivationWhileScalingOutIsPaused: the object is active, though it
// stays where it is.
func TestForceActivationWhileScalingOutIsPaused(t *testing.T) {
	w := newWorld(t, newDeployment("orders", 0), newObject("orders",
		withAnnotation(kedav1alpha1.AnnotationForceActivation, "true"), withAnnotation(kedav1alpha1.AnnotationPausedScaleOut, "true")))
	w.settle("orders")
	w.read("orders", 0, 0)
	w.settle("orders")
	w.expectScaled()
	if active := w.object("orders").Status.Conditions.Get(kedav1alpha1.ConditionActive); !active.IsTrue() {
		t.Errorf("Active is %s (%s), want True: the object is forced to be", active.Status, active.Message)
	}
}
