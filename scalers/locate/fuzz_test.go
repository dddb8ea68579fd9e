package locate_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/freshet-io/freshet/scalers/locate"
)

// FuzzLocate: whatever the document and the path, there is a finite number or an
// error.
func FuzzLocate(f *testing.F) {
	for _, body := range []string{inJSON, inYAML, "", "[", "- - -", "a: &a [*a]", `{"a":1e999}`, `"1.5e-2147483647"`, "5"} {
		for _, path := range []string{"queue.depth", "queue.jobs.#", "a", "0", "@this", `#(a>"`, "..", `{a,"b":c}`, "!5", "a|@flatten:{", "*", `\`} {
			f.Add([]byte(body), path)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, path string) {
		for syntax, find := range map[string]func([]byte, string) (float64, error){"JSON": locate.JSON, "YAML": locate.YAML} {
			n, err := find(body, path)
			if math.IsNaN(n) || math.IsInf(n, 0) {
				t.Errorf("%s: %v is not finite", syntax, n)
			}
			if err != nil && n != 0 {
				t.Errorf("%s: %v with the error %v", syntax, n, err)
			}
			if syntax == "JSON" && err == nil && !json.Valid(body) {
				t.Errorf("a number of what is not JSON: %v", n)
			}
		}
	})
}

// FuzzText: a text is a number in one way only, however it is read.
func FuzzText(f *testing.F) {
	for _, text := range []string{"12", "12abc", "500m", "1e3", "1E", ".", "1.5e-2147483647", "-0", "9999999999999999999999999999999999999999Ei"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := locate.Text(text)
		number, numberErr := locate.Number(text)
		q, quantityErr := locate.Quantity(text)
		if (err == nil) != (numberErr == nil || quantityErr == nil) {
			t.Errorf("text: %v, number: %v, quantity: %v", err, numberErr, quantityErr)
		}
		if numberErr == nil && n != number {
			t.Errorf("text is %v and number %v", n, number)
		}
		if math.IsNaN(n) || math.IsInf(n, 0) {
			t.Errorf("%v is not finite", n)
		}
		if numberErr == nil && quantityErr == nil && math.Abs(q.AsApproximateFloat64()-n) > 1e-6*math.Abs(n)+1e-9 {
			t.Errorf("number %v is the quantity %v", n, q.AsApproximateFloat64())
		}
	})
}
