package param_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/freshet-io/freshet/scalers/param"
)

// FuzzDecode gives every parameter any text from every place: nothing may
// panic, and a fault names a key that there is and prints on one line.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		"", " ", "5", "-1", "9223372036854775807", "9223372036854775808", "1e999", "NaN", "true", "10s", "-10s", "a,b", "a=b,c=d", "a=b=c",
		"1-3,7", "0-99999,0-99999", "9223372036854775806-9223372036854775807", "-9223372036854775808-9223372036854775807", "-", "--",
		"a=%zz", ";", "\x00", "\xff", "fast", strings.Repeat("1-9,", 1000),
	} {
		f.Add(text, "V", text)
	}
	everywhere := reflect.StructTag(`from:"metadata,env,auth"`)
	var fields []reflect.StructField
	for field := range reflect.TypeFor[kinds]().Fields() {
		field.Tag += " " + everywhere
		fields = append(fields, field)
	}
	plans := []*param.Plan{
		param.NewPlan(reflect.TypeFor[kinds]()), param.NewPlan(reflect.TypeFor[rules]()), param.NewPlan(reflect.StructOf(fields)),
	}
	types := []reflect.Type{reflect.TypeFor[kinds](), reflect.TypeFor[rules](), reflect.StructOf(fields)}
	f.Fuzz(func(t *testing.T, text, variable, value string) {
		for i, plan := range plans {
			known := map[string]bool{}
			in := param.Input{Metadata: m{"": text, text: value}, Env: m{variable: value}, Auth: m{}}
			for n, field := range plan.Fields() {
				known[field.Key] = true
				for _, alias := range field.Aliases {
					known[alias] = true
				}
				switch n % 3 {
				case 0:
					in.Metadata[field.Key] = text
				case 1:
					in.Metadata[field.Key+"FromEnv"] = variable
				default:
					in.Auth[field.Key] = text
				}
			}
			dst := reflect.New(types[i])
			_, err := plan.Decode(dst.Interface(), in)
			var faults param.Faults
			switch {
			case err == nil:
				again := reflect.New(types[i])
				if _, err := plan.Decode(again.Interface(), in); err != nil {
					t.Fatalf("decoded twice: %v", err)
				}
				if plan.Fingerprint(dst.Interface()) != plan.Fingerprint(again.Interface()) {
					t.Error("one configuration has two fingerprints")
				}
				continue
			case !errors.As(err, &faults) || len(faults) == 0:
				t.Fatalf("the error is %T: %v", err, err)
			}
			for _, fault := range faults {
				if !known[fault.Key] {
					t.Errorf("the fault %v names the key %q", fault, fault.Key)
				}
			}
			if strings.ContainsAny(err.Error(), "\n\x00") {
				t.Errorf("the error does not print on one line: %q", err)
			}
		}
	})
}
