package queue

import (
	"math"

	"github.com/freshet-io/freshet/scalers"
)

// Modes of the rabbitmq trigger.
const (
	unknownMode     = "Unknown"
	queueLength     = "QueueLength"
	messageRate     = "MessageRate"
	deliverGetRate  = "DeliverGetRate"
	publishedRatio  = "PublishedToDeliveredRatio"
	consumptionTime = "ExpectedQueueConsumptionTime"
)

// queueNumbers are what is known of a queue, or of several together.
type queueNumbers struct {
	// Messages counts those in the queue.
	Messages float64
	// Published and Delivered count those of a second.
	Published, Delivered float64
}

// combine makes one of the numbers of several queues, each for itself. The
// average number of messages is a whole one, rounded down. Of no queues all is 0.
func combine(operation string, queues []queueNumbers) queueNumbers {
	var sum, most queueNumbers
	for _, q := range queues {
		sum.Messages += q.Messages
		sum.Published += q.Published
		sum.Delivered += q.Delivered
		most.Messages = max(most.Messages, q.Messages)
		most.Published = max(most.Published, q.Published)
		most.Delivered = max(most.Delivered, q.Delivered)
	}
	switch {
	case operation == "max":
		return most
	case operation == "avg" && len(queues) > 0:
		n := float64(len(queues))
		return queueNumbers{math.Floor(sum.Messages / n), sum.Published / n, sum.Delivered / n}
	default:
		return sum
	}
}

// value is what the mode makes of the numbers. Where there is work and nothing
// is delivered no quotient exists: the metric is then the activation, and the
// activity just above it.
func (q queueNumbers) value(mode string, activation float64) scalers.Value {
	stuck := scalers.Value{Metric: activation, Activity: math.Nextafter(activation, math.Inf(1))}
	switch mode {
	case messageRate:
		return scalers.Value{Metric: q.Published, Activity: max(q.Published, q.Messages)}
	case deliverGetRate:
		return scalers.Number(q.Delivered)
	case publishedRatio:
		switch {
		case q.Published == 0:
			return scalers.Number(0)
		case q.Delivered == 0:
			return stuck
		}
		return scalers.Number(q.Published / q.Delivered)
	case consumptionTime:
		switch {
		case q.Messages == 0:
			return scalers.Number(0)
		case q.Delivered == 0:
			return stuck
		}
		return scalers.Number((q.Published-q.Delivered)/q.Delivered + q.Messages/q.Delivered)
	default:
		return scalers.Number(q.Messages)
	}
}

// rates tells whether the mode is made of rates.
func rates(mode string) bool { return mode != unknownMode && mode != queueLength }
