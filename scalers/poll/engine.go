package poll

import (
	"container/heap"
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// Options set the engine's bounds. Zero fields take the defaults.
type Options struct {
	// Timeout is the deadline of opening a connection, and of one call to it.
	// Default 3 s.
	Timeout time.Duration
	// Workers is how many rounds are in flight at most. Default 64.
	Workers int
	// PerSource is how many rounds of one source are in flight at most, unless its
	// kind says that it carries more. Default 2.
	PerSource int
	// Chunk is how many queries one call reads at most. Default 1000.
	Chunk int
	// FirstBackoff and MostBackoff bound how long a source that failed is left
	// alone. Defaults 500 ms and 5 s.
	FirstBackoff, MostBackoff time.Duration
	// Settle is how long the first read of a subscription waits for others to
	// share its call. Default 20 ms.
	Settle time.Duration
	// Ownership tells which objects are polled on schedule. Required.
	Ownership Ownership
	// Log is told of panics in triggers, and of sources whose events do not come.
	// Default: discarded.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	setDefault(&o.Timeout, 3*time.Second)
	setDefault(&o.Workers, 64)
	setDefault(&o.PerSource, 2)
	setDefault(&o.Chunk, 1000)
	setDefault(&o.FirstBackoff, 500*time.Millisecond)
	setDefault(&o.MostBackoff, 5*time.Second)
	setDefault(&o.Settle, 20*time.Millisecond)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Sink takes the readings of one subscription. Put must be quick and must not
// call the engine.
type Sink interface {
	Put(r scalers.Reading)
}

// Member is one trigger of an object.
type Member struct {
	// Scaler is the decoded trigger.
	Scaler *scalers.Scaler
	// Interval is how often it is read on schedule, start to start. One that is
	// not positive is a second.
	Interval time.Duration
	// Sink takes its readings.
	Sink Sink
}

// Subscription is a member that the engine reads.
type Subscription struct {
	engine   *Engine
	key      Key
	sink     Sink
	interval time.Duration
	owned    bool
	query    *query
	// fingerprint and activation are of its own scaler, which may not be the one
	// that is read.
	fingerprint param.Fingerprint
	activation  float64
}

// Engine reads triggers. It is safe for concurrent use.
type Engine struct {
	opts Options
	tick atomic.Int64
	wake chan struct{}

	mu      sync.Mutex
	ctx     context.Context // of Run; nil before
	sources map[param.Fingerprint]*source
	objects map[Key][]*Subscription
	due     schedule
	ready   []*group
	running int
	ended   bool           // Run closes the connections that there are, and nothing is read any more
	rounds  sync.WaitGroup // and connections that are being closed
}

// New returns an engine that reads nothing until [Engine.Run].
func New(opts Options) *Engine {
	return &Engine{
		opts: opts.withDefaults(), wake: make(chan struct{}, 1),
		sources: map[param.Fingerprint]*source{}, objects: map[Key][]*Subscription{},
	}
}

// Run reads what is due until ctx ends, then waits for the rounds in flight
// and closes all connections. It is called once.
func (e *Engine) Run(ctx context.Context) error {
	e.mu.Lock()
	e.ctx = ctx
	for _, s := range e.sources {
		for _, q := range s.queries {
			e.watch(q)
		}
	}
	e.mu.Unlock()
	const pulse = time.Second // bounds how old LastTick gets while nothing is due
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			e.shutDown()
			return nil
		case <-timer.C:
		case <-e.wake:
		}
		now := time.Now()
		e.tick.Store(now.UnixNano())
		next := e.dispatch(now)
		wait := pulse
		if !next.IsZero() {
			wait = max(0, min(pulse, next.Sub(now)))
		}
		timer.Reset(wait)
	}
}

// LastTick is when the schedule was last looked at: within about a second of
// now while the engine runs.
func (e *Engine) LastTick() time.Time { return time.Unix(0, e.tick.Load()) }

func (e *Engine) shutDown() {
	e.mu.Lock()
	e.ended = true
	for _, g := range e.ready {
		e.finish(g, context.Canceled)
	}
	e.ready = nil
	sources := make([]*source, 0, len(e.sources))
	for _, s := range e.sources {
		for _, g := range s.waiting {
			e.finish(g, context.Canceled)
		}
		s.waiting = nil
		sources = append(sources, s)
	}
	e.mu.Unlock()
	e.rounds.Wait()
	for _, s := range sources {
		s.close()
	}
}

// Set makes members the triggers of the object, in place of those it had, and
// returns their subscriptions in the same order. Members that did not change
// keep their readings.
func (e *Engine) Set(key Key, members []Member) []*Subscription {
	e.mu.Lock()
	now := time.Now()
	owned := Owns(e.opts.Ownership, key)
	old := e.objects[key]
	subs := make([]*Subscription, len(members))
	for i, m := range members {
		if m.Interval <= 0 {
			m.Interval = time.Second
		}
		if j := slices.IndexFunc(old, func(s *Subscription) bool { return s != nil && s.is(m) }); j >= 0 {
			subs[i], old[j] = old[j], nil
			e.setOwned(subs[i], owned)
			continue
		}
		subs[i] = e.subscribe(key, m, owned)
		if r := subs[i].query.last; r.Known() { // another object reads the same
			subs[i].put(r, subs[i].query.pushed)
		}
	}
	for _, s := range old {
		if s != nil {
			e.unsubscribe(s, now)
		}
	}
	if len(subs) == 0 {
		delete(e.objects, key)
	} else {
		e.objects[key] = slices.Clone(subs)
	}
	for _, s := range subs {
		e.plan(s.query.group, now)
	}
	e.mu.Unlock()
	e.nudge()
	return subs
}

// Remove ends the subscriptions of the object.
func (e *Engine) Remove(key Key) { e.Set(key, nil) }

// Rebalance asks the ownership of every object anew. It is called when the
// ownership changed.
func (e *Engine) Rebalance() {
	e.mu.Lock()
	now := time.Now()
	for key, subs := range e.objects {
		owned := Owns(e.opts.Ownership, key)
		for _, s := range subs {
			e.setOwned(s, owned)
			e.plan(s.query.group, now)
		}
	}
	e.mu.Unlock()
	e.nudge()
}

// Size is how much the engine holds, for self-metrics.
type Size struct {
	// Sources, Queries and Subscriptions are counts.
	Sources, Queries, Subscriptions int
}

// Size counts what the engine holds.
func (e *Engine) Size() Size {
	e.mu.Lock()
	defer e.mu.Unlock()
	size := Size{Sources: len(e.sources)}
	for _, s := range e.sources {
		size.Queries += len(s.queries)
	}
	for _, subs := range e.objects {
		size.Subscriptions += len(subs)
	}
	return size
}

func (e *Engine) nudge() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// plan puts g into the schedule, or takes it out when this replica owns none
// of it. Groups with queries that were never read are due soon.
func (e *Engine) plan(g *group, now time.Time) {
	if !g.owned() {
		if g.place >= 0 {
			heap.Remove(&e.due, g.place)
		}
		return
	}
	switch {
	case g.cold > 0: // while it is being left alone, it is told why as soon as that ends
		at := now.Add(e.opts.Settle)
		for _, b := range []*backoff{&g.source.backoff, &g.backoff} {
			if b.down() && b.until.After(at) {
				at = b.until
			}
		}
		e.schedule(g, at)
	case g.place < 0 && g.round == nil:
		g.regular = phase(now, g.interval, g.source.hash())
		e.schedule(g, g.regular)
	}
}

// schedule makes g due at the time, or leaves it due earlier.
func (e *Engine) schedule(g *group, at time.Time) {
	switch {
	case g.place < 0:
		g.due = at
		heap.Push(&e.due, g)
	case at.Before(g.due):
		g.due = at
		heap.Fix(&e.due, g.place)
	}
}
