package rules_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/metricsadapter/fallback"
	"github.com/freshet-io/freshet/metricsadapter/formula"
	"github.com/freshet-io/freshet/metricsadapter/rules"
)

var errDown = errors.New("no answer")

// of makes the composite of a formula over a and b.
func of(t testing.TB, text string, nilable bool) *rules.Composite {
	t.Helper()
	f, err := formula.Compile(text, []string{"a", "b"}, nilable)
	if err != nil {
		t.Fatal(err)
	}
	return &rules.Composite{Formula: f, Target: fallback.Target{Value: 2}, Activation: 5}
}

func TestEvaluate(t *testing.T) {
	read := func(name string, v float64) rules.Input { return rules.Input{Name: name, Known: true, Value: v} }
	failed := func(name string, n int32) rules.Input {
		return rules.Input{Name: name, Known: true, Err: errDown, Failures: n}
	}
	static := &fallback.Spec{Threshold: 2, Replicas: 3, Behavior: kedav1alpha1.FallbackBehaviorStatic}
	byFormula := &fallback.Spec{Threshold: 2, Replicas: 3, Behavior: kedav1alpha1.FallbackBehaviorScalingModifiers}
	for _, tc := range []struct {
		reason   string
		text     string
		a, b     rules.Input
		fallback *fallback.Spec
		want     rules.Result
		active   bool
	}{
		{reason: "all read", text: "a + b", a: read("a", 2), b: read("b", 4), want: rules.Result{Known: true, Value: 6}, active: true},
		{reason: "at the activation target", text: "a + b", a: read("a", 1), b: read("b", 4), want: rules.Result{Known: true, Value: 5}},
		{reason: "one unread", text: "a + b", a: read("a", 9), b: rules.Input{Name: "b"}, want: rules.Result{}},
		{reason: "one fails without a fallback", text: "a + b", a: read("a", 9), b: failed("b", 9), want: rules.Result{Known: true, Err: errDown, Failures: 9}},
		{reason: "one fails within the threshold", text: "a + b", a: read("a", 9), b: failed("b", 2), fallback: static, want: rules.Result{Known: true, Err: errDown, Failures: 2}},
		{reason: "past it", text: "a + b", a: read("a", 9), b: failed("b", 3), fallback: static, want: rules.Result{Known: true, StandIn: true, Err: errDown, Failures: 3}},
		{reason: "past it beside one that is unread", text: "a + b", a: rules.Input{Name: "a"}, b: failed("b", 3), fallback: static, want: rules.Result{Known: true, StandIn: true, Err: errDown, Failures: 3}},
		{reason: "past it beside one within", text: "a + b", a: failed("a", 1), b: failed("b", 3), fallback: static, want: rules.Result{Known: true, StandIn: true, Err: errDown, Failures: 3}},
		{reason: "nil has a substitute", text: "a ?? b", a: failed("a", 3), b: read("b", 7), fallback: byFormula, want: rules.Result{Known: true, Value: 7}, active: true},
		{reason: "nil, but another is within the threshold", text: "a ?? b", a: failed("a", 3), b: failed("b", 1), fallback: byFormula, want: rules.Result{Known: true, Err: errDown, Failures: 1}},
		{reason: "nil all over", text: "a ?? b", a: failed("a", 3), b: failed("b", 4), fallback: byFormula, want: rules.Result{Known: true, StandIn: true, Err: errDown, Failures: 3}},
		{reason: "nil and one unread", text: "a ?? b", a: failed("a", 3), b: rules.Input{Name: "b"}, fallback: byFormula, want: rules.Result{}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			c := of(t, tc.text, tc.fallback.ByFormula())
			got := c.Evaluate([]rules.Input{tc.a, tc.b}, tc.fallback)
			if got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			if c.Active(got) != tc.active {
				t.Errorf("active is %t", !tc.active)
			}
		})
	}
	t.Run("no number", func(t *testing.T) {
		got := of(t, "a / b", false).Evaluate([]rules.Input{read("a", 1), read("b", 0)}, static)
		if got.Err == nil || got.StandIn || !got.Known {
			t.Errorf("got %+v, want an error that no fallback stands in for", got)
		}
	})
	t.Run("nil though all are read", func(t *testing.T) {
		got := of(t, "a > 5 ? a : nil", true).Evaluate([]rules.Input{read("a", 1), read("b", 0)}, byFormula)
		if got.Err == nil || got.StandIn {
			t.Errorf("got %+v, want an error", got)
		}
	})
}

// inputs draws two inputs that are read, unread or fail.
func inputs(t *rapid.T) []rules.Input {
	all := []rules.Input{{Name: "a"}, {Name: "b"}}
	for i := range all {
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			all[i].Known, all[i].Value = true, rapid.Float64Range(-1e6, 1e6).Draw(t, "value")
		case 1:
			all[i].Known, all[i].Err, all[i].Failures = true, errDown, rapid.Int32Range(1, 6).Draw(t, "failures")
		}
	}
	return all
}

// TestEvaluateProperties: a result is one of four kinds, there is no value of an
// input that is missing, and more failures end no fallback.
func TestEvaluateProperties(t *testing.T) {
	sum, substitute := of(t, "a + b", false), of(t, "a ?? b", true)
	rapid.Check(t, func(t *rapid.T) {
		f := &fallback.Spec{Threshold: rapid.Int32Range(0, 4).Draw(t, "threshold"), Replicas: 3, Behavior: kedav1alpha1.FallbackBehaviorStatic}
		c := sum
		if rapid.Bool().Draw(t, "by formula") {
			f.Behavior, c = kedav1alpha1.FallbackBehaviorScalingModifiers, substitute
		}
		in := inputs(t)
		got := c.Evaluate(in, f)
		if got.StandIn && (got.Err == nil || !f.Holds(got.Failures)) {
			t.Errorf("stood in for %d failures: %+v", got.Failures, got)
		}
		if !got.StandIn && got.Err != nil && f.Holds(got.Failures) {
			t.Errorf("an error that the decision would take for a fallback: %+v", got)
		}
		if got.Known && got.Err == nil && c == sum && (in[0].Err != nil || in[1].Err != nil || !in[0].Known || !in[1].Known) {
			t.Errorf("a value of what is missing: %+v", got)
		}
		if !got.StandIn {
			return
		}
		for i := range in {
			if in[i].Err != nil {
				in[i].Failures += rapid.Int32Range(0, 5).Draw(t, "more")
			}
		}
		if worse := c.Evaluate(in, f); !worse.StandIn {
			t.Errorf("more failures end the fallback: %+v, then %+v", got, worse)
		}
	})
}

func BenchmarkFallbackEvaluate(b *testing.B) {
	c := of(b, "a ?? b", true)
	f := &fallback.Spec{Threshold: 2, Replicas: 3, Behavior: kedav1alpha1.FallbackBehaviorScalingModifiers}
	in := []rules.Input{{Name: "a", Known: true, Err: errDown, Failures: 3}, {Name: "b", Known: true, Value: 7}}
	b.ReportAllocs()
	for b.Loop() {
		if got := c.Evaluate(in, f); got.Value != 7 {
			b.Fatal(got)
		}
	}
}
