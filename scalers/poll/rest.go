package poll

import (
	"time"

	"github.com/freshet-io/freshet/scalers"
)

const (
	// sampling is which part of the queries that rest is read at each regular time,
	// one in so many: to see that the source is there, and that it tells.
	sampling = 40
	// idleShare bounds how much more often idle queries are read than their interval
	// says.
	idleShare = 30
)

// idle tells whether q was read and is active to nobody.
func (q *query) idle() bool {
	return q.last.Known() && q.last.Err == nil && !q.pushed && q.last.Value.Activity <= q.threshold
}

// rests tells whether q need not be read until the source tells of a change.
func (q *query) rests() bool {
	return q.told == scalers.ToldAll && !q.woken && q.idle() && !q.group.source.silent
}

// restless tells whether q is idle and reading alone finds out that it is not.
func (q *query) restless() bool { return q.told == scalers.ToldNothing && q.idle() }

// judge keeps the lowest activation of those who subscribed to q.
func (q *query) judge() {
	for i, s := range *q.subs.Load() {
		if i == 0 || s.activation < q.threshold {
			q.threshold = s.activation
		}
	}
}

// choose returns the queries that the round reads, and takes them off those that
// wait to be.
func (g *group) choose(r *round) []*query {
	batch := make([]*query, 0, g.size(r))
	for i, q := range g.queries {
		wanted := !q.last.Known() || q.woken || q.asked || r.idle && q.restless()
		if !wanted && r.all {
			wanted = !q.rests() || !r.due.IsZero() && i%sampling == g.turn
		}
		if wanted {
			batch = append(batch, q)
		}
	}
	if r.all && !r.due.IsZero() {
		if len(batch) == 0 && len(g.queries) > 0 { // all rest: is the source there?
			batch = append(batch, g.queries[g.turn%len(g.queries)])
		}
		g.turn = (g.turn + 1) % sampling
	}
	for _, q := range batch {
		q.in, q.woken, q.asked, q.stirred = r, false, false, false
	}
	g.woken = false
	return batch
}

// others returns the queries that the round does not read.
func (g *group) others(r *round) []*query {
	var all []*query
	for _, q := range g.queries {
		if q.in != r {
			all = append(all, q)
		}
	}
	return all
}

// size is about how many queries the round reads.
func (g *group) size(r *round) int {
	if r.all {
		return len(g.queries)
	}
	return min(len(g.queries), 16)
}

// heard notes what the source says of changes to q, and whether it told of the one
// that was found. The reading is not recorded yet.
func (e *Engine) heard(q *query, res scalers.Result) {
	lied := q.told == scalers.ToldAll && q.idle() && !q.stirred && res.Err == nil && res.Value.Activity > q.threshold
	q.told = res.Told
	if q.stirred {
		q.told = scalers.ToldNothing
	}
	if lied && q.group != nil && !q.group.source.silent {
		q.group.source.silent = true
		e.opts.Log.Warn("a source does not tell of changes as it said: its triggers are polled", "source", q.group.source.ref.Name)
	}
}

// settleDown notes, after a reading of q is recorded, that a change which was told
// meanwhile asks for another one.
func (q *query) settleDown() {
	if q.stirred && q.group != nil && q.owned > 0 && q.idle() {
		q.woken, q.group.woken = true, true
	}
}

// changed has what the source told of read, where that may make it active: of the
// keys, or of everything.
func (e *Engine) changed(src *source, keys ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	for _, key := range keys {
		for _, q := range src.keyed[key] {
			e.stir(q, now)
		}
	}
	if len(keys) > 0 {
		return
	}
	for _, all := range src.keyed {
		for _, q := range all {
			if q.told != scalers.ToldNothing || q.group.round != nil {
				e.stir(q, now)
			}
		}
	}
}

// stir has q read when it is idle, for it may not be any more.
func (e *Engine) stir(q *query, now time.Time) {
	q.stirred = true
	q.told = scalers.ToldNothing
	if q.owned > 0 && q.idle() && !q.woken {
		q.woken = true
		e.rouse(q.group, now)
	}
}

// idleInterval is how often idle queries of g are read that are not told of; 0
// when that is not more often than others.
func (e *Engine) idleInterval(g *group) time.Duration {
	every := max(g.key.kind.Idle, g.interval/idleShare)
	if g.key.kind.Idle == 0 || every >= g.interval {
		return 0
	}
	return every
}

// planIdle sets when g is read next for its idle queries.
func (e *Engine) planIdle(g *group, now time.Time) {
	g.idle = time.Time{}
	every := e.idleInterval(g)
	if every == 0 {
		return
	}
	for _, q := range g.queries {
		if q.restless() {
			g.idle = phase(now, every, g.source.hash())
			return
		}
	}
}

// vouch renews the readings of those that rest after a round found the source
// there: it would have told if they were not true any more.
func (g *group) vouch(r *round, at time.Time) {
	for _, q := range g.queries {
		if q.in != r && q.rests() {
			q.last.At = at
			q.publish(q.last)
		}
	}
}
