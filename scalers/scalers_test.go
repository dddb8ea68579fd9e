package scalers_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// number is a trigger whose parameters say how it behaves.
type number struct {
	Value    float64 `param:"value" role:"target"`
	Activity float64 `param:"activity,optional"`
	Panics   string  `param:"panics,optional" enum:"validate,source,open,stem,read"`
	Bad      string  `param:"bad,optional"`
}

func (n *number) panics(where string) {
	if n.Panics == where {
		panic("boom in " + where)
	}
}

func (n *number) Validate() error {
	n.panics("validate")
	if n.Bad != "" {
		return errors.Join(errors.New("first fault"), errors.New("second fault"))
	}
	return nil
}

func (n *number) Source() scalers.Source[conn] { n.panics("source"); return source{n.Panics} }
func (n *number) Stem() string                 { n.panics("stem"); return "number" }

func (n *number) Read(context.Context, conn) (scalers.Value, error) {
	n.panics("read")
	if n.Value == 0 {
		return scalers.Value{}, scalers.ConfigurationError("no number")
	}
	special := map[float64]float64{1000: math.NaN(), 1001: math.Inf(1), 1002: math.Inf(-1)}
	if v, ok := special[n.Value]; ok {
		return scalers.Number(v), nil
	}
	if v, ok := special[n.Activity]; ok {
		return scalers.Value{Metric: n.Value, Activity: v}, nil
	}
	return scalers.Number(n.Value), nil
}

type source struct{ Panics string }

func (s source) String() string { return "source" }
func (s source) Open(context.Context) (conn, error) {
	if s.Panics == "open" {
		panic("boom in open")
	}
	return conn{}, nil
}

type conn struct{}

func (conn) Close() error { return nil }

// kind is a registration that is right.
func kind(types ...string) scalers.Kind[conn, *number] {
	return scalers.Kind[conn, *number]{
		Types: types, Category: "test", Since: "0.1.0", Label: "testScaler", Example: map[string]string{"value": "1"},
	}
}

func init() { scalers.Register(kind("test-number", "test-number-too")) }

func decode(t *testing.T, metadata map[string]string) *scalers.Scaler {
	t.Helper()
	s, _, err := scalers.Decode("test-number", param.Input{Metadata: metadata}, scalers.Setting{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRegisterPanicsOnWhatIsMalformed(t *testing.T) {
	for name, register := range map[string]func(){
		"no type":     func() { scalers.Register(kind()) },
		"no category": func() { k := kind("x1"); k.Category = ""; scalers.Register(k) },
		"no since":    func() { k := kind("x2"); k.Since = ""; scalers.Register(k) },
		"no label":    func() { k := kind("x3"); k.Label = ""; scalers.Register(k) },
		"no example":  func() { k := kind("x4"); k.Example = nil; scalers.Register(k) },
		"taken":       func() { scalers.Register(kind("test-number-too")) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it did not panic")
				}
			}()
			register()
		})
	}
}

func TestRegistrationsAreListedOnce(t *testing.T) {
	n := 0
	for _, r := range scalers.Registrations() {
		if r.Label == "testScaler" {
			n++
		}
	}
	if types := strings.Join(scalers.Types(), " "); n != 1 || !strings.Contains(types, "test-number test-number-too") {
		t.Errorf("listed %d times; the types are %s", n, types)
	}
}

func TestDecodeFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		typeName string
		metadata map[string]string
		names    []string
	}{
		"unknown type":      {"nosuch", nil, []string{"nosuch", "test-number"}},
		"missing parameter": {"test-number", nil, []string{"value"}},
		"rule":              {"test-number", map[string]string{"value": "1", "bad": "x"}, []string{"first fault", "second fault"}},
		"panic, validate":   {"test-number", map[string]string{"value": "1", "panics": "validate"}, []string{"boom in validate"}},
		"panic, source":     {"test-number", map[string]string{"value": "1", "panics": "source"}, []string{"boom in source"}},
		"panic, stem":       {"test-number", map[string]string{"value": "1", "panics": "stem"}, []string{"boom in stem"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, err := scalers.Decode(tc.typeName, param.Input{Metadata: tc.metadata}, scalers.Setting{})
			if s != nil || scalers.ClassOf(err) != scalers.Configuration {
				t.Fatalf("got %v, %v; want a configuration error", s, err)
			}
			for _, name := range tc.names {
				if !strings.Contains(err.Error(), name) {
					t.Errorf("the error does not hold %q: %v", name, err)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is more than a line: %q", err)
			}
		})
	}
}

func TestPanicsAreErrors(t *testing.T) {
	s := decode(t, map[string]string{"value": "1", "panics": "open"})
	var p *scalers.PanicError
	c, err := s.Source.Open(t.Context())
	if c != nil || !errors.As(err, &p) || p.Value != "boom in open" || len(p.Stack) == 0 {
		t.Errorf("opening gave %v, %v", c, err)
	}
	s = decode(t, map[string]string{"value": "1", "panics": "read"})
	err = scalers.Read(t.Context(), conn{}, []*scalers.Scaler{s}, make([]scalers.Result, 1))
	if !errors.As(err, &p) || p.Value != "boom in read" || scalers.ClassOf(err) != scalers.Unavailable {
		t.Errorf("reading gave %v", err)
	}
}

func TestReadAnswersForEach(t *testing.T) {
	var batch []*scalers.Scaler
	for _, value := range []string{"1", "0", "1000", "1001", "1002", "2"} {
		batch = append(batch, decode(t, map[string]string{"value": value}))
	}
	batch = append(batch, decode(t, map[string]string{"value": "3", "activity": "1000"}))
	out := make([]scalers.Result, len(batch))
	if err := scalers.Read(t.Context(), conn{}, batch, out); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"1", "configuration", "unavailable", "unavailable", "unavailable", "2", "unavailable"} {
		got := fmt.Sprint(out[i].Value.Metric)
		if out[i].Err != nil {
			got = scalers.ClassOf(out[i].Err).String()
		}
		if got != want {
			t.Errorf("result %d is %s, want %s", i, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	cause := errors.New("cause")
	for class, err := range map[scalers.Class]error{
		scalers.Configuration: scalers.ConfigurationError("a: %w", cause), scalers.Authentication: scalers.AuthenticationError("a: %w", cause),
		scalers.Unavailable: scalers.UnavailableError("a: %w", cause), scalers.RateLimited: scalers.RateLimitedError(time.Minute, "a: %w", cause),
	} {
		wrapped := fmt.Errorf("wrapped: %w", err)
		if got := scalers.ClassOf(wrapped); got != class {
			t.Errorf("the class is %s, want %s", got, class)
		}
		if !errors.Is(wrapped, cause) || err.Error() != "a: cause" {
			t.Errorf("the error is %q and loses its cause", err)
		}
		if got := scalers.RetryAfterOf(wrapped); (got == time.Minute) != (class == scalers.RateLimited) {
			t.Errorf("%s: retry after %s", class, got)
		}
	}
	if scalers.ClassOf(cause) != scalers.Unavailable || scalers.RetryAfterOf(cause) != 0 {
		t.Error("an error without a class is not unavailable")
	}
	outer := scalers.AuthenticationError("outer: %w", scalers.ConfigurationError("inner"))
	if scalers.ClassOf(outer) != scalers.Authentication {
		t.Error("the outermost class does not count")
	}
	if scalers.Class(77).String() == "" {
		t.Error("an unknown class has no text")
	}
}

func TestIsTimeout(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"deadline": {fmt.Errorf("a: %w", context.DeadlineExceeded), true}, "network": {&net.DNSError{IsTimeout: true}, true},
		"file": {os.ErrDeadlineExceeded, true}, "canceled": {context.Canceled, false}, "refused": {&net.OpError{Err: errors.New("refused")}, false},
		"none": {nil, false},
	} {
		if got := scalers.IsTimeout(tc.err); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestMetricName(t *testing.T) {
	for stem, want := range map[string]string{
		"redis-orders": "s3-redis-orders", "a/b.c:d%e(f)g": "s3-a-b-c-d-e-f-g", "Case_kept-x": "s3-Case_kept-x", "a b": "s3-a b",
		strings.Repeat("x", 300): "s3-" + strings.Repeat("x", 300), "": "s3-",
	} {
		if got := scalers.MetricName(3, stem); got != want {
			t.Errorf("%q is named %q, want %q", stem, got, want)
		}
	}
}
