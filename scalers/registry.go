package scalers

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/freshet-io/freshet/scalers/param"
)

// Kind is the registration of a trigger. T is a pointer to its struct.
type Kind[C Conn, T Trigger[C]] struct {
	// Types are the names that spec.triggers[].type may have.
	Types []string
	// Category is the family, as in the documentation.
	Category string
	// Since is the first version of Freshet that has it.
	Since string
	// Label is the value of the "scaler" label in metrics for triggers
	// without a name.
	Label string
	// Example is the metadata of a trigger that decodes, with ExampleAuth from its
	// authentication.
	Example     map[string]string
	ExampleAuth map[string]string
	// ReadsTarget tells that the target or activation takes part in what Read
	// returns. Triggers of other kinds that differ in nothing else are one read.
	ReadsTarget bool
	// Named tells that the source names the trigger's metrics: [Value.Series].
	Named bool
	// OpenMetadata tells that metadata keys which are not declared are handed on to
	// the source, so that none of them is unknown. See [Setting.Metadata].
	OpenMetadata bool
	// Parallel is how many triggers of one connection may be read at the same time,
	// where the protocol carries more than the host does by itself; 0 is no more.
	Parallel int
	// Idle, when set, is how often triggers are read that are not active and whose
	// source does not tell of changes, where that is less than their interval: for
	// kinds that read many in a call that costs the source little.
	Idle time.Duration
	// Watch, when set, tells of events: it calls event, with what the source says
	// of the trigger's activity, until ctx ends or its connection does. The host
	// reads the trigger on each event, and calls Watch again: soon when it returned
	// nil, for the source ended it well, else after a back-off. Event may be called
	// by several goroutines; it blocks for a while when events come in a flood.
	Watch func(ctx context.Context, conn C, trigger T, event func(active bool)) error
	// Next, when set, returns when time alone changes the value after now, so
	// that the trigger is read then; the zero time is never.
	Next func(trigger T, now time.Time) time.Time
	// ReadAll, when set, reads many triggers of one connection in as few round
	// trips as the protocol allows. It fills out[i] for triggers[i]. The error
	// is for what concerns the whole connection: out is then void.
	ReadAll func(ctx context.Context, conn C, triggers []T, out []Result) error
}

// Registration is a registered trigger kind as the host sees it.
type Registration struct {
	// Types, Category, Since, Label, Named, OpenMetadata, Parallel, Idle and the
	// examples are as in [Kind].
	Types        []string
	Category     string
	Since        string
	Label        string
	Named        bool
	OpenMetadata bool
	Parallel     int
	Idle         time.Duration
	Example      map[string]string
	ExampleAuth  map[string]string
	// ExampleMetricType is the metricType that the example needs; "" is any.
	ExampleMetricType autoscalingv2.MetricTargetType
	// Plan is how its parameters are decoded.
	Plan *param.Plan
	// Struct is the type of the trigger's struct.
	Struct reflect.Type
	// Batches tells whether many triggers are read in one call.
	Batches bool
	// Watches tells whether the source is listened to for events, and Told whether
	// it may tell of changes to what was read: see [Teller].
	Watches, Told bool
	// Resource tells that the HPA measures the metric itself: nothing is read.
	Resource bool

	decode func(in param.Input, setting Setting) (*Scaler, []param.Notice, error)
	read   func(ctx context.Context, conn Conn, batch []*Scaler, out []Result) error
}

var registry = map[string]*Registration{}

// Register adds a trigger kind. It is called from the init function of the
// trigger's file and panics when the registration is malformed or a type name
// is taken.
func Register[C Conn, T Trigger[C]](k Kind[C, T]) {
	t := reflect.TypeFor[T]()
	check(t, k.Types, k.Category, k.Since, k.Label, k.Example)
	r := &Registration{
		Types: k.Types, Category: k.Category, Since: k.Since, Label: k.Label, Named: k.Named,
		OpenMetadata: k.OpenMetadata, Parallel: k.Parallel, Idle: k.Idle,
		Example: k.Example, ExampleAuth: k.ExampleAuth,
		Plan: param.NewPlan(t.Elem()), Struct: t.Elem(), Batches: k.ReadAll != nil, Watches: k.Watch != nil,
		Told: t.Implements(reflect.TypeFor[Keyed]()),
	}
	if k.OpenMetadata {
		r.Plan = r.Plan.Open()
	}
	r.read = reader(k)
	r.decode = func(in param.Input, setting Setting) (*Scaler, []param.Notice, error) {
		return decode(r, k, in, setting)
	}
	add(r)
}

// check panics when a registration is malformed.
func check(t reflect.Type, types []string, category, since, label string, example map[string]string) {
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("scalers: trigger %s is not a pointer to a struct", t))
	}
	if len(types) == 0 || category == "" || since == "" || label == "" || len(example) == 0 {
		panic(fmt.Sprintf("scalers: the registration of %s lacks types, category, since, label or example", t))
	}
}

// add puts a registration under each of its names.
func add(r *Registration) {
	for _, name := range r.Types {
		if registry[name] != nil {
			panic(fmt.Sprintf("scalers: trigger type %q is registered twice", name))
		}
		registry[name] = r
	}
}

// Registrations returns each registered kind once, by its first type name.
func Registrations() []*Registration {
	var all []*Registration
	for _, name := range Types() {
		if r := registry[name]; r.Types[0] == name {
			all = append(all, r)
		}
	}
	return all
}

// Types returns the names of all registered types, sorted.
func Types() []string { return slices.Sorted(maps.Keys(registry)) }

// Find returns the registration of a type name. The error is of class
// Configuration and names the types there are.
func Find(typeName string) (*Registration, error) {
	if r := registry[typeName]; r != nil {
		return r, nil
	}
	return nil, ConfigurationError("trigger type %q is not known; known types are %s", typeName, strings.Join(Types(), ", "))
}

// ExampleInput is what the example is given.
func (r *Registration) ExampleInput() param.Input {
	return param.Input{Metadata: r.Example, Auth: r.ExampleAuth}
}

// ExampleSetting is where the example stands.
func (r *Registration) ExampleSetting() Setting {
	return Setting{
		Object:     ObjectRef{Kind: "ScaledObject", Namespace: "default", Name: "worker"},
		MetricType: r.ExampleMetricType, PollingInterval: 30 * time.Second,
	}
}
