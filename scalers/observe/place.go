package observe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/locate"
)

// place is where a number is in an answer. Its methods read it in one format
// each; that there is no number is an error.
type place struct {
	answer   *conn.Answer
	location string
}

// missing says that the answer has no such place.
func (p place) missing() error {
	if p.answer.WebPage {
		return wrongContent(p.answer, "what parameter format says")
	}
	return scalers.ConfigurationError("%s has nothing at valueLocation %q: change one of them", p.answer.URL, p.location)
}

// notNumber says what is there instead of a number.
func (p place) notNumber(what string) error {
	return scalers.ConfigurationError("%s has %s at valueLocation %q and not a number: change one of them", p.answer.URL, what, p.location)
}

// mostMarkup is how long YAML and XML may be, which take much longer to parse
// than they are to send.
const mostMarkup = 1 << 20

// short checks that an answer in such a format is not too long.
func (p place) short() error {
	if len(p.answer.Body) > mostMarkup {
		return scalers.ConfigurationError("%s answers with more than %d MiB: have it answer with less, or in JSON", p.answer.URL, mostMarkup>>20)
	}
	return nil
}

// byteOrderMark may begin a text.
var byteOrderMark = []byte("\ufeff")

// inJSON reads a path of GJSON.
func (p place) inJSON() (float64, error) {
	body := bytes.TrimPrefix(p.answer.Body, byteOrderMark)
	if !json.Valid(body) {
		return 0, wrongContent(p.answer, "JSON")
	}
	switch r := gjson.GetBytes(body, p.location); {
	case !r.Exists():
		return 0, p.missing()
	case r.Type == gjson.Number && r.Raw == "": // a count that GJSON made
		return r.Num, nil
	case r.Type == gjson.Number:
		return p.parse(r.Raw)
	case r.Type == gjson.String:
		return p.parse(r.Str)
	case r.IsArray():
		return 0, p.notNumber("a list")
	case r.IsObject():
		return 0, p.notNumber("an object")
	default:
		return 0, p.notNumber(r.Raw) // true, false or null
	}
}

// inYAML reads keys and numbers of list items, joined with dots.
func (p place) inYAML() (float64, error) {
	if err := p.short(); err != nil {
		return 0, err
	}
	text, err := yaml.YAMLToJSON(p.answer.Body)
	if err != nil {
		return 0, wrongContent(p.answer, "YAML")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var at any
	if err := decoder.Decode(&at); err != nil {
		return 0, wrongContent(p.answer, "YAML")
	}
	for _, key := range locate.Split(p.location) {
		switch inner := at.(type) {
		case map[string]any:
			value, ok := inner[key]
			if !ok {
				return 0, p.missing()
			}
			at = value
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(inner) {
				return 0, p.missing()
			}
			at = inner[i]
		default:
			return 0, p.missing()
		}
	}
	switch found := at.(type) {
	case json.Number:
		return p.parse(found.String())
	case string:
		return p.parse(found)
	case []any:
		return 0, p.notNumber("a list")
	case map[string]any:
		return 0, p.notNumber("a map")
	case nil:
		return 0, p.notNumber("null")
	default:
		return 0, p.notNumber(fmt.Sprint(found))
	}
}

// longestNumber is how many bytes a number may have.
const longestNumber = 64

// parse reads a number, or a quantity of Kubernetes such as 10Mi.
func (p place) parse(text string) (float64, error) {
	text = strings.TrimSpace(text)
	if len(text) > longestNumber {
		return 0, p.notNumber("a text")
	}
	n, err := strconv.ParseFloat(text, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) { // then it is infinite
		return n, nil
	}
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return 0, p.notNumber("a text")
	}
	return q.AsApproximateFloat64(), nil
}
