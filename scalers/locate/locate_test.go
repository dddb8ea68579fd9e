package locate_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/freshet-io/freshet/scalers/locate"
)

// Documents that hold the same, for both syntaxes.
const (
	inJSON = `{"queue": {"depth": 12.5, "text": "7", "pods": "2500m", "size": "2Gi", "jobs": [3, {"n": 4}], "list": [], "none": null,
		"on": true, "word": "S3CRET", "empty": "", "blank": " 9\n", "huge": 1e400, "negative": -3, "exponent": 1.5e3, "tiny": "0.0000000001"}, "0": 8, "é": 1}`
	inYAML = `
queue:
  depth: 12.5
  text: "7"
  pods: 2500m
  size: 2Gi
  jobs: [3, {n: 4}]
  list: []
  none:
  on: true
  word: S3CRET
  empty: ""
  blank: |2
     9
  negative: -3
  exponent: 1.5e3
  tiny: "0.0000000001"
0: 8
é: 1
`
)

func TestLocate(t *testing.T) {
	for _, tc := range []struct {
		path string
		want float64
		err  string // a part of its text
	}{
		{"queue.depth", 12.5, ""},
		{"queue.text", 7, ""},
		{"queue.pods", 2.5, ""},
		{"queue.size", 2 << 30, ""},
		{"queue.blank", 9, ""},
		{"queue.negative", -3, ""},
		{"queue.exponent", 1500, ""},
		{"queue.tiny", 1e-10, ""}, // which as a quantity would be ten times that
		{"queue.jobs.0", 3, ""},
		{"queue.jobs.1.n", 4, ""},
		{"0", 8, ""},
		{"é", 1, ""},
		{"queue.jobs.2", 0, `nothing at "queue.jobs.2"`},
		{"queue.jobs.-1", 0, "nothing at"},
		{"queue.jobs.n", 0, "nothing at"},
		{"queue.list.0", 0, "nothing at"},
		{"queue.depth.deeper", 0, "nothing at"},
		{"queue.no", 0, "nothing at"},
		{"no.depth", 0, "nothing at"},
		{"", 0, "nothing at"},
		{".", 0, "nothing at"},
		{"queue.", 0, "nothing at"},
		{"queue", 0, "and not a number"},
		{"queue.jobs", 0, "a list and not a number"},
		{"queue.list", 0, "a list"},
		{"queue.none", 0, "null"},
		{"queue.on", 0, "true or false"},
		{"queue.word", 0, `at "queue.word" is text that is neither a number nor a quantity`},
		{"queue.empty", 0, "neither a number nor a quantity"},
	} {
		for syntax, find := range map[string]func() (float64, error){
			"json": func() (float64, error) { return locate.JSON([]byte(inJSON), tc.path) },
			"yaml": func() (float64, error) { return locate.YAML([]byte(inYAML), tc.path) },
		} {
			t.Run(syntax+" "+tc.path, func(t *testing.T) { expect(t, find, tc.want, tc.err) })
		}
	}
}

func expect(t *testing.T, find func() (float64, error), want float64, part string) {
	t.Helper()
	got, err := find()
	switch {
	case part == "" && (err != nil || got != want):
		t.Errorf("got %v, %v; want %v", got, err, want)
	case part != "" && (err == nil || !strings.Contains(err.Error(), part)):
		t.Errorf("got %v, %v; want an error with %q", got, err, part)
	case err != nil && (got != 0 || strings.Contains(err.Error(), "S3CRET") || strings.Contains(err.Error(), "\n")):
		t.Errorf("got %v, %v; want no number, no word of the document, and one line", got, err)
	}
}

func TestLocateInJSON(t *testing.T) {
	for name, tc := range map[string]struct {
		body, path string
		want       float64
		err        string
	}{
		"the length of a list":       {inJSON, "queue.jobs.#", 2, ""},
		"a query":                    {`{"q": [{"name": "a", "n": 1}, {"name": "b", "n": 2}]}`, `q.#(name=="b").n`, 2, ""},
		"a query that finds many":    {`{"q": [{"n": 1}, {"n": 2}]}`, "q.#.n", 0, "a list"},
		"a key with a dot":           {`{"a.b": 5}`, `a\.b`, 5, ""},
		"a mark before it":           {"\ufeff{\"a\": 5}", "a", 5, ""},
		"the whole":                  {`5`, "@this", 5, ""},
		"a modifier":                 {`[1, 2, 3]`, "@reverse.0", 3, ""},
		"too large":                  {inJSON, "queue.huge", 0, "too large"},
		"an object":                  {inJSON, "queue", 0, "an object"},
		"nothing":                    {``, "a", 0, "not JSON"},
		"a part":                     {`{"a": 5, "S3CRET": `, "a", 0, "not JSON"},
		"two documents":              {"{\"a\": 5}\n{\"a\": 6}", "a", 0, "not JSON"},
		"a web page":                 {`<html>S3CRET</html>`, "a", 0, "not JSON"},
		"nested too deep":            {strings.Repeat(`[`, 1<<20) + strings.Repeat(`]`, 1<<20), "0.0", 0, "not JSON"},
		"a path with a lone bracket": {inJSON, "queue.#(", 0, "nothing at"},
		"a path of escapes":          {inJSON, `\\\`, 0, "nothing at"},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, func() (float64, error) { return locate.JSON([]byte(tc.body), tc.path) }, tc.want, tc.err)
		})
	}
}

func TestLocateInYAML(t *testing.T) {
	bomb := "a: &a [S3CRET, S3CRET]\n"
	for c := 'b'; c < 'z'; c++ {
		before := string(c - 1)
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+before+",", 9) + "*" + before + "]\n"
	}
	for name, tc := range map[string]struct {
		body, path string
		want       float64
		err        string
	}{
		"the first document":     {"---\na: 1\n---\na: 2\n", "a", 1, ""},
		"an alias":               {"a: &x 5\nb: *x\n", "b", 5, ""},
		"JSON is YAML":           {inJSON, "queue.depth", 12.5, ""},
		"an integer of 64 bits":  {"a: 18446744073709551615", "a", 1 << 64, ""},
		"a larger integer":       {"a: 99999999999999999999999", "a", 1e23, ""},
		"a key with blanks":      {"'a b': 5", "a b", 5, ""},
		"a key like a path":      {"'a.b': 5", "a.b", 0, "nothing at"},
		"a key with a dot":       {"'a.b': {c: 5}", `a\.b.c`, 5, ""},
		"a key with a backslash": {`'a\': 5`, `a\\`, 5, ""},
		"a backslash at the end": {`'a\': 5`, `a\`, 5, ""},
		"a map of maps":          {"1: {2: 3}", "1", 0, "a map"},
		"a list":                 {"- 1\n- 2\n", "1", 2, ""},
		"a scalar":               {"5", "a", 0, "nothing at"},
		"nothing":                {"", "a", 0, "nothing at"},
		"infinity":               {"a: .inf", "a", 0, "too large, or none"},
		"not a number":           {"a: .nan", "a", 0, "too large, or none"},
		"a date":                 {"a: 2001-01-01", "a", 0, "a date"},
		"no YAML":                {"a: 1\nb: S3CRET: x\n", "a", 0, "not YAML"},
		"no YAML, with a line":   {"a: 1\nb: [S3CRET\nc: 2\n", "a", 0, "from line"},
		"an alias of nothing":    {"a: *S3CRET", "a", 0, "not YAML"},
		"a key that is no text":  {"? [S3CRET]\n: 1", "a", 0, "not YAML"},
		"a bomb":                 {bomb, "a", 0, "not YAML"},
		"nested too deep":        {strings.Repeat("[", 1<<20), "0", 0, "not YAML"},
		"nested too deep, block": {strings.Repeat("- ", 1<<18), "0", 0, "not YAML"},
		"a place far away":       {"- 1", "99999999999999999999", 0, "nothing at"},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, func() (float64, error) { return locate.YAML([]byte(tc.body), tc.path) }, tc.want, tc.err)
		})
	}
}

func TestNumbers(t *testing.T) {
	none := math.NaN()
	for text, want := range map[string]struct{ number, quantity float64 }{
		"12": {12, 12}, "12.5": {12.5, 12.5}, "-3": {-3, -3}, "+3": {3, 3}, "3.": {3, 3}, ".5": {.5, .5}, "1e3": {1000, 1000}, "1.5E-3": {.0015, .0015},
		" 12\n": {12, 12}, "0": {0, 0}, "007": {7, 7},
		"500m": {none, .5}, "2Gi": {none, 2 << 30}, "1k": {none, 1000}, "1E": {none, 1e18}, "3u": {none, 3e-6}, "1n": {none, 1e-9},
		"": {none, none}, " ": {none, none}, ".": {none, none}, "-": {none, none}, "e3": {none, none}, "12abc": {none, none}, "12 34": {none, none},
		"1,5": {none, none}, "0x10": {none, none}, "1_000": {none, none}, "inf": {none, none}, "NaN": {none, none}, "1.2.3": {none, none},
		"١٢": {none, none}, "12\x00": {none, none}, "1ki": {none, none}, "1KI": {none, none},
		"1e400": {none, none}, "1e999999999999": {none, none}, "1e-400": {0, none},
		"1.5e-2147483647": {0, none}, "1e2147483647": {none, none}, strings.Repeat("9", 300): {1e300, none}, strings.Repeat("9", 400): {none, none},
		strings.Repeat("9", 100000): {none, none}, strings.Repeat("9", 40): {1e40, 1e40},
	} {
		began := time.Now()
		if n, err := locate.Number(text); (err != nil) != math.IsNaN(want.number) || (err == nil && n != want.number) {
			t.Errorf("number %.50q: got %v, %v", text, n, err)
		}
		if q, err := locate.Quantity(text); (err != nil) != math.IsNaN(want.quantity) || (err == nil && math.Abs(q.AsApproximateFloat64()-want.quantity) > 1e-9*math.Abs(want.quantity)) {
			t.Errorf("quantity %.50q: got %v, %v", text, q.String(), err)
		}
		if n, err := locate.Text(text); (err != nil) != (math.IsNaN(want.number) && math.IsNaN(want.quantity)) {
			t.Errorf("text %.50q: got %v, %v", text, n, err)
		}
		if took := time.Since(began); took > 5*time.Second { // what is hostile takes hours
			t.Errorf("%.50q took %s", text, took)
		}
	}
}
