package v1alpha1

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var (
	dawn = time.Date(2026, time.March, 1, 6, 0, 0, 0, time.UTC)
	noon = dawn.Add(6*time.Hour + 400*time.Millisecond)
)

func at(t time.Time) *metav1.Time { return &metav1.Time{Time: t.Truncate(time.Second)} }

func TestConditionsSet(t *testing.T) {
	ready := Condition{
		Type: ConditionReady, Status: metav1.ConditionTrue, Reason: ReasonScaledObjectReady,
		Message: "every trigger can be read", LastTransitionTime: at(dawn), ObservedGeneration: 3,
	}
	with := func(change func(*Condition)) Condition {
		c := ready
		change(&c)
		return c
	}
	cases := map[string]struct {
		reason  string
		have    Conditions
		set     Condition
		want    Conditions
		changed bool
	}{
		"New": {
			reason:  "a type that was not there begins now",
			set:     with(func(c *Condition) { c.LastTransitionTime = nil }),
			want:    Conditions{with(func(c *Condition) { c.LastTransitionTime = at(noon) })},
			changed: true,
		},
		"Same": {
			reason: "saying the same again is no change, whatever time it brings along",
			have:   Conditions{ready},
			set:    with(func(c *Condition) { c.LastTransitionTime = at(noon) }),
			want:   Conditions{ready},
		},
		"SameButForNoise": {
			reason: "blanks, local ports and request numbers do not make another message",
			have:   Conditions{with(func(c *Condition) { c.Message = "read tcp 10.0.0.9:6379: i/o timeout" })},
			set:    with(func(c *Condition) { c.Message = " read tcp 10.0.0.4:51234->10.0.0.9:6379:\n i/o timeout" }),
			want:   Conditions{with(func(c *Condition) { c.Message = "read tcp 10.0.0.9:6379: i/o timeout" })},
		},
		"OtherStatus": {
			reason:  "another status is a transition",
			have:    Conditions{ready},
			set:     Condition{Type: ConditionReady, Status: metav1.ConditionFalse, Reason: ReasonTriggerError},
			want:    Conditions{{Type: ConditionReady, Status: metav1.ConditionFalse, Reason: ReasonTriggerError, LastTransitionTime: at(noon)}},
			changed: true,
		},
		"OtherText": {
			reason:  "another message is a change but no transition",
			have:    Conditions{ready},
			set:     with(func(c *Condition) { c.Message = "two triggers can be read" }),
			want:    Conditions{with(func(c *Condition) { c.Message = "two triggers can be read" })},
			changed: true,
		},
		"OtherGeneration": {
			reason:  "another generation is a change but no transition",
			have:    Conditions{ready},
			set:     with(func(c *Condition) { c.ObservedGeneration = 4 }),
			want:    Conditions{with(func(c *Condition) { c.ObservedGeneration = 4 })},
			changed: true,
		},
		"WithoutTime": {
			reason: "a condition stored without a time does not get one by being said again",
			have:   Conditions{with(func(c *Condition) { c.LastTransitionTime = nil })},
			set:    ready,
			want:   Conditions{with(func(c *Condition) { c.LastTransitionTime = nil })},
		},
		"Order": {
			reason: "the order does not depend on which was set first; unknown types come last",
			have:   Conditions{{Type: ConditionHPAActive}, {Type: "Custom"}},
			set:    ready,
			want: Conditions{
				with(func(c *Condition) { c.LastTransitionTime = at(noon) }), {Type: ConditionHPAActive}, {Type: "Custom"},
			},
			changed: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			have := tc.have.DeepCopy()
			changed := have.Set(tc.set, noon)
			if changed != tc.changed {
				t.Errorf("%s\nSet reports changed=%t, want %t", tc.reason, changed, tc.changed)
			}
			if diff := gocmp.Diff(tc.want, have); diff != "" {
				t.Errorf("%s\nSet (-want +got):\n%s", tc.reason, diff)
			}
			if have.Set(tc.set, noon.Add(time.Hour)) {
				t.Errorf("%s\nSet reports a change when repeated", tc.reason)
			}
		})
	}
}

func TestConditionsInitialize(t *testing.T) {
	unknown, no := metav1.ConditionUnknown, metav1.ConditionFalse
	active := Condition{Type: ConditionActive, Status: metav1.ConditionTrue, Reason: ReasonScalerActive}
	cases := map[string]struct {
		reason  string
		have    Conditions
		want    Conditions
		changed bool
	}{
		"Empty": {
			reason: "a new object shows all but HPAActive",
			want: Conditions{
				{Type: ConditionReady, Status: unknown, LastTransitionTime: at(noon), ObservedGeneration: 2},
				{Type: ConditionActive, Status: unknown, LastTransitionTime: at(noon), ObservedGeneration: 2},
				{Type: ConditionFallback, Status: unknown, LastTransitionTime: at(noon), ObservedGeneration: 2},
				{Type: ConditionPaused, Status: no, LastTransitionTime: at(noon), ObservedGeneration: 2},
			},
			changed: true,
		},
		"Partly": {
			reason: "what is there stays as it is",
			have:   Conditions{active, {Type: ConditionReady, Status: no}, {Type: ConditionPaused, Status: unknown}},
			want: Conditions{
				{Type: ConditionReady, Status: no},
				active,
				{Type: ConditionFallback, Status: unknown, LastTransitionTime: at(noon), ObservedGeneration: 2},
				{Type: ConditionPaused, Status: unknown},
			},
			changed: true,
		},
		"Complete": {
			reason: "a complete list is not touched, not even its order",
			have:   Conditions{{Type: ConditionPaused}, active, {Type: ConditionFallback}, {Type: ConditionReady}},
			want:   Conditions{{Type: ConditionPaused}, active, {Type: ConditionFallback}, {Type: ConditionReady}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			have := tc.have.DeepCopy()
			if changed := have.Initialize(2, noon); changed != tc.changed {
				t.Errorf("%s\nInitialize reports changed=%t, want %t", tc.reason, changed, tc.changed)
			}
			if diff := gocmp.Diff(tc.want, have); diff != "" {
				t.Errorf("%s\nInitialize (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestConditionsGet(t *testing.T) {
	have := Conditions{{Type: ConditionReady, Status: metav1.ConditionTrue}, {Type: ConditionActive, Status: metav1.ConditionFalse}}
	cases := map[string]struct {
		reason                  string
		get                     ConditionType
		isTrue, isFalse, exists bool
	}{
		"True":   {reason: "one that holds", get: ConditionReady, isTrue: true, exists: true},
		"False":  {reason: "one that does not hold", get: ConditionActive, isFalse: true, exists: true},
		"Absent": {reason: "one that is absent is unknown", get: ConditionFallback},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := have.Get(tc.get)
			if got.Type != tc.get || got.IsTrue() != tc.isTrue || got.IsFalse() != tc.isFalse ||
				got.IsUnknown() != (!tc.isTrue && !tc.isFalse) || have.Has(tc.get) != tc.exists {
				t.Errorf("%s\nGet(%s) = %+v, Has = %t", tc.reason, tc.get, got, have.Has(tc.get))
			}
		})
	}
	if !have.Remove(ConditionReady) || have.Remove(ConditionReady) || have.Has(ConditionReady) {
		t.Error("Remove takes a condition out once and says so")
	}
}

func TestConditionsJSON(t *testing.T) {
	have := Conditions{
		{Type: ConditionReady, Status: metav1.ConditionTrue},
		{Type: ConditionActive, Status: metav1.ConditionFalse, Reason: "R", Message: "m", LastTransitionTime: at(noon), ObservedGeneration: 5},
	}
	want := `[{"type":"Ready","status":"True"},` +
		`{"type":"Active","status":"False","reason":"R","message":"m","lastTransitionTime":"2026-03-01T12:00:00Z","observedGeneration":5}]`
	text, err := json.Marshal(have)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want, string(text)); diff != "" {
		t.Errorf("conditions are a plain list without empty fields (-want +got):\n%s", diff)
	}
}

func TestSteadyMessage(t *testing.T) {
	cases := map[string]struct{ reason, message, want string }{
		"Plain":   {"a message without noise stays", "no such queue: invoices", "no such queue: invoices"},
		"OneLine": {"blanks and line ends become single blanks", " a\n\tb  c ", "a b c"},
		"LocalPort": {
			"the side that dialled is left out",
			"write tcp 10.1.2.3:40112->10.9.8.7:5672: broken pipe",
			"write tcp 10.9.8.7:5672: broken pipe",
		},
		"LocalPort6": {
			"the side that dialled is left out, over IPv6 too",
			"read tcp [fd00::4]:40112->[fd00::9]:5672: EOF", "read tcp [fd00::9]:5672: EOF",
		},
		"RequestID": {
			"the number of a call is left out",
			"StatusCode: 403, RequestID: 7b0c1a9e-1f6f-5a7e-9c2b-41d7b1f0a111, api error AccessDenied: no",
			"StatusCode: 403, api error AccessDenied: no",
		},
		"RequestIDEquals": {"also in its other spelling", `denied, x-amz-request-id="4442587FB7D0A2F9"`, "denied"},
		"Words": {
			"words that follow are no number",
			"request id: missing in answer",
			"request id: missing in answer",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := SteadyMessage(tc.message)
			if diff := gocmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if again := SteadyMessage(got); again != got {
				t.Errorf("%s: given again it becomes %q", tc.reason, again)
			}
		})
	}
	t.Run("Long", func(t *testing.T) {
		got := SteadyMessage(strings.Repeat("ä", 2000))
		if len(got) > maxMessageLength || len(got) < maxMessageLength-8 || !strings.HasSuffix(got, "ä…") || SteadyMessage(got) != got {
			t.Errorf("a long message is cut between letters to %d bytes, got %d: …%s", maxMessageLength, len(got), got[len(got)-9:])
		}
	})
}

func TestJoinMessages(t *testing.T) {
	want := "kafka: timeout; redis: refused"
	for _, messages := range [][]string{
		{"redis: refused", "kafka: timeout"},
		{"kafka: timeout", "", "redis:  refused", "kafka: timeout"},
	} {
		if diff := gocmp.Diff(want, JoinMessages(messages...)); diff != "" {
			t.Errorf("order, repetition and blanks do not show (-want +got):\n%s", diff)
		}
	}
}
