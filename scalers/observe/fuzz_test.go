package observe

import (
	"math"
	"strings"
	"testing"

	"github.com/freshet-io/freshet/scalers/conn"
)

// FuzzNumber looks for an answer and a place of which reading panics, or whose
// error is no line.
func FuzzNumber(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"a":[{"b":5},"10Mi",null,1e400]}`, "a.0.b"}, {`{"a":{"b.c":-1}}`, `a.b\.c`}, {`[1,2]`, "#"}, {`{"a":1}`, `@pretty|a`},
		{"a:\n- b: 5\n- .inf\n", "a.0.b"}, {"&a [*a]", "0"}, {"<a x='1'><b>5</b><b>6</b></a>", "a.b.1"}, {"<a x='1'/>", "a.@x"},
		{"a{b=\"c\"} 5\n", `a{b=~"c|d"}`}, {"{\"a\",b=\"c\"} 5 1\n", `{__name__="a"}`}, {"a 5\na NaN\n# EOF\n", "a"}, {"a{", "a{b!='\\''}"},
		{"", ""}, {"\ufeff5", "@this"}, {"\xff", "\xff"},
	} {
		f.Add([]byte(seed[0]), seed[1])
	}
	f.Fuzz(func(t *testing.T, body []byte, location string) {
		for _, format := range []string{"json", "yaml", "xml", "prometheus"} {
			a := &MetricsAPI{Format: format, ValueLocation: location, URL: "http://h"}
			if a.Validate() != nil {
				continue
			}
			n, err := a.number(&conn.Answer{URL: "http://h", Body: body})
			if err != nil && (strings.ContainsAny(err.Error(), "\n\x00") || n != 0) {
				t.Errorf("%s: %v and the error %q", format, n, err)
			}
		}
	})
}

// FuzzPrometheusAnswer looks for an answer that panics, or is a number that is
// not finite.
func FuzzPrometheusAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"status":"success","data":{"resultType":"scalar","result":[1,"5"]}}`,
		`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1,"NaN"]}]}}`,
		`{"status":"success","data":{"resultType":"vector","result":[{"value":[null,null]}]}}`,
		`{"status":"success","data":{"resultType":"vector","result":null}}`,
		`{"status":"error","errorType":"x","error":"y\nz"}`, `{"status":"success","warnings":["a\nb"]}`, `[]`, `null`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, ignore := range []bool{false, true} {
			p := &Prometheus{IgnoreNullValues: ignore}
			value, err := p.number(&conn.Answer{URL: "http://h", Body: body})
			n := value.Metric
			if math.IsNaN(n) || math.IsInf(n, 0) || err != nil && n != 0 {
				t.Errorf("the number is %v, the error %v", n, err)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\n\x00") {
				t.Errorf("the error is %q", err)
			}
		}
	})
}
