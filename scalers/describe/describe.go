// Package describe says what every registered trigger is: its struct joined with
// the comments of its source. The pages of docs/triggers and the JSON schema are
// made of it.
package describe

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// Trigger is a registered trigger, for people.
type Trigger struct {
	// Types are the names it may have.
	Types []string
	// Category and Since are as registered.
	Category, Since string
	// Summary is the comment of its struct, whose name it may begin with.
	Summary string
	// Parameters are in the order of the struct.
	Parameters []Parameter
	// Example is what decodes: metadata, and what comes from an authentication.
	Example, ExampleAuth map[string]string
	// ExampleMetricType is the metricType that the example needs; "" is any.
	ExampleMetricType autoscalingv2.MetricTargetType
	// MetricName is the example's metric name; "" where the HPA measures itself.
	MetricName string
	// Together tells that many triggers of one source are read in one call.
	Together bool
	// Watches tells that the source is listened to for events, and Told that it may
	// tell of changes to what was read.
	Watches, Told bool
	// Idle is how often an idle trigger is read that is not told of; 0 is as others.
	Idle time.Duration
	// Resource tells that the HPA measures the metric itself.
	Resource bool
	// Named tells that the source names the metrics.
	Named bool
	// OpenMetadata tells that it hands other metadata on to its source.
	OpenMetadata bool

	structName string
}

// SummaryOf is the summary as the page of one of the types has it.
func (t *Trigger) SummaryOf(typ string) string {
	if rest, ok := strings.CutPrefix(t.Summary, t.structName+" "); ok {
		return "`" + typ + "` " + rest
	}
	return t.Summary
}

// Parameter is one parameter of a trigger.
type Parameter struct {
	param.Field
	// Text is its comment.
	Text string
	// Kind is what its value is, such as "integer" or "list of texts".
	Kind string
}

// All describes all registered triggers, by type name. root is the folder of the
// module's source.
func All(root string) ([]Trigger, error) {
	docs := newComments(root)
	var all []Trigger
	for _, r := range scalers.Registrations() {
		t, err := describe(r, docs)
		if err != nil {
			return nil, fmt.Errorf("describing %s: %w", r.Types[0], err)
		}
		all = append(all, t)
	}
	return all, nil
}

func describe(r *scalers.Registration, docs *comments) (Trigger, error) {
	t := Trigger{
		Types: r.Types, Category: r.Category, Since: r.Since,
		Example: r.Example, ExampleAuth: r.ExampleAuth, ExampleMetricType: r.ExampleMetricType,
		Together: r.Batches, Watches: r.Watches, Told: r.Told, Idle: r.Idle, Resource: r.Resource, Named: r.Named, OpenMetadata: r.OpenMetadata,
		structName: r.Struct.Name(),
	}
	var err error
	if t.Summary, err = docs.of(r.Struct, ""); err != nil {
		return t, err
	}
	for _, f := range r.Plan.Fields() {
		owner, name := f.Owner()
		text, err := docs.of(owner, name)
		if err != nil {
			return t, err
		}
		t.Parameters = append(t.Parameters, Parameter{Field: f, Text: text, Kind: kindOf(f)})
	}
	if !r.Resource && !r.Named {
		s, _, err := scalers.Decode(r.Types[0], r.ExampleInput(), r.ExampleSetting())
		if err != nil {
			return t, fmt.Errorf("decoding the example: %w", err)
		}
		t.MetricName = scalers.MetricName(0, s.Stem)
	}
	return t, nil
}

// kindOf names what a parameter's value is.
func kindOf(f param.Field) string {
	switch f.Type {
	case reflect.TypeFor[param.Secret]():
		return "secret text"
	case reflect.TypeFor[time.Duration]():
		return "duration"
	}
	switch f.Type.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "number"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "integer"
	case reflect.Slice:
		if f.Type.Elem().Kind() == reflect.Int64 {
			return "list of integers"
		}
		return "list of texts"
	case reflect.Map:
		if f.Type.Elem().Kind() == reflect.Slice {
			return "query string"
		}
		return "name=value list"
	default:
		return "text"
	}
}

// oneLine folds a comment's lines, which are short because source is.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// sourceFolder is where the package of a type of this module is.
func sourceFolder(root string, t reflect.Type) (string, error) {
	const module = "github.com/freshet-io/freshet/"
	folder, ok := strings.CutPrefix(t.PkgPath(), module)
	if !ok {
		return "", fmt.Errorf("type %s is not of this module", t)
	}
	return filepath.Join(root, filepath.FromSlash(folder)), nil
}
