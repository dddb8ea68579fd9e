package external_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/external/externalscaler"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// start starts a scaler that ends with the test.
func start(t testing.TB, o servers.ExternalOptions) *servers.External {
	t.Helper()
	return scalertest.External(t, o)
}

type answers = map[string]proto.Message

// answering answers methods with messages.
func answering(replies answers) func(context.Context, string, proto.Message) (proto.Message, error) {
	return func(_ context.Context, method string, _ proto.Message) (proto.Message, error) {
		return replies[method], nil
	}
}

// failing fails one method.
func failing(method string, err error) func(context.Context, string, proto.Message) (proto.Message, error) {
	return func(_ context.Context, m string, _ proto.Message) (proto.Message, error) {
		if m == method {
			return nil, err
		}
		return nil, nil //nolint:nilnil // the server answers
	}
}

func specs(list ...*externalscaler.MetricSpec) *externalscaler.GetMetricSpecResponse {
	return &externalscaler.GetMetricSpecResponse{MetricSpecs: list}
}

func values(list ...*externalscaler.MetricValue) *externalscaler.GetMetricsResponse {
	return &externalscaler.GetMetricsResponse{MetricValues: list}
}

func TestReadsAllMetrics(t *testing.T) {
	t.Parallel()
	server := start(t, servers.ExternalOptions{})
	server.Set("worker", of("queue", 5, 12.5), of("Age of the oldest", 60, 0), of("größe", 0.5, 1e6))
	s := decode(t, "external", "worker", server.Addr(), nil, nil)
	want := scalers.Value{Series: []scalers.Series{
		{Name: "Age of the oldest", Target: 60}, {Name: "größe", Value: 1e6, Target: 0.5}, {Name: "queue", Value: 12.5, Target: 5},
	}}
	if r := read(t, s); r.Err != nil || !reflect.DeepEqual(r.Value, want) {
		t.Errorf("got %+v, %v; want %+v", r.Value, r.Err, want)
	}
	server.Activate("worker", true)
	want.Activity = 1
	if r := read(t, s); r.Err != nil || !reflect.DeepEqual(r.Value, want) {
		t.Errorf("when it is active, got %+v, %v; want %+v", r.Value, r.Err, want)
	}
}

func TestManyMetricsAreReadInOneRead(t *testing.T) {
	t.Parallel()
	server := start(t, servers.ExternalOptions{})
	var all []metric
	for i := range 100 {
		all = append(all, of(fmt.Sprintf("m%02d", i), 1, float64(i)))
	}
	server.Set("worker", all...)
	r := read(t, decode(t, "external", "worker", server.Addr(), nil, nil))
	if r.Err != nil || len(r.Value.Series) != 100 {
		t.Fatalf("got %d metrics, %v", len(r.Value.Series), r.Err)
	}
	for i, m := range r.Value.Series {
		if m.Name != all[i].Name || m.Value != all[i].Value {
			t.Errorf("metric %d is %+v", i, m)
		}
	}
	if a, s, v := server.Calls("IsActive"), server.Calls("GetMetricSpec"), server.Calls("GetMetrics"); a != 1 || s != 1 || v != 100 {
		t.Errorf("it took %d IsActive, %d GetMetricSpec and %d GetMetrics", a, s, v)
	}
}

// Numbers are fractions or, of older scalers, integers.
func TestNumbers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spec   *externalscaler.MetricSpec
		values []*externalscaler.MetricValue
		want   scalers.Series
	}{
		"fractions": {
			&externalscaler.MetricSpec{MetricName: "q", TargetSizeFloat: 0.25},
			[]*externalscaler.MetricValue{{MetricName: "q", MetricValueFloat: 1.75}},
			scalers.Series{Name: "q", Target: 0.25, Value: 1.75},
		},
		"integers": {
			&externalscaler.MetricSpec{MetricName: "q", TargetSize: 5},
			[]*externalscaler.MetricValue{{MetricName: "q", MetricValue: 9}},
			scalers.Series{Name: "q", Target: 5, Value: 9},
		},
		"fractions before integers": {
			&externalscaler.MetricSpec{MetricName: "q", TargetSize: 7, TargetSizeFloat: 2.5},
			[]*externalscaler.MetricValue{{MetricName: "q", MetricValue: 7, MetricValueFloat: 0.5}},
			scalers.Series{Name: "q", Target: 2.5, Value: 0.5},
		},
		"zero": {
			&externalscaler.MetricSpec{MetricName: "q", TargetSize: 5},
			[]*externalscaler.MetricValue{{MetricName: "q"}},
			scalers.Series{Name: "q", Target: 5},
		},
		"several values are added": {
			&externalscaler.MetricSpec{MetricName: "q", TargetSize: 5},
			[]*externalscaler.MetricValue{{MetricName: "q", MetricValue: 2}, {MetricName: "other", MetricValue: 100}, {MetricName: "Q", MetricValueFloat: 0.5}},
			scalers.Series{Name: "q", Target: 5, Value: 2.5},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, servers.ExternalOptions{Answer: answering(answers{"GetMetricSpec": specs(tc.spec), "GetMetrics": values(tc.values...)})})
			r := read(t, decode(t, "external", "worker", server.Addr(), nil, nil))
			if r.Err != nil || len(r.Value.Series) != 1 || r.Value.Series[0] != tc.want {
				t.Errorf("got %+v, %v; want %+v", r.Value, r.Err, tc.want)
			}
		})
	}
}

// A formula stands in for targets.
func TestTargetsUnderAFormula(t *testing.T) {
	t.Parallel()
	server := start(t, servers.ExternalOptions{})
	server.Set("worker", of("queue", 0, 3))
	where := setting("worker")
	where.Formula = true
	s, _, err := scalers.Decode("external", param.Input{Metadata: m{"scalerAddress": server.Addr()}}, where)
	if err != nil {
		t.Fatal(err)
	}
	if r := read(t, s); r.Err != nil || r.Value.Series[0].Value != 3 {
		t.Errorf("got %+v, %v", r.Value, r.Err)
	}
	if r := read(t, decode(t, "external", "worker", server.Addr(), nil, nil)); scalers.ClassOf(r.Err) != scalers.Configuration {
		t.Errorf("without one, got %v", r.Err)
	}
}

func TestAnswersThatWillNotDo(t *testing.T) {
	t.Parallel()
	good := &externalscaler.MetricSpec{MetricName: "q", TargetSize: 5}
	named := func(name string) answers {
		return answers{"GetMetricSpec": specs(&externalscaler.MetricSpec{MetricName: name, TargetSize: 5})}
	}
	target := func(n float64) answers {
		return answers{"GetMetricSpec": specs(&externalscaler.MetricSpec{MetricName: "q", TargetSizeFloat: n})}
	}
	value := func(list ...*externalscaler.MetricValue) answers {
		return answers{"GetMetricSpec": specs(good), "GetMetrics": values(list...)}
	}
	fraction := func(n float64) answers {
		return value(&externalscaler.MetricValue{MetricName: "q", MetricValueFloat: n})
	}
	var many []*externalscaler.MetricSpec
	for i := range 101 {
		many = append(many, &externalscaler.MetricSpec{MetricName: fmt.Sprint(i), TargetSize: 1})
	}
	const configuration, unavailable = scalers.Configuration, scalers.Unavailable
	for name, tc := range map[string]struct {
		replies answers
		class   scalers.Class
		words   []string
	}{
		"no metric":          {answers{}, configuration, []string{"GetMetricSpec names no metric"}},
		"too many":           {answers{"GetMetricSpec": specs(many...)}, configuration, []string{"101 metrics"}},
		"twice":              {answers{"GetMetricSpec": specs(good, &externalscaler.MetricSpec{MetricName: "Q", TargetSize: 5})}, configuration, []string{`"Q" twice`}},
		"empty name":         {named(""), configuration, []string{"empty"}},
		"slash":              {named("a/b"), configuration, []string{`"a/b"`, "may not hold /"}},
		"percent":            {named("100%"), configuration, []string{`"100%"`}},
		"control character":  {named("a\nb"), configuration, []string{"control character"}},
		"endless name":       {named(strings.Repeat("x", 900_000)), configuration, []string{"too long", "xxx …"}},
		"huge":               {named(strings.Repeat("x", 1<<21)), configuration, []string{"GetMetricSpec", "more than 1 MiB"}},
		"target 0":           {target(0), configuration, []string{`"q"`, "at least 0.001"}},
		"target too small":   {target(0.0004), configuration, []string{"0.0004"}},
		"target negative":    {target(-1), configuration, []string{"-1"}},
		"target NaN":         {target(math.NaN()), configuration, []string{"NaN"}},
		"target endless":     {target(math.Inf(1)), configuration, []string{"+Inf"}},
		"integer target":     {answers{"GetMetricSpec": specs(&externalscaler.MetricSpec{MetricName: "q", TargetSize: -5})}, configuration, []string{"-5"}},
		"no value":           {value(), unavailable, []string{`without a value for metric "q"`}},
		"another's value":    {value(&externalscaler.MetricValue{MetricName: "other", MetricValue: 3}), configuration, []string{`"q"`, `"other"`}},
		"value NaN":          {fraction(math.NaN()), unavailable, []string{"NaN"}},
		"value endless":      {fraction(math.Inf(1)), unavailable, []string{"+Inf"}},
		"value below zero":   {fraction(-0.5), unavailable, []string{"-0.5"}},
		"integer below zero": {value(&externalscaler.MetricValue{MetricName: "q", MetricValue: -1}), unavailable, []string{"-1"}},
		"one of two is bad":  {value(&externalscaler.MetricValue{MetricName: "q", MetricValue: 3}, &externalscaler.MetricValue{MetricName: "q", MetricValue: -1}), unavailable, []string{"-1"}},
		"sum endless": {value(&externalscaler.MetricValue{MetricName: "q", MetricValueFloat: math.MaxFloat64}, &externalscaler.MetricValue{MetricName: "q", MetricValueFloat: math.MaxFloat64}),
			unavailable, []string{"not a finite number"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, servers.ExternalOptions{Answer: answering(tc.replies)})
			r := read(t, decode(t, "external", "worker", server.Addr(), nil, nil))
			if r.Err == nil || scalers.ClassOf(r.Err) != tc.class {
				t.Fatalf("got %+v and an error of class %s: %v", r.Value, scalers.ClassOf(r.Err), r.Err)
			}
			for _, word := range tc.words {
				if !strings.Contains(r.Err.Error(), word) {
					t.Errorf("the error lacks %q: %v", word, r.Err)
				}
			}
			if text := r.Err.Error(); len(text) > 600 || strings.Contains(text, "\n") {
				t.Errorf("the error is not one line of moderate length: %q", text)
			}
		})
	}
}

func TestErrorsOfTheServer(t *testing.T) {
	t.Parallel()
	for code, class := range map[codes.Code]scalers.Class{
		codes.Unauthenticated: scalers.Authentication, codes.PermissionDenied: scalers.Authentication,
		codes.InvalidArgument: scalers.Configuration, codes.NotFound: scalers.Configuration,
		codes.Unimplemented: scalers.Configuration, codes.FailedPrecondition: scalers.Configuration,
		codes.ResourceExhausted: scalers.RateLimited,
		codes.Unavailable:       scalers.Unavailable, codes.Internal: scalers.Unavailable, codes.Unknown: scalers.Unavailable,
		codes.DeadlineExceeded: scalers.Unavailable, codes.Canceled: scalers.Unavailable, codes.Code(99): scalers.Unavailable,
	} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			for _, method := range []string{"GetMetricSpec", "GetMetrics", "IsActive"} {
				server := start(t, servers.ExternalOptions{Answer: failing(method, status.Error(code, "the queue is\nnot there"))})
				server.Set("worker", of("q", 5, 1))
				r := read(t, decode(t, "external", "worker", server.Addr(), nil, nil))
				if r.Err == nil || scalers.ClassOf(r.Err) != class {
					t.Fatalf("%s: got %+v and an error of class %s: %v", method, r.Value, scalers.ClassOf(r.Err), r.Err)
				}
				if text := r.Err.Error(); !strings.Contains(text, method) || !strings.Contains(text, "the queue is not there") {
					t.Errorf("the error names neither method nor cause: %q", text)
				}
			}
		})
	}
}

// A server may repeat what it was told. Values of variables are not shown.
func TestServersWordsShowNoSecret(t *testing.T) {
	t.Parallel()
	const secret, longer = "S3NT1N3L", "S3NT1N3L-too"
	server := start(t, servers.ExternalOptions{Answer: func(_ context.Context, _ string, request proto.Message) (proto.Message, error) {
		told := request.(*externalscaler.ScaledObjectRef).GetScalerMetadata()
		return nil, status.Error(codes.InvalidArgument, told["aFromEnv"]+" and "+told["bFromEnv"]+" are wrong"+strings.Repeat(" indeed", 1000))
	}})
	s, _, err := scalers.Decode("external", param.Input{
		Metadata: m{"scalerAddress": server.Addr(), "aFromEnv": "A", "bFromEnv": "B"}, Env: m{"A": secret, "B": longer},
	}, setting("worker"))
	if err != nil {
		t.Fatal(err)
	}
	r := read(t, s)
	if r.Err == nil || strings.Contains(r.Err.Error(), "S3NT") || strings.Contains(r.Err.Error(), "-too") ||
		!strings.Contains(r.Err.Error(), "[redacted] and [redacted] are wrong") || len(r.Err.Error()) > 600 {
		t.Errorf("got %v", r.Err)
	}
}

// A call that hangs ends with its context, and the others with it.
func TestHangs(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GetMetricSpec", "GetMetrics", "IsActive"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			server := start(t, servers.ExternalOptions{Answer: func(within context.Context, m string, _ proto.Message) (proto.Message, error) {
				if m == method {
					cancel()
					<-within.Done()
				}
				return nil, nil //nolint:nilnil // the server answers
			}})
			server.Set("worker", of("a", 5, 1), of("b", 5, 1))
			s := decode(t, "external", "worker", server.Addr(), nil, nil)
			var out [1]scalers.Result
			_ = scalers.Read(ctx, scalertest.Open(t, s), []*scalers.Scaler{s}, out[:])
			if !errors.Is(out[0].Err, context.Canceled) {
				t.Errorf("got %v", out[0].Err)
			}
		})
	}
}

// What answers is not always gRPC, or not for long.
func TestServersThatSpeakOtherwise(t *testing.T) {
	t.Parallel()
	settings := []byte{0, 0, 0, 4, 0, 0, 0, 0, 0} // the first frame of a server of HTTP/2
	for name, tc := range map[string]struct {
		says   []byte
		closes bool
	}{
		"HTTP/1.1":       {[]byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), true},
		"nonsense":       {bytes.Repeat([]byte("nonsense"), 1000), false},
		"half closed":    {settings, true},
		"broken frame":   {append(settings[:9:9], 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1), false},
		"silent at once": {nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						defer func() { _ = c.Close() }()
						_, _ = c.Write(tc.says)
						if tc.closes {
							_ = c.(*net.TCPConn).CloseWrite()
						}
						_, _ = io.Copy(io.Discard, c) // until the client is gone
					}()
				}
			}()
			r := read(t, decode(t, "external", "worker", l.Addr().String(), nil, nil))
			if r.Err == nil || scalers.ClassOf(r.Err) != scalers.Unavailable || scalers.IsTimeout(r.Err) {
				t.Errorf("got %+v, %v", r.Value, r.Err)
			}
		})
	}
}
