package queue

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-io/freshet/scalers"
)

func TestRabbitMQValues(t *testing.T) {
	above := func(n float64) float64 { return math.Nextafter(n, math.Inf(1)) }
	for _, tc := range []struct {
		reason     string
		mode       string
		activation float64
		q          queueNumbers
		want       scalers.Value
		active     bool
	}{
		{"messages are the metric and the activity", queueLength, 5, queueNumbers{7, 100, 100}, scalers.Number(7), true},
		{"as many as the activation are not more", queueLength, 7, queueNumbers{7, 0, 0}, scalers.Number(7), false},
		{"the mode may be left out", unknownMode, 0, queueNumbers{1, 0, 0}, scalers.Number(1), true},
		{"the rate of publishing", messageRate, 2, queueNumbers{0, 2.5, 0}, scalers.Number(2.5), true},
		{"messages activate as the rate does", messageRate, 2, queueNumbers{3, 0.5, 9}, scalers.Value{Metric: 0.5, Activity: 3}, true},
		{"but not fewer than the activation", messageRate, 3, queueNumbers{3, 0.5, 9}, scalers.Value{Metric: 0.5, Activity: 3}, false},
		{"the rate of delivery", deliverGetRate, 2, queueNumbers{100, 100, 2.5}, scalers.Number(2.5), true},
		{"for which messages do not matter", deliverGetRate, 2, queueNumbers{100, 100, 0}, scalers.Number(0), false},
		{"the quotient of the rates", publishedRatio, 1, queueNumbers{0, 3, 2}, scalers.Number(1.5), true},
		{"nothing is published", publishedRatio, 0, queueNumbers{100, 0, 2}, scalers.Number(0), false},
		{"nothing happens", publishedRatio, 0, queueNumbers{100, 0, 0}, scalers.Number(0), false},
		{"nothing is delivered of what is published", publishedRatio, 3, queueNumbers{0, 9, 0}, scalers.Value{Metric: 3, Activity: above(3)}, true},
		{"with an activation of 0", publishedRatio, 0, queueNumbers{0, 9, 0}, scalers.Value{Metric: 0, Activity: above(0)}, true},
		{"with a large activation", publishedRatio, 1e300, queueNumbers{0, 9, 0}, scalers.Value{Metric: 1e300, Activity: above(1e300)}, true},
		{"seconds to empty the queue", consumptionTime, 10, queueNumbers{100, 5, 5}, scalers.Number(20), true},
		{"less while it is emptied", consumptionTime, 100, queueNumbers{100, 0, 10}, scalers.Number(9), false},
		{"more while it fills", consumptionTime, 10, queueNumbers{100, 20, 10}, scalers.Number(11), true},
		{"an empty queue takes no time", consumptionTime, 0, queueNumbers{0, 20, 10}, scalers.Number(0), false},
		{"and nothing to deliver none", consumptionTime, 0, queueNumbers{0, 20, 0}, scalers.Number(0), false},
		{"nothing is delivered", consumptionTime, 60, queueNumbers{1, 0, 0}, scalers.Value{Metric: 60, Activity: above(60)}, true},
		{"nearly empty and emptied", consumptionTime, 0, queueNumbers{1, 0, 10}, scalers.Number(-0.9), false},
	} {
		got := tc.q.value(tc.mode, tc.activation)
		if diff := cmp.Diff(tc.want, got); diff != "" || got.Activity > tc.activation != tc.active {
			t.Errorf("%s, %s: %+v of activity %v, want %v: (-want +got)\n%s", tc.mode, tc.reason, tc.q, got.Activity, tc.active, diff)
		}
	}
}

func TestRabbitMQCombines(t *testing.T) {
	queues := []queueNumbers{{5, 0.5, 2}, {2, 1.5, 4}, {1, 0, 0}}
	for operation, want := range map[string][2]queueNumbers{ // of all, and of the first two
		"sum": {{8, 2, 6}, {7, 2, 6}},
		"avg": {{2, 2.0 / 3, 2}, {3, 1, 3}},
		"max": {{5, 1.5, 4}, {5, 1.5, 4}},
	} {
		if diff := cmp.Diff(want, [2]queueNumbers{combine(operation, queues), combine(operation, queues[:2])}); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", operation, diff)
		}
		if got := combine(operation, nil); got != (queueNumbers{}) {
			t.Errorf("%s of no queue is %+v", operation, got)
		}
		if got := combine(operation, queues[:1]); got != queues[0] {
			t.Errorf("%s of one queue is %+v", operation, got)
		}
	}
}
