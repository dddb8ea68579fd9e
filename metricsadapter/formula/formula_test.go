package formula_test

import (
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/freshet-io/freshet/metricsadapter/formula"
	"github.com/freshet-io/freshet/scalers"
)

// vars makes variables of a=1 b=2 … ; NaN is a missing one.
func vars(numbers ...float64) []formula.Variable {
	all := make([]formula.Variable, len(numbers))
	for i, n := range numbers {
		all[i] = formula.Variable{Name: string(rune('a' + i)), Value: n, Missing: math.IsNaN(n)}
	}
	return all
}

func names(variables []formula.Variable) []string {
	var all []string
	for _, v := range variables {
		all = append(all, v.Name)
	}
	return all
}

func TestNumber(t *testing.T) {
	missing := math.NaN()
	for _, tc := range []struct {
		reason  string
		text    string
		nilable bool
		vars    []formula.Variable
		want    float64
		none    bool
	}{
		{reason: "arithmetic", text: "(a + b) / 2", vars: vars(4, 6), want: 5},
		{reason: "a constant is a number", text: "7", vars: vars(1), want: 7},
		{reason: "an integer result", text: "count([a, b], {# > 1})", vars: vars(4, 1), want: 1},
		{reason: "branches of different numeric types", text: "a > 2 ? a + b : 1", vars: vars(1, 9), want: 1},
		{reason: "the other branch", text: "a > 2 ? a + b : 1", vars: vars(3, 9), want: 12},
		{reason: "functions of lists", text: "max([a, b, 3]) + min(a, b) + sum([a, b]) + mean([a, b])", vars: vars(4, 6), want: 6 + 4 + 10 + 5},
		{reason: "let", text: "let x = a * 2; x + 1", vars: vars(4), want: 9},
		{reason: "negative results are left to the caller", text: "a - b", vars: vars(1, 5), want: -4},
		{reason: "nested twice", text: "count([a, b], {count([1, 2], {# > 0}) > 1})", vars: vars(1, 2), want: 2},
		{reason: "?? has no effect where nothing is missing", text: "a ?? b", vars: vars(3, 4), want: 3},
		{reason: "a missing value has a substitute", text: "a ?? b", nilable: true, vars: vars(missing, 4), want: 4},
		{reason: "a substitute of another type", text: "a ?? 2", nilable: true, vars: vars(missing), want: 2},
		{reason: "all missing", text: "a ?? b", nilable: true, vars: vars(missing, missing), none: true},
		{reason: "a test for nil", text: "a == nil ? b : a + b", nilable: true, vars: vars(missing, 4), want: 4},
		{reason: "nil by intent", text: "a > 3 ? a : nil", nilable: true, vars: vars(1), none: true},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			f, err := formula.Compile(tc.text, names(tc.vars), tc.nilable)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second shows that nothing is kept
				got, ok, err := f.Number(tc.vars)
				if err != nil || got != tc.want || ok == tc.none {
					t.Errorf("%s = %g, %t, %v; want %g", tc.text, got, ok, err, tc.want)
				}
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, tc := range []struct{ reason, text, word string }{
		{"no expression", "", "unexpected token"},
		{"not closed", "(a + b", "unexpected token"},
		{"a name that no trigger has", "a + queue", "unknown name queue"},
		{"text", `"a lot"`, "gives a string"},
		{"a bool", "a > b", "gives a bool"},
		{"a list", "[a, b]", "gives a"},
		{"operands of different types", `a + "x"`, "mismatched types"},
		{"a number where a bool is needed", "a ? 1 : 2", "non-bool"},
		{"a function of texts", `len(repeat("x", 100))`, "repeat"},
		{"the time", "now().Hour()", "now"},
		{"ranges", "sum(1..1000000)", "ranges"},
		{"loops of loops of loops", "count([a], {count([a], {count([a], {# > 1}) > 1}) > 1})", "nested"},
		{"loops far too deep", strings.Repeat("count([a], {", 250) + "true" + strings.Repeat("})", 250), "nested"},
		{"too many parts", strings.Repeat("a + ", 1000) + "a", "nodes"},
		{"closed too often", strings.Repeat("(", 2000) + "a" + strings.Repeat(")", 2001), "unexpected token"},
		{"far too long", strings.Repeat("(", 1_000_000), "1000000 characters"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			_, err := formula.Compile(tc.text, []string{"a", "b"}, false)
			if err == nil {
				t.Fatal("it is accepted")
			}
			if scalers.ClassOf(err) != scalers.Configuration {
				t.Errorf("the error is of class %s", scalers.ClassOf(err))
			}
			if !strings.Contains(err.Error(), tc.word) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is not one line with %q: %v", tc.word, err)
			}
		})
	}
}

func TestNumberRefuses(t *testing.T) {
	missing := math.NaN()
	for _, tc := range []struct {
		reason, text, word string
		nilable            bool
		vars               []formula.Variable
	}{
		{reason: "division by zero", text: "a / b", vars: vars(1, 0), word: "+Inf with a=1, b=0"},
		{reason: "zero by zero", text: "a / b", vars: vars(0, 0), word: "NaN"},
		{reason: "below everything", text: "-a / b", vars: vars(1, 0), word: "-Inf"},
		{reason: "an overflow", text: "a * a", vars: vars(math.MaxFloat64), word: "+Inf"},
		{reason: "integer division by zero", text: "int(a) % int(b)", vars: vars(1, 0), word: "cannot be evaluated with a=1, b=0"},
		{reason: "text at one time", text: `a > 1 ? "x" : 2`, vars: vars(2), word: "gives a string"},
		{reason: "arithmetic with nil", text: "a + b", nilable: true, vars: vars(missing, 1), word: "a=nil"},
		{reason: "the first of none", text: "first(filter([a], {# > 5})) + 1", vars: vars(1), word: "cannot be evaluated"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			f, err := formula.Compile(tc.text, names(tc.vars), tc.nilable)
			if err != nil {
				t.Fatal(err)
			}
			got, ok, err := f.Number(tc.vars)
			if err == nil || ok || got != 0 {
				t.Fatalf("%s = %g, %t, want an error", tc.text, got, ok)
			}
			if scalers.ClassOf(err) != scalers.Configuration || !strings.Contains(err.Error(), tc.word) || strings.Contains(err.Error(), "\n") {
				t.Errorf("want an error of class configuration and one line with %q: %v", tc.word, err)
			}
		})
	}
}

// TestVariableWithoutValue: a variable that is not given is an error, not 0.
func TestVariableWithoutValue(t *testing.T) {
	f, err := formula.Compile("a + b", []string{"a", "b"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok, err := f.Number(vars(1)); err == nil || ok {
		t.Errorf("got %g, %t without b", got, ok)
	}
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	f, err := formula.Compile("a + count([a, b], {# > 1})", []string{"a", "b"}, true)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 100 {
				if got, ok, err := f.Number(vars(float64(i)+2, 0)); err != nil || !ok || got != float64(i)+3 {
					t.Errorf("got %g, %t, %v", got, ok, err)
				}
			}
		})
	}
	group.Wait()
}

// FuzzCompile holds every text to compiling or not, and what it then gives to a
// finite number, nil or an error: never a panic.
func FuzzCompile(f *testing.F) {
	for _, text := range []string{
		"a + b", "a ?? b ?? 1", "max([a, b])", "let x = a; x > 1 ? x : nil", "count([a], {# > 1})", "a / b", "a % b",
		"first([])", "reduce([a, b], {#acc + #}, 0)", "sum(map([a, b], {# * 2}))", "[a][5]", "{x: a}.x", "a.b", "a?.b", "(((((a)))))",
		"get([a], 3)", "sortBy([a, b], {#})[0]", "1e999", "-a ** 0.5", "int(a)", "if a > 1 { 1 } else { 2 }",
	} {
		f.Add(text, 1.5, 0.0, true)
		f.Add(text, -1.0, 1e308, false)
	}
	f.Fuzz(func(t *testing.T, text string, a, b float64, missing bool) {
		compiled, err := formula.Compile(text, []string{"a", "b"}, true)
		if err != nil {
			return
		}
		variables := []formula.Variable{{Name: "a", Value: a}, {Name: "b", Value: b, Missing: missing}}
		n, ok, err := compiled.Number(variables)
		if (err != nil && ok) || math.IsNaN(n) || math.IsInf(n, 0) {
			t.Errorf("%q gives %g, %t, %v", text, n, ok, err)
		}
	})
}

func BenchmarkFormulaNumber(b *testing.B) {
	for _, tc := range []struct{ name, text string }{
		{"sum", "a + b"},
		{"list", "max([a, b, 3]) / count([a, b], {# > 1})"},
		{"nil", "a ?? b"},
	} {
		b.Run(tc.name, func(b *testing.B) {
			f, err := formula.Compile(tc.text, []string{"a", "b"}, tc.name == "nil")
			if err != nil {
				b.Fatal(err)
			}
			variables := vars(4, 6)
			b.ReportAllocs()
			for b.Loop() {
				if _, ok, err := f.Number(variables); err != nil || !ok {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

func BenchmarkFormulaCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := formula.Compile("max([a, b, 3]) / count([a, b], {# > 1})", []string{"a", "b"}, false); err != nil {
			b.Fatal(err)
		}
	}
}
