package all_test

import (
	"maps"
	"strings"
	"testing"

	_ "github.com/freshet-io/freshet/scalers/all"

	"github.com/freshet-io/freshet/scalers"
)

// FuzzTriggers gives a parameter of any registered trigger any text, in metadata and
// by an authentication, beside what its example gives: a trigger is made, or there is
// an error of one line, and the code of no trigger panics.
func FuzzTriggers(f *testing.F) {
	for _, r := range scalers.Registrations() {
		for key := range r.Example {
			for _, text := range []string{"", "-1", "http://%zz", "a,,b=", "[::1", "\x00"} {
				f.Add(r.Types[0], key, text)
			}
		}
	}
	f.Fuzz(func(t *testing.T, typ, key, text string) {
		r, err := scalers.Find(typ)
		if err != nil {
			return
		}
		for _, byAuth := range []bool{false, true} {
			in := r.ExampleInput()
			place := &in.Metadata
			if byAuth {
				place = &in.Auth
			}
			if *place = maps.Clone(*place); *place == nil {
				*place = map[string]string{}
			}
			(*place)[key] = text
			s, _, err := scalers.Decode(typ, in, r.ExampleSetting())
			switch {
			case err == nil && s == nil:
				t.Fatal("there is neither a trigger nor an error")
			case err == nil:
				if name := scalers.MetricName(0, s.Stem); name == "" {
					t.Error("the metric has no name")
				}
			case strings.Contains(err.Error(), "decoding the trigger:"): // what a panic becomes
				t.Errorf("the code panicked: %v", err)
			case strings.ContainsAny(err.Error(), "\n\x00"):
				t.Errorf("the error does not print on one line: %q", err)
			}
		}
	})
}
