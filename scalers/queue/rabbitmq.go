package queue

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/freshet-io/freshet/scalers"
)

func init() {
	scalers.Register(scalers.Kind[*rabbitConn, *RabbitMQ]{
		Types: []string{"rabbitmq"}, Category: "queue", Since: "0.1.0", Label: "rabbitMQScaler",
		Example: map[string]string{
			"host": "amqp://rabbitmq.default.svc:5672/shop", "queueName": "orders", "mode": "QueueLength", "value": "20",
		},
		ReadsTarget: true, // where nothing is delivered the value is the activation
		Idle:        time.Second,
		ReadAll:     readRabbitMQ,
	})
}

// RabbitMQ scales on the messages in a queue of RabbitMQ or on their rates. Over
// AMQP it counts those that are ready to be delivered; over HTTP it asks the
// management API, which also knows those that are being worked on, and rates.
type RabbitMQ struct {
	// Name of the queue or, with useRegex, a regular expression that the names of
	// the queues to read contain, upper and lower case alike.
	Queue string `param:"queueName"`
	// What to read. QueueLength is the number of messages, MessageRate how many
	// are published in a second, DeliverGetRate how many are delivered in a
	// second, PublishedToDeliveredRatio the quotient of these two, and
	// ExpectedQueueConsumptionTime how many seconds it takes to deliver what is in
	// the queue. All but QueueLength need HTTP. Unknown, without queueLength and
	// value, is QueueLength with a value of 20.
	Mode string `param:"mode" default:"Unknown" enum:"Unknown,QueueLength,MessageRate,DeliverGetRate,PublishedToDeliveredRatio,ExpectedQueueConsumptionTime"`
	// Value of the mode that one replica should handle.
	Value float64 `param:"value,optional" role:"target"`
	// Messages that one replica should handle: mode QueueLength and value in one.
	QueueLength float64 `param:"queueLength,optional" deprecated:"use mode and value"`
	// Value of the mode above which the workload leaves zero. In mode MessageRate
	// more messages in the queue than this make it leave as well.
	ActivationValue float64 `param:"activationValue,optional" role:"activation"`
	// Read all queues of the virtual host whose names match queueName; needs HTTP.
	UseRegex bool `param:"useRegex" default:"false"`
	// What becomes of the numbers of several queues: sum, avg or max.
	Operation string `param:"operation" default:"sum" enum:"sum,avg,max"`
	// Queues that the server is asked for at a time when names are matched; all
	// that match are read.
	PageSize int64 `param:"pageSize" default:"100" min:"1"`
	// Leave out messages that are delivered and not yet acknowledged; needs HTTP.
	ExcludeUnacknowledged bool `param:"excludeUnacknowledged" default:"false"`
	// How long to wait for the answer over HTTP, at most as long as the operator
	// waits for any.
	Timeout time.Duration `param:"timeout,optional"`
	// The server to read.
	RabbitServer

	// formula stands in for the target.
	formula bool
	// silent tells that the queue did not answer when it was read last.
	silent atomic.Bool
}

// Bind keeps the identity to sign in by and whether a target is needed.
func (r *RabbitMQ) Bind(s scalers.Setting) error {
	r.formula = s.Formula
	if r.WorkloadIdentityResource != "" {
		r.Identity = s.Identity
	}
	return nil
}

// Validate checks the rules that span parameters.
func (r *RabbitMQ) Validate() error {
	return errors.Join(append(r.targetFaults(), r.validate(r.httpOnly()))...)
}

// targetFaults are the faults of what to read and what one replica handles.
func (r *RabbitMQ) targetFaults() []error {
	var faults []error
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	given := r.Mode != unknownMode
	fault(r.QueueLength != 0 && (given || r.Value != 0),
		"parameter queueLength may not be given together with mode or value: it is the older form of both")
	fault(!given && r.Value != 0 && r.QueueLength == 0, "parameter mode is missing: parameter value is about one")
	fault(given && r.Value == 0 && r.QueueLength == 0 && !r.formula, "parameter value is missing: it is what one replica handles")
	const least = 0.001 // targets divide, and are handed on in thousandths
	fault(r.Value != 0 && r.Value < least, "parameter value is %v, and must be at least %v", r.Value, least)
	fault(r.QueueLength != 0 && r.QueueLength < least, "parameter queueLength is %v, and must be at least %v", r.QueueLength, least)
	return faults
}

// httpOnly names the parameters that are given and need the management API.
func (r *RabbitMQ) httpOnly() []string {
	var keys []string
	for _, need := range []struct {
		key string
		is  bool
	}{
		{"mode " + r.Mode, r.Mode != unknownMode && r.Mode != queueLength},
		{"useRegex", r.UseRegex},
		{"excludeUnacknowledged", r.ExcludeUnacknowledged},
		// Beside the older parameters it always had no effect.
		{"timeout", r.Timeout > 0 && r.Mode != unknownMode},
	} {
		if need.is {
			keys = append(keys, need.key)
		}
	}
	return keys
}

// Target is the value that one replica should handle.
func (r *RabbitMQ) Target() float64 {
	switch {
	case r.QueueLength != 0:
		return r.QueueLength
	case r.Mode == unknownMode && r.Value == 0:
		return defaultQueueLength
	}
	return r.Value
}

const defaultQueueLength = 20

// mostAtOnce is how many questions a connection is asked at the same time.
const mostAtOnce = 4

// Source is the server or, over AMQP, one virtual host of it.
func (r *RabbitMQ) Source() scalers.Source[*rabbitConn] { return r.source() }

// Stem names the queue.
func (r *RabbitMQ) Stem() string { return "rabbitmq-" + url.QueryEscape(r.Queue) }

// Read reads one trigger.
func (r *RabbitMQ) Read(ctx context.Context, c *rabbitConn) (scalers.Value, error) {
	var out [1]scalers.Result
	if err := readRabbitMQ(ctx, c, []*RabbitMQ{r}, out[:]); err != nil {
		return scalers.Value{}, err
	}
	return out[0].Value, out[0].Err
}

// readRabbitMQ reads triggers of one source together.
func readRabbitMQ(ctx context.Context, c *rabbitConn, triggers []*RabbitMQ, out []scalers.Result) error {
	if c.amqp != nil {
		return c.amqp.read(ctx, triggers, out)
	}
	return c.http.read(ctx, triggers, out)
}
