package external

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/sync/errgroup"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/external/externalscaler"
)

const (
	// mostMetrics, longestName and leastTarget bound what an HPA is made of. It
	// counts in thousandths.
	mostMetrics = 100
	longestName = 500
	leastTarget = 0.001
	// callsAtOnce bounds the calls of one read.
	callsAtOnce = 8
)

// read asks for the value of each metric and whether there is work, all at the
// same time. Without metrics it first asks which there are.
func (s *Server) read(ctx context.Context, c *client, metrics *metrics) (scalers.Value, error) {
	if metrics == nil {
		var err error
		if metrics, err = s.ask(ctx, c); err != nil {
			return scalers.Value{}, err
		}
	}
	if metrics.fault != nil {
		return scalers.Value{}, metrics.fault
	}
	value := scalers.Value{Series: slices.Clone(metrics.series)}
	calls, within := errgroup.WithContext(ctx)
	calls.SetLimit(callsAtOnce)
	calls.Go(func() error {
		reply, err := c.IsActive(within, s.ref())
		if err == nil && reply.GetResult() {
			value.Activity = 1
		}
		return s.failed(ctx, "IsActive", err)
	})
	for i := range value.Series {
		calls.Go(func() (err error) {
			value.Series[i].Value, err = s.value(ctx, within, c, value.Series[i].Name)
			return err
		})
	}
	if err := calls.Wait(); err != nil {
		return scalers.Value{}, err //nolint:wrapcheck // it is one of the above
	}
	return value, nil
}

// ask asks which metrics there are.
func (s *Server) ask(ctx context.Context, c *client) (*metrics, error) {
	reply, err := c.GetMetricSpec(ctx, s.ref())
	if err != nil {
		return nil, s.failed(ctx, "GetMetricSpec", err)
	}
	return s.metrics("GetMetricSpec", reply.GetMetricSpecs()), nil
}

// value asks for one metric. Several values of it are added, as the HPA would.
func (s *Server) value(ctx, within context.Context, c *client, name string) (float64, error) {
	reply, err := c.GetMetrics(within, &externalscaler.GetMetricsRequest{ScaledObjectRef: s.ref(), MetricName: name})
	if err != nil {
		return 0, s.failed(ctx, "GetMetrics", err)
	}
	sum, found, other := 0.0, false, ""
	for _, v := range reply.GetMetricValues() {
		if !strings.EqualFold(v.GetMetricName(), name) {
			other = v.GetMetricName()
			continue
		}
		n := number(v.GetMetricValueFloat(), v.GetMetricValue())
		if !(n >= 0 && n <= math.MaxFloat64) {
			return 0, scalers.UnavailableError("GetMetrics answers for metric %q with %v: a value must be a number of 0 or above", name, n)
		}
		sum, found = sum+n, true
	}
	switch {
	case found:
		return sum, nil
	case other != "":
		return 0, scalers.ConfigurationError("GetMetrics was asked for metric %q and answers with %s: "+
			"it must answer with the name that GetMetricSpec gave", name, s.quote(other))
	default:
		return 0, scalers.UnavailableError("GetMetrics answers without a value for metric %q", name)
	}
}

// number is a field that came as a fraction or, from servers written before
// there was one, as an integer: that counts where the fraction is 0.
func number(fraction float64, integer int64) float64 {
	if fraction != 0 {
		return fraction
	}
	return float64(integer)
}

// metrics are what a scaler says that there is, or what is wrong with it.
type metrics struct {
	series []scalers.Series
	fault  error
}

// metrics checks what the method answered. The metrics are sorted by name: a
// server may give them in any order.
func (s *Server) metrics(method string, specs []*externalscaler.MetricSpec) *metrics {
	bad := func(format string, args ...any) *metrics {
		return &metrics{fault: scalers.ConfigurationError(method+" "+format, args...)}
	}
	switch {
	case len(specs) == 0:
		return bad("names no metric: the scaler must name at least one for this object")
	case len(specs) > mostMetrics:
		return bad("names %d metrics, and an object may have %d", len(specs), mostMetrics)
	}
	m := &metrics{series: make([]scalers.Series, len(specs))}
	seen := map[string]bool{}
	for i, spec := range specs {
		name, target := spec.GetMetricName(), number(spec.GetTargetSizeFloat(), spec.GetTargetSize())
		if problem := badName(name); problem != "" {
			return bad("gives a metric the name %s, which %s", s.quote(name), problem)
		}
		if seen[strings.ToLower(name)] { // case does not matter to who asks
			return bad("names metric %q twice", name)
		}
		seen[strings.ToLower(name)] = true
		if s.Formula && target <= 0 {
			target = 0 // a formula stands in for it
		} else if !(target >= leastTarget && target <= math.MaxFloat64) {
			return bad("gives metric %q the target %v: a target must be a number of at least %v", name, target, leastTarget)
		}
		m.series[i] = scalers.Series{Name: name, Target: target}
	}
	slices.SortFunc(m.series, func(a, b scalers.Series) int { return cmp.Compare(a.Name, b.Name) })
	return m
}

// badName tells why the HPA could not ask for a metric of that name, or nothing.
func badName(name string) string {
	switch {
	case name == "":
		return "is empty"
	case len(name) > longestName:
		return "is too long"
	case strings.ContainsAny(name, "/%"):
		return "an HPA cannot ask for: it may not hold / or %"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "holds a control character"
	}
	return ""
}

// equal tells whether two answers say the same.
func (m *metrics) equal(other *metrics) bool {
	if m == nil || other == nil {
		return m == other
	}
	same := (m.fault == nil) == (other.fault == nil) && (m.fault == nil || m.fault.Error() == other.fault.Error())
	return same && slices.Equal(m.series, other.series)
}
