package scalertest

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"text/template"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"sigs.k8s.io/yaml"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// fixture is trigger.yaml of a case.
type fixture struct {
	// Metadata, Auth and Env are what the trigger is given.
	Metadata, Auth, Env map[string]string
	// MetricType and Formula are of its setting.
	MetricType autoscalingv2.MetricTargetType
	Formula    bool
	// Now is when it is read, where that matters.
	Now time.Time
}

// want is want.yaml of a case: a value, or an error.
type want struct {
	// Value is what the HPA is given, Activity what decides activity; without it
	// that is the value too.
	Value, Activity *float64
	// Series are the metrics of a trigger whose source names them.
	Series []scalers.Series
	// Empty tells that the source answered with nothing, which is read as Value.
	Empty bool
	// Active tells whether the trigger then is active.
	Active *bool
	// Error is the class of the error, Message a part of its text.
	Error, Message string
}

// Replay starts what answers as the files of folder say, until the test ends,
// and returns its address, which {{.Address}} in trigger.yaml stands for.
type Replay func(t testing.TB, folder string) (address string)

// Fixtures runs every case of every trigger type that has a folder in dir:
//
//	dir/<type>/<case>/trigger.yaml   metadata, auth, env, metricType, now
//	dir/<type>/<case>/want.yaml      value, activity, active, series; or error (the class) and message (a part)
//	dir/<type>/<case>/…              what replay serves
//
// Each edit changes the setting of each case, such as the cluster that it is in.
// Each type has at least two cases with a value and two with an error. No error
// may hold what the trigger's authentication gave it.
func Fixtures(t *testing.T, dir string, replay Replay, edits ...func(t testing.TB, folder string, s *scalers.Setting)) {
	t.Helper()
	types, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range types {
		t.Run(typ.Name(), func(t *testing.T) {
			cases, err := os.ReadDir(filepath.Join(dir, typ.Name()))
			if err != nil {
				t.Fatal(err)
			}
			good, bad := 0, 0
			for _, c := range cases {
				folder := filepath.Join(dir, typ.Name(), c.Name())
				var w want
				load(t, filepath.Join(folder, "want.yaml"), nil, &w)
				if w.Error == "" {
					good++
				} else {
					bad++
				}
				t.Run(c.Name(), func(t *testing.T) {
					t.Parallel()
					setting := scalers.Setting{
						Object:          scalers.ObjectRef{Kind: "ScaledObject", Namespace: "default", Name: "worker"},
						PollingInterval: 30 * time.Second,
					}
					for _, edit := range edits {
						edit(t, folder, &setting)
					}
					runFixture(t, typ.Name(), folder, w, replay, setting)
				})
			}
			if good < 2 || bad < 2 {
				t.Errorf("there are %d cases with a value and %d with an error: at least two of each are needed", good, bad)
			}
		})
	}
}

func runFixture(t *testing.T, typ, folder string, w want, replay Replay, setting scalers.Setting) {
	var f fixture
	load(t, filepath.Join(folder, "trigger.yaml"), map[string]string{"Address": replay(t, folder)}, &f)
	setting.MetricType, setting.Formula = f.MetricType, f.Formula
	s, _, err := scalers.Decode(typ, param.Input{Metadata: f.Metadata, Auth: f.Auth, Env: f.Env}, setting)
	var r scalers.Result
	if err == nil {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if !f.Now.IsZero() {
			ctx = scalers.WithNow(ctx, f.Now)
		}
		r, err = readOnce(ctx, s)
	}
	if err != nil {
		w.checkError(t, err, f)
		return
	}
	w.checkValue(t, r.Value, s.Activation)
}

func (w *want) checkError(t *testing.T, err error, f fixture) {
	t.Helper()
	if class := scalers.ClassOf(err).String(); class != w.Error || !strings.Contains(err.Error(), w.Message) {
		t.Errorf("got an error of class %s: %v\nwant one of class %q with %q", class, err, w.Error, w.Message)
	}
	if text := err.Error(); strings.Contains(text, "\n") || len(text) > 1000 {
		t.Errorf("the error is not one line of moderate length: %q", text)
	}
	for key, secret := range f.Auth {
		if len(secret) > 5 && strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows the authentication parameter %s", key)
		}
	}
}

func (w *want) checkValue(t *testing.T, v scalers.Value, activation float64) {
	t.Helper()
	if w.Error != "" {
		t.Fatalf("got %+v, want an error of class %s", v, w.Error)
	}
	expected := scalers.Value{Series: w.Series, Empty: w.Empty}
	if w.Value != nil {
		expected.Metric, expected.Activity = *w.Value, *w.Value
	}
	if w.Activity != nil {
		expected.Activity = *w.Activity
	}
	if !reflect.DeepEqual(v, expected) {
		t.Errorf("got %+v, want %+v", v, expected)
	}
	if active := v.Activity > activation; w.Active != nil && active != *w.Active {
		t.Errorf("active is %v, want %v", active, *w.Active)
	}
}

// load reads a YAML file, a template when there is data for it, into dst. A key
// that is not known fails the test.
func load(t testing.TB, file string, data, dst any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if data != nil {
		tmpl, err := template.New(file).Parse(string(text))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := tmpl.Execute(&b, data); err != nil {
			t.Fatal(err)
		}
		text = b.Bytes()
	}
	if err := yaml.UnmarshalStrict(text, dst); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
