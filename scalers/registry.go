package scalers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"

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
	// Example is the metadata of a trigger that decodes.
	Example map[string]string
	// ReadAll, when set, reads many triggers of one connection in as few round
	// trips as the protocol allows. It fills out[i] for triggers[i]. The error
	// is for what concerns the whole connection: out is then void.
	ReadAll func(ctx context.Context, conn C, triggers []T, out []Result) error
}

// Registration is a registered trigger kind as the host sees it.
type Registration struct {
	// Types, Category, Since, Label and Example are as in [Kind].
	Types    []string
	Category string
	Since    string
	Label    string
	Example  map[string]string
	// Plan is how its parameters are decoded.
	Plan *param.Plan
	// Struct is the type of the trigger's struct.
	Struct reflect.Type
	// Batches tells whether many triggers are read in one call.
	Batches bool

	decode func(in param.Input) (*Scaler, []param.Notice, error)
}

var registry = map[string]*Registration{}

// Register adds a trigger kind. It is called from the init function of the
// trigger's file and panics when the registration is malformed or a type name
// is taken.
func Register[C Conn, T Trigger[C]](k Kind[C, T]) {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("scalers: trigger %s is not a pointer to a struct", t))
	}
	if len(k.Types) == 0 || k.Category == "" || k.Since == "" || k.Label == "" || len(k.Example) == 0 {
		panic(fmt.Sprintf("scalers: the registration of %s lacks types, category, since, label or example", t))
	}
	r := &Registration{
		Types: k.Types, Category: k.Category, Since: k.Since, Label: k.Label, Example: k.Example,
		Plan: param.NewPlan(t.Elem()), Struct: t.Elem(), Batches: k.ReadAll != nil,
	}
	r.decode = func(in param.Input) (*Scaler, []param.Notice, error) { return decode(r, k, in) }
	for _, name := range k.Types {
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

// Decode makes a scaler of a trigger's type and parameters. The error is of
// class Configuration and names every fault; notices tell what the user should
// know about parameters that are good.
func Decode(typeName string, in param.Input) (*Scaler, []param.Notice, error) {
	r := registry[typeName]
	if r == nil {
		return nil, nil, ConfigurationError("trigger type %q is not known; known types are %s",
			typeName, strings.Join(Types(), ", "))
	}
	return r.decode(in)
}

// Scaler is a decoded trigger as the host sees it: immutable but for what its
// struct keeps between reads, which only reads touch.
type Scaler struct {
	// Stem is the readable end of the metric name.
	Stem string
	// Target is what one replica should handle; 0 when the kind declares none.
	Target float64
	// Activation is the number above which the trigger is active.
	Activation float64
	// Fingerprint identifies the resolved configuration: scalers with equal
	// fingerprints are one read.
	Fingerprint param.Fingerprint
	// Source is the connection it shares.
	Source SourceRef
	// Kind is its registration.
	Kind *Registration

	trigger any
	read    func(ctx context.Context, conn Conn, batch []*Scaler, out []Result) error
}

// SourceRef is a source without its connection's type.
type SourceRef struct {
	// Fingerprint identifies the source.
	Fingerprint param.Fingerprint
	// Name is for people and holds no secret.
	Name string
	// Open connects.
	Open func(ctx context.Context) (Conn, error)
}

func decode[C Conn, T Trigger[C]](r *Registration, k Kind[C, T], in param.Input) (s *Scaler, notices []param.Notice, err error) {
	defer func() {
		if p := recover(); p != nil {
			s, err = nil, ConfigurationError("decoding the trigger: %v", p)
		}
	}()
	trigger := reflect.New(r.Struct).Interface().(T)
	notices, err = r.Plan.Decode(trigger, in)
	if err != nil {
		return nil, notices, &Error{Class: Configuration, Err: err}
	}
	if v, ok := any(trigger).(Validator); ok {
		if err := v.Validate(); err != nil {
			return nil, notices, &Error{Class: Configuration, Err: joinedError{err}}
		}
	}
	source := trigger.Source()
	target, _ := r.Plan.RoleValue(trigger, param.Target)
	activation, _ := r.Plan.RoleValue(trigger, param.Activation)
	return &Scaler{
		Stem: trigger.Stem(), Target: target, Activation: activation,
		Fingerprint: r.Plan.Fingerprint(trigger),
		Source: SourceRef{
			Fingerprint: param.FingerprintOf(reflect.TypeOf(source).String(), source),
			Name:        source.String(),
			Open:        opener(source),
		},
		Kind: r, trigger: trigger, read: reader(k),
	}, notices, nil
}

// joinedError is an error that joins others with "; ", as [param.Faults] does: its
// text stands in conditions and events.
type joinedError struct{ error }

// Error puts the lines of the text into one.
func (e joinedError) Error() string { return strings.ReplaceAll(e.error.Error(), "\n", "; ") }

// Unwrap returns what was joined.
func (e joinedError) Unwrap() error { return e.error }

// opener returns the untyped form of a source's Open, in which a panic is an
// error.
func opener[C Conn](source Source[C]) func(context.Context) (Conn, error) {
	return func(ctx context.Context) (conn Conn, err error) {
		defer func() {
			if p := recover(); p != nil {
				conn, err = nil, &PanicError{Value: p, Stack: debug.Stack()}
			}
		}()
		return source.Open(ctx)
	}
}

// reader returns the untyped form of a kind's reads.
func reader[C Conn, T Trigger[C]](k Kind[C, T]) func(context.Context, Conn, []*Scaler, []Result) error {
	return func(ctx context.Context, conn Conn, batch []*Scaler, out []Result) error {
		c := conn.(C)
		if k.ReadAll == nil {
			for i, s := range batch {
				out[i].Value, out[i].Err = s.trigger.(T).Read(ctx, c)
			}
			return nil
		}
		triggers := make([]T, len(batch))
		for i, s := range batch {
			triggers[i] = s.trigger.(T)
		}
		return k.ReadAll(ctx, c, triggers, out)
	}
}

// Read reads batch, whose scalers share the source that conn is open to, into
// out, which is as long. Kinds that do not batch are read one after the other.
// The error concerns the whole connection: out is then void. A panic of the
// trigger's code is an error, and a value that is not finite is one of its
// result.
func Read(ctx context.Context, conn Conn, batch []*Scaler, out []Result) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	if err := batch[0].read(ctx, conn, batch, out); err != nil {
		return err
	}
	for i := range out {
		if out[i].Err == nil && !out[i].Value.finite() {
			out[i].Err = errNotFinite
		}
	}
	return nil
}

var errNotFinite = &Error{Class: Unavailable, Err: errors.New("the source answered with a value that is not a finite number")}

// PanicError is a panic in a trigger's code.
type PanicError struct {
	// Value is what the code panicked with; Stack is where.
	Value any
	Stack []byte
}

// Error names the panic's value.
func (e *PanicError) Error() string { return fmt.Sprintf("the trigger's code panicked: %v", e.Value) }
