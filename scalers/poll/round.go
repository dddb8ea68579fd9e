package poll

import (
	"container/heap"
	"context"
	"time"

	"github.com/freshet-io/freshet/scalers"
)

// round is one read of a group, waiting for its turn or running.
type round struct {
	// all reads every query that does not rest; else only those are read that have
	// no reading or were asked for, and with idle those that are idle and not told of.
	all, idle bool
	// started rounds have their batch.
	started bool
	// due is when the schedule wanted it; zero for a demand read.
	due  time.Time
	done chan struct{}
	// err is the error that concerned the whole group; set before done closes.
	err error
}

// Refresh reads the subscription's group now, or joins the round that already
// reads it, and returns when the readings are with their sinks. An error concerns
// the whole group or ctx. While the source is being left alone after a failure
// its error is returned without a call.
func (s *Subscription) Refresh(ctx context.Context) error {
	for {
		r, reads, err := s.engine.join(s.query)
		if err != nil {
			return err
		}
		select {
		case <-r.done:
			if reads || r.err != nil {
				return r.err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// join returns the round that the group of q is in or comes into next, which it
// starts when there is none, and whether that reads q. The caller must come again
// after one that does not.
func (e *Engine) join(q *query) (r *round, reads bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	g := q.group
	if g == nil || e.ctx == nil || e.ctx.Err() != nil {
		return nil, false, scalers.UnavailableError("the trigger is not being read")
	}
	if r := g.round; r != nil {
		if r.started {
			return r, q.in == r, nil
		}
		r.all, q.asked = true, true
		return r, true, nil
	}
	if err := g.blocked(time.Now()); err != nil {
		return nil, false, err
	}
	r = &round{all: true}
	q.asked = true
	e.enqueue(g, r)
	e.start()
	return r, true, nil
}

// blocked returns why g may not be read at the moment: the error of its source
// or itself that is being waited out, or a probe of the source in flight.
func (g *group) blocked(now time.Time) error {
	switch b := &g.source.backoff; {
	case b.down() && (now.Before(b.until) || g.source.inFlight > 0):
		return b.err
	case g.backoff.down() && now.Before(g.backoff.until):
		return g.backoff.err
	}
	return nil
}

// dispatch queues a round for every group that is due and starts as many as
// may run. It returns when the next group is due, or the zero time.
func (e *Engine) dispatch(now time.Time) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.due) > 0 && !e.due[0].due.After(now) {
		g := heap.Pop(&e.due).(*group)
		if g.round == nil {
			e.enqueue(g, &round{
				all: !now.Before(g.regular), idle: !g.idle.IsZero() && !now.Before(g.idle), due: g.due,
			})
		}
	}
	e.start()
	if len(e.due) == 0 {
		return time.Time{}
	}
	return e.due[0].due
}

func (e *Engine) enqueue(g *group, r *round) {
	r.done = make(chan struct{})
	g.round = r
	e.ready = append(e.ready, g)
}

// start runs ready rounds within the bounds. A source that failed gets one
// round at a time.
func (e *Engine) start() {
	for len(e.ready) > 0 && e.running < e.opts.Workers {
		g := e.ready[0]
		e.ready[0] = nil
		e.ready = e.ready[1:]
		now := time.Now()
		if err := g.blocked(now); err != nil {
			e.skip(g, now, err)
			continue
		}
		if prober := g.prober(); prober != g {
			if prober.round == nil {
				e.enqueue(prober, &round{all: true})
			}
			e.skip(g, now, g.source.backoff.err)
			continue
		}
		if g.source.inFlight >= g.source.parallel {
			g.source.waiting = append(g.source.waiting, g)
			continue
		}
		g.round.started = true
		batch := g.choose(g.round)
		if len(batch) == 0 {
			e.finish(g, nil)
			e.reschedule(g, now, phase(now, g.interval, g.source.hash()))
			e.admit(g.source)
			continue
		}
		e.running++
		g.source.inFlight++
		g.began = now
		e.rounds.Add(1)
		go e.run(g, g.round, batch, now)
	}
}

// skip ends the round of a group that may not be read: its queries are given
// the error, and it is due again when its source or itself is tried again.
func (e *Engine) skip(g *group, now time.Time, err error) {
	until := g.source.backoff.until
	if g.backoff.down() && g.backoff.until.After(until) {
		until = g.backoff.until
	}
	if !until.After(now) { // a probe is in flight; its end reschedules
		until = now.Add(e.opts.Timeout)
	}
	e.record(g.queries, func(int, *query) scalers.Reading { return scalers.Reading{Err: err, At: now} })
	e.finish(g, err)
	e.reschedule(g, now, until)
	e.admit(g.source)
}

// admit makes groups that wait for their source ready: as many as it has room
// for or, when it is down, all of them, to be given its error. It is called
// whenever a round of the source ended, run or not.
func (e *Engine) admit(src *source) {
	n := len(src.waiting)
	if !src.backoff.down() {
		n = min(n, max(0, src.parallel-src.inFlight))
	}
	e.ready = append(e.ready, src.waiting[:n]...)
	clear(src.waiting[:n])
	src.waiting = src.waiting[n:]
}

// finish ends the group's round for those who wait for it.
func (e *Engine) finish(g *group, err error) {
	r := g.round
	g.round = nil
	r.err = err
	close(r.done)
}

// record keeps and publishes a reading of each query. The engine is locked.
func (e *Engine) record(batch []*query, reading func(i int, q *query) scalers.Reading) {
	for i, q := range batch {
		if !q.last.Known() && q.group != nil { // another group, maybe, than the one that was read
			q.group.cold--
		}
		q.last = reading(i, q)
		q.publish(q.last)
		q.settleDown()
	}
}

// reschedule makes g due as a whole at the time, or when time changes a value, and
// before that for those of its queries that were never read, are idle, or have had
// an event. A group that lost its queries or owner is due no more.
func (e *Engine) reschedule(g *group, now, at time.Time) {
	if g.place >= 0 {
		heap.Remove(&e.due, g.place)
	}
	if len(g.queries) == 0 || !g.owned() {
		return
	}
	if next := g.next(now); !next.IsZero() && next.Before(at) {
		at = next
	}
	g.regular = at
	e.schedule(g, at)
	if !g.backoff.down() && !g.source.backoff.down() {
		if e.planIdle(g, now); !g.idle.IsZero() {
			e.schedule(g, g.idle)
		}
		if g.woken {
			e.schedule(g, g.wakeTime(now))
		}
	}
	e.plan(g, now)
}

// next returns when time alone changes the value of a query after now, or the
// zero time.
func (g *group) next(now time.Time) time.Time {
	var first time.Time
	for _, q := range g.queries {
		if q.scaler.Next == nil {
			continue
		}
		if at := q.scaler.Next(now); !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// run reads batch and settles the round.
func (e *Engine) run(g *group, r *round, batch []*query, began time.Time) {
	defer e.rounds.Done()
	results := make([]scalers.Result, len(batch))
	err := e.read(r, g.source, batch, results, began)
	took := time.Since(began)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running--
	g.source.inFlight--
	if e.ctx.Err() != nil { // what was cut off says nothing about the source
		e.finish(g, e.ctx.Err())
		return
	}
	late := time.Duration(0)
	if !r.due.IsZero() {
		late = began.Sub(r.due)
	}
	reading := scalers.Reading{Err: err, At: began, Took: took, Late: late}
	if err != nil { // it concerns those that were not read as well
		e.record(batch, func(int, *query) scalers.Reading { return reading })
		e.record(g.others(r), func(int, *query) scalers.Reading { return reading })
	} else {
		e.record(batch, func(i int, q *query) scalers.Reading {
			e.heard(q, results[i])
			reading.Value, reading.Err = results[i].Value, results[i].Err
			return reading
		})
		if r.all && !r.due.IsZero() {
			g.vouch(r, began)
		}
	}
	e.settle(g, r, results, err, began)
	e.finish(g, err)
	e.admit(g.source)
	e.start()
	e.nudge()
}

// settle updates the back-offs after a round and makes the group due again.
func (e *Engine) settle(g *group, r *round, results []scalers.Result, err error, began time.Time) {
	now := time.Now()
	src := g.source
	failed := err
	if failed == nil && len(results) == 1 && !g.key.kind.Batches {
		failed = results[0].Err
	}
	if failed == nil || (err == nil && scalers.ClassOf(failed) == scalers.Configuration) {
		e.answered(g, now)
		after := began
		if r.due.IsZero() { // a demand read stands in for a scheduled one that is near
			after = began.Add(g.interval / 2)
		}
		e.reschedule(g, now, phase(after, g.interval, src.hash()))
		return
	}
	if !g.backoff.down() {
		src.strikes[g] = true
	}
	g.backoff.fail(now, failed, e.opts.FirstBackoff, e.opts.MostBackoff)
	if err != nil || src.backoff.down() || len(src.strikes) >= 3 || !src.works() {
		src.backoff.fail(now, failed, e.opts.FirstBackoff, e.opts.MostBackoff)
		src.link.stale.Store(true)
		g.backoff.until = src.backoff.until
	}
	e.reschedule(g, now, g.backoff.until)
}

// answered notes that the source works. Groups that waited for it are due; what
// they failed before counts on, for the fault may have been their own.
func (e *Engine) answered(g *group, now time.Time) {
	src := g.source
	g.backoff.reset()
	g.worked = true
	clear(src.strikes)
	if !src.backoff.down() {
		return
	}
	src.backoff.reset()
	src.rewatch()
	for _, other := range src.groups {
		if other != g && other.round == nil && other.owned() {
			other.regular = now
			e.schedule(other, now)
		}
	}
}
