package param_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/quick"
	"time"

	"github.com/freshet-io/freshet/scalers/param"
)

// config is what configurations are made of.
type config struct {
	Text     string
	Parts    []string
	Numbers  []int64
	Pairs    map[string]string
	Secret   param.Secret
	Flag     bool
	Count    int
	Ratio    float64
	Wait     time.Duration
	Inner    struct{ A, B string }
	Pointer  *struct{ Text string }
	internal string
}

// Generate makes a config at random, for package quick.
func (config) Generate(rng *rand.Rand) config {
	text := func() string { return []string{"", "a", "b", "ab", "a,b", "b\x00"}[rng.IntN(6)] }
	c := config{
		Text: text(), Secret: param.NewSecret(text()), Flag: rng.IntN(2) == 0, Count: rng.IntN(3),
		Ratio: float64(rng.IntN(3)) / 2, Wait: time.Duration(rng.IntN(3)), internal: text(),
		Pointer: &struct{ Text string }{text()},
	}
	c.Inner.A, c.Inner.B = text(), text()
	for range rng.IntN(3) {
		c.Parts = append(c.Parts, text())
		c.Numbers = append(c.Numbers, rng.Int64N(3))
	}
	if rng.IntN(2) == 0 {
		c.Pairs = map[string]string{}
		for range rng.IntN(3) {
			c.Pairs[text()] = text()
		}
	}
	return c
}

// text tells configs apart: it is equal for equal ones alone.
func (c config) text() string {
	return fmt.Sprintf("%q %q %v %q %q %v %v %v %v %q %q", c.Text, c.Parts, c.Numbers, c.Pairs, c.Secret.Reveal(), c.Flag, c.Count,
		c.Ratio, c.Wait, c.Inner, c.Pointer)
}

func TestEqualFingerprintsAreEqualConfigurations(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	seen := map[param.Fingerprint]string{}
	texts := map[string]param.Fingerprint{}
	for range 20_000 {
		c := config{}.Generate(rng)
		f, text := param.FingerprintOf(c), fmt.Sprintf("%s", []any{c.text()})
		text = text[:len(text)-1] + c.Pointer.Text + "]"
		if other, ok := seen[f]; ok && other != text {
			t.Fatalf("one fingerprint for\n%s\n%s", other, text)
		}
		if other, ok := texts[text]; ok && other != f {
			t.Fatalf("two fingerprints for %s", text)
		}
		seen[f], texts[text] = text, f
	}
}

func TestFingerprintTellsPartsApart(t *testing.T) {
	for name, parts := range map[string][2][]any{
		"texts that join":   {{"ab", "c"}, {"a", "bc"}},
		"texts with marks":  {{"a\x18", "b"}, {"a", "\x18b"}},
		"number and text":   {{"1"}, {1}},
		"empty and absent":  {{""}, {}},
		"order":             {{"a", "b"}, {"b", "a"}},
		"lists that join":   {{[]string{"a"}, []string{"b", "c"}}, {[]string{"a", "b"}, []string{"c"}}},
		"secret and secret": {{param.NewSecret("a")}, {param.NewSecret("b")}},
		"map and map":       {{map[string]string{"a": "b", "c": "d"}}, {map[string]string{"a": "d", "c": "b"}}},
	} {
		if param.FingerprintOf(parts[0]...) == param.FingerprintOf(parts[1]...) {
			t.Errorf("%s: %v and %v have one fingerprint", name, parts[0], parts[1])
		}
	}
}

func TestFingerprintDoesNotDependOnMapOrder(t *testing.T) {
	same := func(pairs map[string]string) bool {
		other := map[string]string{}
		for k, v := range pairs {
			other[k] = v
		}
		return param.FingerprintOf(pairs) == param.FingerprintOf(other)
	}
	if err := quick.Check(same, nil); err != nil {
		t.Error(err)
	}
}

func TestFingerprintDoesNotHoldTheSecret(t *testing.T) {
	f := param.FingerprintOf(param.NewSecret(secretText))
	if bytes.Contains(f[:], []byte(secretText[:4])) {
		t.Errorf("the fingerprint is %q", f)
	}
}

func TestFingerprintOfWhatIsNoParameterPanics(t *testing.T) {
	for name, part := range map[string]any{"function": func() {}, "channel": make(chan int), "in a struct": struct{ F func() }{}} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it did not panic")
				}
			}()
			param.FingerprintOf(part)
		})
	}
}

// A plan's fingerprint is of the type and the exported fields, parameters or
// not; what the trigger keeps between reads is in others.
func TestPlanFingerprint(t *testing.T) {
	type server struct {
		Address string `param:"address,optional"`
		Limit   int    `param:"limit,optional" role:"activation"`
	}
	type trigger struct {
		Key    string       `param:"key"`
		Token  param.Secret `param:"token,optional"`
		Length float64      `param:"length,optional" role:"target"`
		Server server
		Bound  string
		seen   []byte
	}
	type twin trigger
	plan := param.NewPlan(reflect.TypeFor[trigger]())
	base := &trigger{Key: "a"}
	for name, tc := range map[string]struct {
		other        *trigger
		same, shared bool
	}{
		"state":      {&trigger{Key: "a", seen: []byte("x")}, true, true},
		"key":        {&trigger{Key: "b"}, false, false},
		"secret":     {&trigger{Key: "a", Token: param.NewSecret("t")}, false, false},
		"bound":      {&trigger{Key: "a", Bound: "x"}, false, false},
		"nested":     {&trigger{Key: "a", Server: server{Address: "x"}}, false, false},
		"target":     {&trigger{Key: "a", Length: 5}, false, true},
		"activation": {&trigger{Key: "a", Server: server{Limit: 5}}, false, true},
	} {
		if same := plan.Fingerprint(tc.other) == plan.Fingerprint(base); same != tc.same {
			t.Errorf("%s: the fingerprint is the same: %v, want %v", name, same, tc.same)
		}
		if shared := plan.SharedFingerprint(tc.other) == plan.SharedFingerprint(base); shared != tc.shared {
			t.Errorf("%s: the shared fingerprint is the same: %v, want %v", name, shared, tc.shared)
		}
	}
	if param.NewPlan(reflect.TypeFor[twin]()).Fingerprint(&twin{Key: "a"}) == plan.Fingerprint(base) {
		t.Error("another type has the same fingerprint")
	}
}
