package scalers

import (
	"context"
	"math"
	"time"
)

// Trigger is what a trigger's struct implements. C is the connection that
// triggers of one source share. Methods are called from one goroutine at a
// time for one trigger; they do not log, retry, keep time or start goroutines:
// the host does.
type Trigger[C Conn] interface {
	// Source returns the connection's configuration. Triggers whose sources
	// have equal fingerprints share one connection.
	Source() Source[C]
	// Stem is the readable end of the metric name, such as "redis-orders".
	// The host prefixes the trigger's place and replaces what a metric name
	// may not hold.
	Stem() string
	// Read asks the source for one number. It must return soon after ctx ends.
	// A source that answers nothing, or in part, is an error and never 0.
	Read(ctx context.Context, conn C) (Value, error)
}

// Binder is implemented by triggers that need to know where they stand. Bind is
// called after decoding and before Validate. What it keeps in exported fields is
// part of the trigger's identity, what it keeps in others is not.
type Binder interface {
	Bind(s Setting) error
}

// Targeter is implemented by triggers whose target is not one parameter's value.
type Targeter interface {
	Target() float64
}

// Validator is implemented by triggers with a rule that spans parameters. All
// faults are joined in the error, each a sentence naming the parameters.
type Validator interface {
	Validate() error
}

// Source is the configuration of a connection. Its exported fields identify it
// (see param.FingerprintOf); secrets among them are of type param.Secret.
type Source[C Conn] interface {
	// String names the source for people, without secrets.
	String() string
	// Open connects. The host closes what it returns. It may connect lazily:
	// reads then report what connecting would have.
	Open(ctx context.Context) (C, error)
}

// Conn is an open connection. Close is called once, after the last read.
type Conn interface {
	Close() error
}

// Teller is implemented by connections whose source tells of changes to what was
// read with them.
type Teller interface {
	// Tell is called once, before the first read. From then on changed is called
	// with the keys (see [Keyed]) of what may have changed since it was read, or
	// with none when that may be so of everything, as when the source is not
	// listened to any more. A change is told before any later answer of the
	// source is returned by a read.
	Tell(changed func(keys ...string))
}

// Keyed is implemented by triggers that a [Teller] tells of.
type Keyed interface {
	// ChangeKey is what the source calls that which is read.
	ChangeKey() string
}

// Told is what a source tells of changes after a read.
type Told uint8

// What a source tells, once for each read.
const (
	// ToldNothing: the value is known by reading only.
	ToldNothing Told = iota
	// ToldMost: of most changes by which a value grows; reading finds the others.
	ToldMost
	// ToldAll: of every change by which a value grows.
	ToldAll
)

// Value is what a trigger reads.
type Value struct {
	// Metric is the number that the HPA is given.
	Metric float64
	// Activity is the number that is compared with the activation parameter.
	Activity float64
	// Series are the metrics of a kind that is [Kind.Named], in place of Metric.
	Series []Series
	// Empty tells that the source answered with nothing, which the trigger was told
	// to read as this number. It is for self-metrics.
	Empty bool
}

// Series is one metric of a trigger whose source names its metrics.
type Series struct {
	// Name is the metric's, which the host prefixes with the trigger's place.
	Name string
	// Value is the number that the HPA is given.
	Value float64
	// Target is what one replica should handle.
	Target float64
}

// Number is the Value of the common case, in which one number is both.
func Number(n float64) Value { return Value{Metric: n, Activity: n} }

// finite tells whether all numbers are numbers.
func (v Value) finite() bool {
	for _, s := range v.Series {
		if !isFinite(s.Value) || !isFinite(s.Target) {
			return false
		}
	}
	return isFinite(v.Metric) && isFinite(v.Activity)
}

func isFinite(n float64) bool { return !math.IsNaN(n) && !math.IsInf(n, 0) }

// Result is the outcome of one read among many.
type Result struct {
	// Value is valid only when Err is nil.
	Value Value
	// Err says why there is no value.
	Err error
	// Told is what the source will tell of changes to the value, by the connection
	// that it was read with: see [Teller].
	Told Told
}

// Reading is what is known of a trigger since a moment.
type Reading struct {
	// Value is valid only when Err is nil.
	Value Value
	// Err says why there is no value.
	Err error
	// Active tells whether the trigger asks for at least one replica; false
	// with an error.
	Active bool
	// At is when the read began: the value is at least that young. The zero
	// time means that nothing was read yet.
	At time.Time
	// Late is how long after its time a scheduled read began.
	Late time.Duration
	// Took is how long the read lasted.
	Took time.Duration
}

// Known tells whether anything was read, be it an error.
func (r Reading) Known() bool { return !r.At.IsZero() }
