package poll

import (
	"context"
	"time"

	"github.com/freshet-io/freshet/scalers"
)

const (
	// wakeGap is how long after the start of a round events ask for another one,
	// so that a source which tells of much is not read without a pause.
	wakeGap = 100 * time.Millisecond
	// firstRewatch and mostRewatch bound how long after its failure a watch begins
	// anew, and longWatch is how long it must have lasted not to count as another
	// failure in a row.
	firstRewatch = 500 * time.Millisecond
	mostRewatch  = 30 * time.Second
	longWatch    = 10 * time.Second
	// wellRewatch is how long after its start a watch that its source ended well
	// begins anew.
	wellRewatch = 2 * time.Second
)

// watch starts or ends the watch of q, as its ownership wants it. The engine is
// locked.
func (e *Engine) watch(q *query) {
	wanted := q.owned > 0 && q.scaler.Watch != nil && e.ctx != nil && !e.ended
	switch {
	case wanted && q.unwatch == nil:
		ctx, cancel := context.WithCancel(e.ctx)
		q.unwatch = cancel
		src := q.group.source
		e.rounds.Go(func() { e.keepWatching(ctx, src, q) })
	case !wanted && q.unwatch != nil:
		q.unwatch()
		q.unwatch = nil
	}
}

// keepWatching watches q until ctx ends. After each end of a watch there is a
// pause. While the source is down nothing is tried: the probe of the rounds
// speaks for all, and when it is answered every watch begins anew, for a
// connection may be dead without a sign.
func (e *Engine) keepWatching(ctx context.Context, src *source, q *query) {
	var pause backoff
	for again := false; ctx.Err() == nil; again = true {
		attempt, cancel, down := e.attempt(ctx, src, q, again)
		var over <-chan time.Time // never comes while the source is down
		if !down {
			began := time.Now()
			if err := e.watchOnce(attempt, src, q); attempt.Err() == nil {
				over = time.After(pause.rewatch(began, time.Now(), err))
				e.watchEnded(src, q, err)
			}
		}
		select {
		case <-attempt.Done():
			pause.reset()
		case <-over:
		}
		cancel()
	}
}

// rewatch counts the end of a watch and returns how long to pause.
func (b *backoff) rewatch(began, now time.Time, err error) time.Duration {
	lasted := now.Sub(began)
	if err == nil || lasted >= longWatch {
		b.reset()
	}
	first := firstRewatch
	if err == nil {
		first = max(first, wellRewatch-lasted)
	}
	b.fail(now, err, first, mostRewatch)
	return b.until.Sub(now)
}

// attempt begins an attempt to watch, which ends with ctx or when the source is
// back after it was down, and tells whether it is down. What was not told between
// two watches is read.
func (e *Engine) attempt(ctx context.Context, src *source, q *query, again bool) (attempt context.Context, cancel context.CancelFunc, down bool) {
	attempt, cancel = context.WithCancel(ctx)
	e.mu.Lock()
	defer e.mu.Unlock()
	down = src.backoff.down()
	if ctx.Err() != nil { // maybe another watch of q has begun
		return attempt, cancel, down
	}
	q.rewatch = cancel
	if again && !down {
		q.woken = true
		e.rouse(q.group, time.Now().Add(wakeGap))
	}
	return attempt, cancel, down
}

// rewatch has all watches begin anew, on a new connection. The engine is locked.
func (s *source) rewatch() {
	s.watchLink.stale.Store(true)
	s.watchFails = false
	for _, q := range s.queries {
		if q.rewatch != nil {
			q.rewatch()
		}
	}
}

// watchOnce watches q until ctx or its connection ends.
func (e *Engine) watchOnce(ctx context.Context, src *source, q *query) (err error) {
	opening, cancel := context.WithTimeout(ctx, e.opts.Timeout)
	link, err := src.watchLink.acquire(opening, src.ref.Open)
	cancel()
	if err != nil {
		return err
	}
	defer func() {
		lost := err != nil && scalers.ClassOf(err) == scalers.Unavailable
		src.watchLink.release(link, lost && ctx.Err() == nil)
	}()
	return q.scaler.Watch(ctx, link.conn, func(active bool) {
		if e.pushed(src, q, active) {
			return
		}
		select { // more events than reads: the source may wait
		case <-ctx.Done():
		case <-time.After(wakeGap):
		}
	})
}

// watchEnded logs the first failure of a watch of the source. When the source may
// be gone, a read is to tell.
func (e *Engine) watchEnded(src *source, q *query, err error) {
	if err == nil {
		return
	}
	e.logPanic(src, err)
	e.mu.Lock()
	first := !src.watchFails && !src.backoff.down()
	src.watchFails = true
	if q.unwatch != nil && scalers.ClassOf(err) == scalers.Unavailable {
		q.woken = true
		e.rouse(q.group, time.Now())
	}
	e.mu.Unlock()
	if first {
		e.opts.Log.Warn("events of a source do not come: its triggers are polled meanwhile", "source", src.ref.Name, "error", err)
	}
}

// pushed has q read soon because an event came, and notes what it says. It tells
// whether it is news: no read for another event is waited for.
func (e *Engine) pushed(src *source, q *query, active bool) (news bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	src.watchFails = false
	g := q.group
	if g == nil || q.unwatch == nil {
		return true
	}
	news = !q.woken
	if active {
		q.pushed, q.shown = true, time.Time{}
	}
	q.woken = true
	e.rouse(g, time.Now())
	return news
}

// rouse has the queries of g that are woken read at the time, or as soon after as
// may be. The engine is locked.
func (e *Engine) rouse(g *group, at time.Time) {
	g.woken = true
	if g.round != nil || g.backoff.down() || g.source.backoff.down() {
		return // the end of the round, or of the back-off, reschedules
	}
	e.schedule(g, g.wakeTime(at))
	e.nudge()
}

// wakeTime is when g may be read that is to be at the time.
func (g *group) wakeTime(at time.Time) time.Time {
	if soonest := g.began.Add(wakeGap); soonest.After(at) {
		return soonest
	}
	return at
}
