package poll

import (
	"context"
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// source is what shares a connection. All fields but link are guarded by the
// engine's mutex.
type source struct {
	ref     scalers.SourceRef
	queries map[param.Fingerprint]*query
	groups  map[groupKey]*group
	// waiting are groups that want a round but must let others end first.
	waiting []*group
	// parallel is how many rounds are in flight at most, inFlight how many are.
	parallel int
	inFlight int
	backoff  backoff
	// strikes are groups that worked and failed since the source last answered
	// any.
	strikes map[*group]bool
	// keyed are the queries that the source may tell of, by their keys.
	keyed map[string][]*query
	// silent tells that it did not tell of a change that it had said it would.
	silent bool
	// link is what rounds read with, watchLink what watches listen on.
	link, watchLink link
	// watchFails tells that a watch failed and was logged.
	watchFails bool
}

// close closes the connections, now or after their last use.
func (s *source) close() {
	s.link.close()
	s.watchLink.close()
}

// hash spreads sources over an interval.
func (s *source) hash() uint64 { return binary.LittleEndian.Uint64(s.ref.Fingerprint[:8]) }

// works tells whether there is a group that did not fail when it was read last.
func (s *source) works() bool {
	for _, g := range s.groups {
		if !g.backoff.down() {
			return true
		}
	}
	return false
}

// groupKey tells which queries of a source are read together. query is set for
// kinds that do not batch.
type groupKey struct {
	kind     *scalers.Registration
	interval time.Duration
	query    *query
}

// group is the queries that one round reads.
type group struct {
	source   *source
	key      groupKey
	interval time.Duration
	queries  []*query
	// due is when the schedule reads it next and place where it is in the
	// schedule, -1 when it is not.
	due   time.Time
	place int
	// regular is when all of it is due that does not rest, and idle when those are
	// of its queries that are idle and not told of; zero when there are none.
	regular, idle time.Time
	// turn tells which of its resting queries are read at the next regular time.
	turn int
	// round is the round that waits or runs; nil when there is none.
	round *round
	// cold counts queries that have no reading yet.
	cold    int
	backoff backoff
	// worked tells whether it was ever answered.
	worked bool
	// woken tells that an event asks for a round, and began is when the last one did.
	woken bool
	began time.Time
}

// owned tells whether this replica polls any query of g.
func (g *group) owned() bool {
	for _, q := range g.queries {
		if q.owned > 0 {
			return true
		}
	}
	return false
}

// prober returns the group that should be read in the place of g. While the
// source is down that is the one that failed the least, best one that worked
// before, so that a group with a fault of its own does not keep the others from
// the source.
func (g *group) prober() *group {
	best := g
	if !g.source.backoff.down() {
		return best
	}
	for _, other := range g.source.groups {
		diff := other.backoff.failures - best.backoff.failures
		if (diff < 0 || diff == 0 && other.worked && !best.worked) && (other.owned() || !g.owned()) {
			best = other
		}
	}
	return best
}

// query is one resolved configuration, read once for all its subscriptions.
type query struct {
	scaler *scalers.Scaler
	group  *group
	// subs is replaced, never changed, so that rounds may use it unlocked.
	subs  atomic.Pointer[[]*Subscription]
	owned int
	// last is the newest reading, whose activity each subscription judges.
	last scalers.Reading
	// pushed tells that an event said that it is active, and that holds; shown is
	// when the first reading since said so.
	pushed bool
	shown  time.Time
	// threshold is the lowest activation of its subscriptions.
	threshold float64
	// in is the round that reads it last, or did.
	in *round
	// woken tells that an event asks for a read, and asked that a demand does.
	woken, asked bool
	// told is what the source tells of changes since the last read, and stirred that
	// it told of one since that began.
	told    scalers.Told
	stirred bool
	// unwatch ends the watch; nil when there is none. rewatch has it begin anew.
	unwatch, rewatch context.CancelFunc
}

// pushHold is how long readings say at least what an event said of activity, so
// that further events and demand reads do not hide it from who takes them up.
const pushHold = 5 * time.Second

// publish hands r to every subscription.
func (q *query) publish(r scalers.Reading) {
	switch {
	case r.Err != nil || !q.pushed:
	case q.shown.IsZero():
		q.shown = r.At
	case r.At.Sub(q.shown) >= pushHold:
		q.pushed = false
	}
	for _, s := range *q.subs.Load() {
		s.put(r, q.pushed)
	}
}

// put hands r to the sink. It is active when its value says so, or an event did.
func (s *Subscription) put(r scalers.Reading, pushed bool) {
	r.Active = r.Err == nil && (pushed || r.Value.Activity > s.activation)
	s.sink.Put(r)
}
