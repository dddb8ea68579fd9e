package scalers

import (
	"context"
	"reflect"
	"runtime/debug"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/freshet-io/freshet/scalers/param"
)

// Scaler is a decoded trigger as the host sees it: immutable but for what its
// struct keeps between reads, which only reads touch.
type Scaler struct {
	// Stem is the readable end of the metric name.
	Stem string
	// Target is what one replica should handle; 0 when the kind declares none.
	Target float64
	// Activation is the number above which the trigger is active.
	Activation float64
	// Fingerprint identifies the resolved configuration.
	Fingerprint param.Fingerprint
	// Query identifies what is read: scalers with equal ones are one read.
	Query param.Fingerprint
	// Source is the connection it shares.
	Source SourceRef
	// Kind is its registration.
	Kind *Registration
	// Resource is what the HPA measures itself, of a kind that is a resource:
	// such a scaler has no source and is never read.
	Resource *autoscalingv2.MetricSpec
	// Watch, when set, calls event on what the source tells of the trigger's
	// activity, until ctx ends or the connection does. See [Kind.Watch].
	Watch func(ctx context.Context, conn Conn, event func(active bool)) error
	// ChangeKey is what the source calls it when it tells of changes, or "". See
	// [Keyed].
	ChangeKey string
	// Next, when set, returns when time alone changes the value. See [Kind.Next].
	Next func(now time.Time) time.Time

	trigger any
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

// Decode makes a scaler of a trigger's type and parameters. The error is of
// class Configuration and names every fault; notices tell what the user should
// know about parameters that are good.
func Decode(typeName string, in param.Input, setting Setting) (*Scaler, []param.Notice, error) {
	r, err := Find(typeName)
	if err != nil {
		return nil, nil, err
	}
	return r.decode(in, setting)
}

// Checked is what the parameters of a trigger say.
type Checked struct {
	// Kind is the trigger's registration.
	Kind *Registration
	// Stem, Target and Resource are as in [Scaler]. The stem holds placeholders
	// of parameters that cannot be seen.
	Stem     string
	Target   float64
	Resource *autoscalingv2.MetricSpec
	// Unseen is how many parameters have values that cannot be seen. Rules that
	// span parameters were not checked then.
	Unseen int
}

// Check is [Decode] for those who do not read: parameters may be unseen (see
// [param.Input]).
func Check(typeName string, in param.Input, setting Setting) (c Checked, notices []param.Notice, err error) {
	r, err := Find(typeName)
	if err != nil {
		return Checked{}, nil, err
	}
	c.Kind = r
	defer func() {
		if p := recover(); p != nil { // a placeholder where the trigger expects something else
			err = nil
		}
	}()
	trigger := reflect.New(r.Struct).Interface()
	in.FreeTarget = setting.Formula
	if notices, c.Unseen, err = r.Plan.DecodeSeen(trigger, in); err != nil {
		return c, notices, &Error{Class: Configuration, Err: err}
	}
	if err := checkMetricType(r, setting.MetricType); err != nil {
		return c, notices, err
	}
	if c.Unseen == 0 {
		s, notices, err := r.decode(in, setting)
		if err == nil {
			c.Stem, c.Target, c.Resource = s.Stem, s.Target, s.Resource
		}
		return c, notices, err
	}
	c.Target = target(r, trigger)
	if named, ok := trigger.(interface{ Stem() string }); ok {
		c.Stem = named.Stem()
	}
	return c, notices, nil
}

// fill makes a trigger of its parameters and setting. A panic of the trigger's
// code is an error.
func fill[T any](r *Registration, in param.Input, setting Setting) (trigger T, notices []param.Notice, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = ConfigurationError("decoding the trigger: %v", p)
		}
	}()
	trigger = reflect.New(r.Struct).Interface().(T)
	in.FreeTarget = setting.Formula
	if notices, err = r.Plan.Decode(trigger, in); err != nil {
		return trigger, notices, &Error{Class: Configuration, Err: err}
	}
	if b, ok := any(trigger).(Binder); ok {
		setting.Metadata, setting.Env = in.Metadata, in.Env
		if err := b.Bind(setting); err != nil {
			return trigger, notices, &Error{Class: Configuration, Err: joinedError{err}}
		}
	}
	if v, ok := any(trigger).(Validator); ok {
		if err := v.Validate(); err != nil {
			return trigger, notices, &Error{Class: Configuration, Err: joinedError{err}}
		}
	}
	return trigger, notices, nil
}

func decode[C Conn, T Trigger[C]](r *Registration, k Kind[C, T], in param.Input, setting Setting) (s *Scaler, notices []param.Notice, err error) {
	trigger, notices, err := fill[T](r, in, setting)
	if err == nil {
		err = checkMetricType(r, setting.MetricType)
	}
	if err != nil {
		return nil, notices, err
	}
	defer func() {
		if p := recover(); p != nil {
			s, err = nil, ConfigurationError("decoding the trigger: %v", p)
		}
	}()
	source := trigger.Source()
	s = &Scaler{
		Stem: trigger.Stem(), Target: target(r, trigger),
		Fingerprint: r.Plan.Fingerprint(trigger), Query: r.Plan.SharedFingerprint(trigger),
		Source: SourceRef{
			Fingerprint: param.FingerprintOf(reflect.TypeOf(source).String(), source),
			Name:        source.String(),
			Open:        opener(source),
		},
		Kind: r, trigger: trigger,
	}
	s.Activation, _ = r.Plan.RoleValue(trigger, param.Activation)
	if k.ReadsTarget {
		s.Query = s.Fingerprint
	}
	if keyed, ok := any(trigger).(Keyed); ok {
		s.ChangeKey = keyed.ChangeKey()
	}
	if k.Watch != nil {
		s.Watch = func(ctx context.Context, conn Conn, event func(bool)) error {
			return watch(ctx, k, conn, trigger, event)
		}
	}
	if k.Next != nil {
		s.Next = func(now time.Time) time.Time { return k.Next(trigger, now) }
	}
	return s, notices, nil
}

// checkMetricType refuses what an external metric cannot be compared as; kinds
// that are resources check their own.
func checkMetricType(r *Registration, m autoscalingv2.MetricTargetType) error {
	if r.Resource || m == "" || m == autoscalingv2.AverageValueMetricType || m == autoscalingv2.ValueMetricType {
		return nil
	}
	return ConfigurationError("metricType is %q: use AverageValue (the default) or Value", m)
}

// target is the trigger's own, or that of the parameter with the role.
func target(r *Registration, trigger any) float64 {
	if t, ok := trigger.(Targeter); ok {
		return t.Target()
	}
	n, _ := r.Plan.RoleValue(trigger, param.Target)
	return n
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
