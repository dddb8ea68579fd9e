package all_test

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/freshet-io/freshet/scalers"
	_ "github.com/freshet-io/freshet/scalers/all"
	"github.com/freshet-io/freshet/scalers/describe"
	"github.com/freshet-io/freshet/scalers/param"
)

// eachKind runs f for every registered trigger.
func eachKind(t *testing.T, f func(t *testing.T, r *scalers.Registration)) {
	t.Helper()
	all := scalers.Registrations()
	if len(all) == 0 {
		t.Fatal("no trigger is registered")
	}
	for _, r := range all {
		t.Run(r.Types[0], func(t *testing.T) { f(t, r) })
	}
}

var (
	typeName   = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	metricName = regexp.MustCompile(`^s0-[^/.:%()\s]+$`)
	version    = regexp.MustCompile(`^\d+\.\d+\.\d+$`)
)

func TestRegistration(t *testing.T) {
	eachKind(t, func(t *testing.T, r *scalers.Registration) {
		for _, name := range r.Types {
			if !typeName.MatchString(name) {
				t.Errorf("the type name %q is not lower case", name)
			}
		}
		if folder := filepath.Base(r.Struct.PkgPath()); r.Category != folder {
			t.Errorf("the category is %q and the folder %q", r.Category, folder)
		}
		if !version.MatchString(r.Since) {
			t.Errorf("since is %q, want a version such as 0.1.0", r.Since)
		}
	})
}

func TestExampleDecodes(t *testing.T) {
	eachKind(t, func(t *testing.T, r *scalers.Registration) {
		var first *scalers.Scaler
		for _, name := range r.Types {
			s, notices, err := scalers.Decode(name, r.ExampleInput(), r.ExampleSetting())
			if err != nil {
				t.Fatalf("%s: the example does not decode: %v", name, err)
			}
			if len(notices) > 0 {
				t.Errorf("%s: the example gives rise to the notices %v", name, notices)
			}
			if name := scalers.MetricName(0, s.Stem); !metricName.MatchString(name) {
				t.Errorf("the metric's name is %q", name)
			}
			if s.Source.Name == "" && !r.Resource {
				t.Error("the source has no name")
			}
			if s.Target < 0 {
				t.Errorf("the target is %v", s.Target)
			}
			if first == nil {
				first = s
			}
			if s.Fingerprint != first.Fingerprint || s.Source.Fingerprint != first.Source.Fingerprint {
				t.Error("decoding the example twice makes two configurations")
			}
		}
	})
}

func TestEmptyInputNamesEveryRequiredKey(t *testing.T) {
	eachKind(t, func(t *testing.T, r *scalers.Registration) {
		var want, got []string
		for _, f := range r.Plan.Fields() {
			if !f.Optional {
				want = append(want, f.Key)
			}
		}
		_, _, err := scalers.Decode(r.Types[0], param.Input{}, r.ExampleSetting())
		if err == nil {
			t.Fatal("a trigger without parameters decodes")
		}
		if class := scalers.ClassOf(err); class != scalers.Configuration {
			t.Errorf("the error is of class %s", class)
		}
		var faults param.Faults
		if errors.As(err, &faults) {
			for _, f := range faults {
				got = append(got, f.Key)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("the faults name %q, want %q", got, want)
		}
	})
}

// TestSecretsStaySecret gives each secret parameter a text of its own, from
// every place, and looks for it in all that a user or an operator may see.
func TestSecretsStaySecret(t *testing.T) {
	const text = "S3NT1N3L"
	eachKind(t, func(t *testing.T, r *scalers.Registration) {
		for _, f := range r.Plan.Fields() {
			if f.Type != reflect.TypeFor[param.Secret]() {
				if secretive.MatchString(f.Key) && !strings.HasSuffix(strings.ToUpper(f.Key), "URI") && len(f.Enum) == 0 &&
					!slices.Contains(public[r.Types[0]], f.Key) {
					t.Errorf("parameter %s sounds secret and is not of type param.Secret", f.Key)
				}
				continue
			}
			for _, from := range f.From {
				in := param.Input{Metadata: map[string]string{}, Auth: map[string]string{}, Env: map[string]string{"V": text}}
				maps.Copy(in.Metadata, r.Example)
				maps.Copy(in.Auth, r.ExampleAuth)
				switch from {
				case param.Metadata:
					in.Metadata[f.Key] = text
				case param.Env:
					in.Metadata[f.Key+"FromEnv"] = "V"
				case param.Auth:
					in.Auth[f.Key] = text
				}
				s, notices, err := scalers.Decode(r.Types[0], in, r.ExampleSetting())
				seen := fmt.Sprintf("%v %+v", err, notices)
				if s != nil {
					seen += fmt.Sprintf(" %s %s %v", s.Stem, s.Source.Name, s)
				}
				if strings.Contains(seen, text) {
					t.Errorf("secret parameter %s from %s can be read in %s", f.Key, from, seen)
				}
			}
		}
	})
}

// secretive are names of parameters that hold secrets.
var secretive = regexp.MustCompile(`(?i)(password|secret|token|apikey|^key$)`)

// public are parameters of a type that only sound secret.
var public = map[string][]string{
	"kubernetes-resource": {"key"}, // the name of one in the object's data
}

// TestEveryParameterIsExplained reads the source: the comment of a field is what
// its page says of the parameter.
func TestEveryParameterIsExplained(t *testing.T) {
	all, err := describe.All("../..")
	if err != nil {
		t.Fatal(err)
	}
	sentence := func(what, text string) {
		if text = strings.TrimSpace(text); !strings.HasSuffix(text, ".") {
			t.Errorf("the comment of %s is no sentence: %s", what, text)
		}
	}
	for i := range all {
		sentence(all[i].Types[0], all[i].Summary)
		for _, p := range all[i].Parameters {
			sentence(all[i].Types[0]+" "+p.Key, p.Text)
		}
	}
}

// TestEveryTriggerHasFixtures: what a trigger makes of good and bad replies is
// recorded, unless nothing is read.
func TestEveryTriggerHasFixtures(t *testing.T) {
	eachKind(t, func(t *testing.T, r *scalers.Registration) {
		for _, typ := range r.Types {
			cases := 0
			for _, folder := range []string{typ, filepath.Join("*", typ)} { // beside other test data, or not
				found, err := filepath.Glob(filepath.Join("..", r.Category, "testdata", folder, "*", "want.yaml"))
				if err != nil {
					t.Fatal(err)
				}
				cases += len(found)
			}
			if cases == 0 && !r.Resource {
				t.Errorf("there are no fixtures of %s", typ)
			}
		}
	})
}
