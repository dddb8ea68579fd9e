package observe

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
)

// promAnswer is what the query API answers.
type promAnswer struct {
	Status    string   `json:"status"`
	ErrorType string   `json:"errorType"`
	Error     string   `json:"error"`
	Warnings  []string `json:"warnings"`
	// IsPartial is how VictoriaMetrics says that some of its nodes did not answer.
	IsPartial bool `json:"isPartial"`
	Data      struct {
		Type   string          `json:"resultType"`
		Result json.RawMessage `json:"result"`
	} `json:"data"`
}

// promSample is a time and a value, which is a text.
type promSample [2]any

// promRefusal adds what the server says of an error to it.
func promRefusal(err error) error {
	var status *conn.StatusError
	var said promAnswer
	if !errors.As(err, &status) || json.Unmarshal(status.Body, &said) != nil || said.Error == "" {
		return err
	}
	return &scalers.Error{
		Class: scalers.ClassOf(err), RetryAfter: scalers.RetryAfterOf(err),
		Err: fmt.Errorf("%w: %s", err, conn.Quote(said.Error)),
	}
}

// number is the one number in the answer.
func (p *Prometheus) number(answer *conn.Answer) (scalers.Value, error) {
	var a promAnswer
	if err := json.Unmarshal(answer.Body, &a); err != nil || a.Status == "" {
		return scalers.Value{}, wrongContent(answer, "what the query API of Prometheus answers")
	}
	if a.Status != "success" {
		return scalers.Value{}, scalers.UnavailableError("%s answers with the error %q: %s", answer.URL, conn.Quote(a.ErrorType), conn.Quote(a.Error))
	}
	if missing, partial := a.missing(); partial {
		return scalers.Value{}, scalers.UnavailableError("%s answers in part: %s", answer.URL, missing)
	}
	sample, err := a.sample(answer)
	const empty = true
	switch {
	case err != nil:
		return scalers.Value{}, err
	case sample == nil:
		return p.null(empty, "the query has no result: no series matches it")
	case sample[1] == nil:
		return p.null(empty, "the query has the result null")
	case sample[1] == "":
		return p.null(empty, "the query has an empty result")
	}
	text, _ := sample[1].(string)
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil:
		return scalers.Value{}, wrongContent(answer, "a number in a text")
	case math.IsNaN(n) || math.IsInf(n, 0):
		return p.null(!empty, "the query has the result "+text+", which is not a finite number")
	}
	return scalers.Number(n), nil
}

// missing tells whether the answer lacks data that the server knows of, and what
// it says about it. Warnings about the query itself are not of that kind.
func (a *promAnswer) missing() (what string, partial bool) {
	for _, w := range a.Warnings {
		if !strings.HasPrefix(w, "PromQL ") {
			return conn.Quote(w), true
		}
	}
	return "it says that it is partial", a.IsPartial
}

// null is 0 or an error, as the trigger wants it.
func (p *Prometheus) null(empty bool, what string) (scalers.Value, error) {
	if p.IgnoreNullValues {
		return scalers.Value{Empty: empty}, nil
	}
	return scalers.Value{}, &scalers.Error{
		Class: scalers.Configuration, Empty: empty,
		Err: fmt.Errorf("%s: change the query, or set ignoreNullValues to true to read that as 0", what),
	}
}

// sample is the only one of the result, or nil when there is none.
func (a *promAnswer) sample(answer *conn.Answer) (*promSample, error) {
	switch a.Data.Type {
	case "scalar":
		var s []any
		if json.Unmarshal(a.Data.Result, &s) != nil || len(s) != 2 {
			return nil, wrongContent(answer, "a scalar")
		}
		return &promSample{s[0], s[1]}, nil
	case "vector":
		var series []struct {
			Metric    map[string]string `json:"metric"`
			Value     []any             `json:"value"`
			Histogram json.RawMessage   `json:"histogram"`
		}
		if a.Data.Result == nil || json.Unmarshal(a.Data.Result, &series) != nil {
			return nil, wrongContent(answer, "a vector")
		}
		switch {
		case len(series) == 0:
			return nil, nil //nolint:nilnil // there is none
		case len(series) > 1:
			return nil, scalers.ConfigurationError("the query has %d series, such as %s and %s: make one of them, as with sum()",
				len(series), labels(series[0].Metric), labels(series[1].Metric))
		case series[0].Histogram != nil:
			return nil, scalers.ConfigurationError("the query has a histogram for a result: make a number of it, as with histogram_quantile()")
		case len(series[0].Value) != 2:
			return nil, wrongContent(answer, "a time and a value")
		}
		return &promSample{series[0].Value[0], series[0].Value[1]}, nil
	case "matrix", "string":
		return nil, scalers.ConfigurationError("the query has a %s for a result: it must be a scalar or an instant vector", a.Data.Type)
	default:
		return nil, wrongContent(answer, "a result of a known type")
	}
}

// labels are those of a series, as PromQL writes them.
func labels(metric map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(metric)) {
		pairs = append(pairs, fmt.Sprintf("%s=%q", name, metric[name]))
	}
	return conn.Quote("{" + strings.Join(pairs, ",") + "}")
}
