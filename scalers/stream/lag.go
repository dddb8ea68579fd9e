package stream

import (
	"math"
	"time"

	"github.com/freshet-io/freshet/scalers"
)

// partitionID names a partition of a topic.
type partitionID struct {
	topic string
	index int32
}

// place is where a consumer group is in a partition.
type place struct {
	partitionID
	// start is the offset of the first message that the log still holds, end that
	// of the next one to be written.
	start, end int64
	// committed is the offset of the next message to consume; a negative one says
	// that the group committed none.
	committed int64
}

// lagRules say how the places of a group become one number.
type lagRules struct {
	// target is the lag that one replica handles, at least 1.
	target int64
	// fromEarliest counts every message of a partition of which nothing is
	// committed; else such a partition counts 1, so that a consumer starts and
	// commits, or with zeroOnInvalid nothing.
	fromEarliest, zeroOnInvalid bool
	// idleConsumers allows more replicas than partitions, onlyWithLag no more than
	// partitions with a lag, even only as many as divide the partitions evenly.
	idleConsumers, onlyWithLag, even bool
}

// lag is how many messages the group has yet to consume in a partition. What
// retention deleted cannot be consumed and does not count; an offset beyond the
// end, as of a topic that was made anew, leaves none.
func (r lagRules) lag(p place) int64 {
	switch {
	case p.committed >= 0:
		return max(0, p.end-max(p.committed, p.start))
	case r.zeroOnInvalid:
		return 0
	case r.fromEarliest:
		return max(0, p.end-p.start)
	default:
		return 1
	}
}

// value is what the places come to. Activity is the whole lag. The metric is
// without the lag of stuck partitions and asks for no more replicas than can have
// work.
func (r lagRules) value(places []place, stuck map[partitionID]bool) scalers.Value {
	var all, counted, behind int64
	for _, p := range places {
		lag := r.lag(p)
		all = sum(all, lag)
		if lag > 0 && !stuck[p.partitionID] {
			counted = sum(counted, lag)
			behind++
		}
	}
	return scalers.Value{Metric: float64(r.bounded(counted, int64(len(places)), behind)), Activity: float64(all)}
}

// bounded is the lag that asks for as many replicas as the rules allow, of which
// behind partitions of all have a lag.
func (r lagRules) bounded(lag, partitions, behind int64) int64 {
	if r.even {
		lag = product(evenReplicas(partitions, lag, r.target), r.target)
	}
	switch {
	case r.onlyWithLag:
		return min(lag, product(behind, r.target))
	case r.idleConsumers:
		return lag
	default:
		return min(lag, product(partitions, r.target))
	}
}

// evenReplicas is the least number of replicas that have equally many partitions
// each and handle the lag, or one for each partition when none do.
func evenReplicas(partitions, lag, target int64) int64 {
	for n := int64(1); n < partitions; n++ {
		if partitions%n == 0 && product(n, target) >= lag {
			return n
		}
	}
	return partitions
}

// sum adds two numbers that are not negative, up to the largest there is.
func sum(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// product multiplies two numbers that are not negative, up to the largest there
// is.
func product(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64/b {
		return math.MaxInt64
	}
	return a * b
}

// mark is the offset that a group had committed in a partition that it had not
// consumed to the end, and since when.
type mark struct {
	committed int64
	since     time.Time
}

// marks are how far a group was when it was looked at last.
type marks map[partitionID]mark

// next returns the marks of now, and which partitions are stuck: those with
// messages left whose committed offset has stayed the same for that long. The old
// marks stay as they are.
func (m marks) next(places []place, now time.Time, long time.Duration) (marks, map[partitionID]bool) {
	next, stuck := make(marks, len(places)), map[partitionID]bool{}
	for _, p := range places {
		if p.committed < 0 || p.end <= max(p.committed, p.start) {
			continue
		}
		now := mark{p.committed, now}
		if last, ok := m[p.partitionID]; ok && last.committed == p.committed {
			stuck[p.partitionID] = now.since.Sub(last.since) >= long
			now = last
		}
		next[p.partitionID] = now
	}
	return next, stuck
}
