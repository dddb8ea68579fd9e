package external_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/external/externalscaler"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/scalertest"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

func TestConforms(t *testing.T) {
	for _, kind := range []string{"external", "external-push"} {
		t.Run(kind, func(t *testing.T) {
			server := start(t, servers.ExternalOptions{})
			server.Set("worker", of("queue", 5, 12))
			server.Activate("worker", true)
			scalertest.Conform(t, scalertest.Conformance{
				Type: kind, Address: server.Addr(), Setting: setting("worker"),
				Want: scalers.Value{Activity: 1, Series: []scalers.Series{{Name: "queue", Value: 12, Target: 5}}},
				At: func(address string) param.Input {
					return param.Input{Metadata: m{"scalerAddress": address, "queue": "orders"}}
				},
				Stop: server.Kill, Start: server.Start,
			})
		})
	}
}

func TestFixtures(t *testing.T) { scalertest.Fixtures(t, "testdata", replay) }

// recorded is replies.yaml of a case: what a scaler answers.
type recorded struct {
	Active bool
	Specs  []struct {
		Name, Fraction string
		Integer        int64
	}
	// Values are by the metric that is asked for.
	Values map[string][]struct {
		Name, Fraction string
		Integer        int64
	}
	// Errors are by method.
	Errors map[string]struct{ Code, Message string }
}

// replay answers as replies.yaml of the folder says.
func replay(t testing.TB, folder string) (address string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "replies.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var r recorded
	if err := yaml.UnmarshalStrict(text, &r); err != nil {
		t.Fatal(err)
	}
	return start(t, servers.ExternalOptions{Answer: func(_ context.Context, method string, request proto.Message) (proto.Message, error) {
		if e, ok := r.Errors[method]; ok {
			var code codes.Code
			if err := code.UnmarshalJSON([]byte(strconv.Quote(e.Code))); err != nil {
				t.Errorf("code %q: %v", e.Code, err)
			}
			return nil, status.Error(code, e.Message)
		}
		return r.reply(t, request, method), nil
	}}).Addr()
}

func (r *recorded) reply(t testing.TB, request proto.Message, method string) proto.Message {
	switch method {
	case "IsActive":
		return &externalscaler.IsActiveResponse{Result: r.Active}
	case "GetMetricSpec":
		reply := &externalscaler.GetMetricSpecResponse{}
		for _, s := range r.Specs {
			reply.MetricSpecs = append(reply.MetricSpecs, &externalscaler.MetricSpec{
				MetricName: s.Name, TargetSize: s.Integer, TargetSizeFloat: fraction(t, s.Fraction),
			})
		}
		return reply
	default:
		reply := &externalscaler.GetMetricsResponse{}
		for _, v := range r.Values[request.(*externalscaler.GetMetricsRequest).GetMetricName()] {
			reply.MetricValues = append(reply.MetricValues, &externalscaler.MetricValue{
				MetricName: v.Name, MetricValue: v.Integer, MetricValueFloat: fraction(t, v.Fraction),
			})
		}
		return reply
	}
}

// fraction is a number that YAML may have no word for, such as NaN.
func fraction(t testing.TB, text string) float64 {
	if text == "" {
		return 0
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Errorf("%q is not a number", text)
	}
	return n
}
