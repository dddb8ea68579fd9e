// Package locate finds one number in a document, at the place that the user
// names. What is missing, or no number, is an error and never 0. Errors have no
// class, name the place, and never quote the document, which may be secret.
package locate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
	"go.yaml.in/yaml/v3"
)

// JSON returns the number at path, in the syntax of GJSON, in a JSON document.
// Text there is read as [Text] reads it.
func JSON(body []byte, path string) (float64, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff")) // some editors leave this mark
	if !json.Valid(body) {                          // bounds how deep it is nested, which gjson.Valid does not
		return 0, errors.New("the document is not JSON")
	}
	found := gjson.GetBytes(body, path)
	switch {
	case !found.Exists():
		return 0, missing(path)
	case found.Type == gjson.Number:
		return number(path, found.Num)
	case found.Type == gjson.String:
		return text(path, found.Str)
	case found.IsArray():
		return 0, notANumber(path, "a list")
	case found.IsObject():
		return 0, notANumber(path, "an object")
	case found.IsBool():
		return 0, notANumber(path, "true or false")
	default:
		return 0, notANumber(path, "null")
	}
}

// YAML returns the number at path in the first YAML document of body. The path
// is keys, and places in lists that count from 0, joined by dots; a dot after a
// backslash is one of the key. Text there is read as [Text] reads it.
func YAML(body []byte, path string) (float64, error) {
	var at any
	if err := yaml.Unmarshal(body, &at); err != nil {
		return 0, notYAML(err)
	}
	for _, key := range Split(path) {
		var ok bool
		if at, ok = child(at, key); !ok {
			return 0, missing(path)
		}
	}
	switch value := at.(type) {
	case int:
		return float64(value), nil
	case int64:
		return float64(value), nil
	case uint64:
		return float64(value), nil
	case float64:
		return number(path, value)
	case string:
		return text(path, value)
	case []any:
		return 0, notANumber(path, "a list")
	case map[string]any, map[any]any:
		return 0, notANumber(path, "a map")
	case bool:
		return 0, notANumber(path, "true or false")
	case nil:
		return 0, notANumber(path, "null")
	default:
		return 0, notANumber(path, "a date")
	}
}

// Split cuts a path at the dots that follow no backslash.
func Split(path string) []string {
	var keys []string
	var key strings.Builder
	for i := 0; i < len(path); i++ {
		switch {
		case path[i] == '\\' && i+1 < len(path):
			i++
			key.WriteByte(path[i])
		case path[i] == '.':
			keys = append(keys, key.String())
			key.Reset()
		default:
			key.WriteByte(path[i])
		}
	}
	return append(keys, key.String())
}

// child is what a map has under a key, or a list at a place.
func child(of any, key string) (any, bool) {
	switch of := of.(type) {
	case map[string]any:
		value, ok := of[key]
		return value, ok
	case map[any]any: // some keys are no text
		if value, ok := of[key]; ok {
			return value, true
		}
		for k, value := range of {
			if fmt.Sprint(k) == key {
				return value, true
			}
		}
	case []any:
		if i, err := strconv.ParseUint(key, 10, 31); err == nil && i < uint64(len(of)) {
			return of[i], true
		}
	}
	return nil, false
}

// lineOf finds the line that the parser stopped at. The rest of its words may
// quote the document.
var lineOf = regexp.MustCompile(`\byaml: line (\d+):`)

func notYAML(err error) error {
	if m := lineOf.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Errorf("the document is not YAML from line %s on", m[1])
	}
	return errors.New("the document is not YAML")
}

func missing(path string) error {
	return fmt.Errorf("there is nothing at %q", path)
}

func notANumber(path, what string) error {
	return fmt.Errorf("at %q is %s and not a number", path, what)
}

func number(path string, n float64) (float64, error) {
	if !finite(n) {
		return 0, fmt.Errorf("at %q is a number that is too large, or none", path)
	}
	return n, nil
}

func text(path, t string) (float64, error) {
	n, err := Text(t)
	if err != nil {
		return 0, fmt.Errorf("at %q is %w", path, err)
	}
	return n, nil
}
