package poll

import (
	"context"
	"time"
)

const (
	// wakeGap is how long after the start of a round events ask for another one,
	// so that a source which tells of much is not read without a pause.
	wakeGap = 100 * time.Millisecond
	// firstRewatch and mostRewatch bound how long after its end a watch begins
	// anew.
	firstRewatch = 500 * time.Millisecond
	mostRewatch  = 30 * time.Second
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

// keepWatching watches q until ctx ends, with a pause after each end of a watch
// that grows unless the watch lasted.
func (e *Engine) keepWatching(ctx context.Context, src *source, q *query) {
	var pause backoff
	for ctx.Err() == nil {
		began := time.Now()
		err := e.watchOnce(ctx, src, q)
		now := time.Now()
		if err == nil || now.Sub(began) > mostRewatch {
			pause.reset()
		}
		pause.fail(now, err, firstRewatch, mostRewatch)
		select {
		case <-ctx.Done():
		case <-time.After(pause.until.Sub(now)):
		}
	}
}

// watchOnce watches q until ctx or its connection ends.
func (e *Engine) watchOnce(ctx context.Context, src *source, q *query) (err error) {
	opening, cancel := context.WithTimeout(ctx, e.opts.Timeout)
	conn, err := src.watchLink.acquire(opening, src.ref.Open)
	cancel()
	if err != nil {
		return err
	}
	defer func() { src.watchLink.release(err != nil && ctx.Err() == nil) }()
	err = q.scaler.Watch(ctx, conn, func(active bool) { e.pushed(q, active) })
	e.logPanic(src, err)
	return err
}

// pushed has q read soon because an event came. What the event said holds for
// the next reading.
func (e *Engine) pushed(q *query, active bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	g := q.group
	if g == nil || q.unwatch == nil {
		return
	}
	q.pushed = q.pushed || active
	g.woken = true
	if g.round != nil || g.backoff.down() || g.source.backoff.down() {
		return // the end of the round, or of the back-off, reschedules
	}
	now := time.Now()
	g.regular = g.wakeTime(now)
	e.schedule(g, g.regular)
	e.nudge()
}

// wakeTime is when an event may have the group read.
func (g *group) wakeTime(now time.Time) time.Time {
	if at := g.began.Add(wakeGap); at.After(now) {
		return at
	}
	return now
}
