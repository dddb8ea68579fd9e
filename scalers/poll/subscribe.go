package poll

import (
	"container/heap"
	"slices"
	"time"

	"github.com/freshet-io/freshet/scalers/param"
)

// is tells whether s already reads what m asks for.
func (s *Subscription) is(m Member) bool {
	return s.sink == m.Sink && s.interval == m.Interval && s.fingerprint == m.Scaler.Fingerprint
}

func (e *Engine) subscribe(key Key, m Member, owned bool) *Subscription {
	src := e.sources[m.Scaler.Source.Fingerprint]
	if src == nil {
		src = &source{
			ref: m.Scaler.Source, queries: map[param.Fingerprint]*query{}, groups: map[groupKey]*group{},
			strikes: map[*group]bool{}, keyed: map[string][]*query{}, parallel: max(e.opts.PerSource, m.Scaler.Kind.Parallel),
		}
		src.link.init()
		src.watchLink.init()
		e.sources[m.Scaler.Source.Fingerprint] = src
	}
	q := src.queries[m.Scaler.Query]
	if q == nil {
		own := *m.Scaler
		own.Source = src.ref // one for all queries of the source
		q = &query{scaler: &own}
		q.subs.Store(&[]*Subscription{})
		src.queries[m.Scaler.Query] = q
		if key := m.Scaler.ChangeKey; key != "" {
			src.keyed[key] = append(src.keyed[key], q)
		}
	}
	s := &Subscription{
		engine: e, key: key, sink: m.Sink, interval: m.Interval, query: q,
		fingerprint: m.Scaler.Fingerprint, activation: m.Scaler.Activation,
	}
	subs := append(slices.Clone(*q.subs.Load()), s)
	q.subs.Store(&subs)
	q.judge()
	e.place(src, q)
	e.setOwned(s, owned)
	return s
}

func (e *Engine) unsubscribe(s *Subscription, now time.Time) {
	e.setOwned(s, false)
	q := s.query
	subs := slices.DeleteFunc(slices.Clone(*q.subs.Load()), func(o *Subscription) bool { return o == s })
	q.subs.Store(&subs)
	src := q.group.source
	if len(subs) > 0 {
		q.judge()
		e.place(src, q)
		e.plan(q.group, now)
		return
	}
	e.leave(q)
	src.forget(q)
	if len(src.queries) == 0 {
		delete(e.sources, src.ref.Fingerprint)
		if !e.ended { // else Run's end closes it
			e.rounds.Go(src.close) // may wait for a connection that is being opened
		}
	}
}

// forget drops a query that nobody subscribes to.
func (s *source) forget(q *query) {
	delete(s.queries, q.scaler.Query)
	key := q.scaler.ChangeKey
	if key == "" {
		return
	}
	s.keyed[key] = slices.DeleteFunc(s.keyed[key], func(o *query) bool { return o == q })
	if len(s.keyed[key]) == 0 {
		delete(s.keyed, key)
	}
}

func (e *Engine) setOwned(s *Subscription, owned bool) {
	switch {
	case owned && !s.owned:
		s.query.owned++
	case !owned && s.owned:
		s.query.owned--
	}
	s.owned = owned
	e.watch(s.query)
}

// place puts q into the group of its source, kind and the shortest interval of
// its subscriptions.
func (e *Engine) place(src *source, q *query) {
	interval := time.Duration(0)
	for _, s := range *q.subs.Load() {
		if interval == 0 || s.interval < interval {
			interval = s.interval
		}
	}
	key := groupKey{kind: q.scaler.Kind, interval: interval}
	if !q.scaler.Kind.Batches {
		key.query = q
	}
	if q.group != nil && q.group.key == key {
		return
	}
	e.leave(q)
	g := src.groups[key]
	if g == nil {
		g = &group{source: src, key: key, interval: interval, place: -1}
		src.groups[key] = g
	}
	g.queries = append(g.queries, q)
	q.group = g
	if !q.last.Known() {
		g.cold++
	}
}

// leave takes q out of its group, and the group away with its last query.
func (e *Engine) leave(q *query) {
	g := q.group
	if g == nil {
		return
	}
	q.group = nil
	i := slices.Index(g.queries, q)
	g.queries = slices.Delete(g.queries, i, i+1)
	if !q.last.Known() {
		g.cold--
	}
	if g.place >= 0 && !g.owned() {
		heap.Remove(&e.due, g.place)
	}
	if len(g.queries) > 0 {
		return
	}
	delete(g.source.groups, g.key)
	delete(g.source.strikes, g)
}
