package auth

import (
	"context"
	"fmt"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// Question is something that is asked of a server that tells of no change. One
// question that many requests have is asked once a period.
type Question struct {
	// Key identifies the question: what is asked, of whom, and as whom.
	Key param.Fingerprint
	// Server names whom is asked, without secrets. While it cannot be reached
	// none of the questions to it is asked, but for one now and then. "" is none
	// that can be unreachable.
	Server string
	// Ask asks. Its context lasts as long as a call may; it may outlive the
	// request.
	Ask func(ctx context.Context) (Answer, error)
}

// Answer is what a server said.
type Answer struct {
	// Values are what was asked for, by name.
	Values map[string]param.Secret
	// Next is when to ask again. The zero time is a refresh period from now.
	Next time.Time
	// Expires is when the values are worth nothing any more. The zero time is
	// never.
	Expires time.Time
}

// Ask returns the answer to the question: the last one while it is not time to
// ask again, or when the server does not answer and the values have not
// expired. A server's refusal is an error at once.
func (q *Request) Ask(ctx context.Context, question Question) (Answer, error) {
	answer, again, err := q.resolver.ask(ctx, question)
	q.Again(again)
	return answer, err
}

// AskWithin is [Request.Ask] for the Ask of another question, whose server is
// asked too: the nested question names none.
func (q *Request) AskWithin(ctx context.Context, question Question) (Answer, error) {
	answer, _, err := q.resolver.ask(ctx, question)
	return answer, err
}

// Forget drops the answer to a question that turned out not to be good any more.
func (q *Request) Forget(key param.Fingerprint) {
	c := &q.resolver.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[key]; e != nil && e.flight == nil {
		delete(c.entries, key)
	}
}

const (
	// patience is how long a request that has an old answer waits for a new one.
	patience = 500 * time.Millisecond
	// firstBackoff is after the first failure; it doubles up to the refresh period.
	firstBackoff = time.Second
	// kept is how long the answer to a question is kept that nobody has any more.
	kept = time.Hour
)

// cache holds the answers to questions. Its zero value is empty.
type cache struct {
	mu      sync.Mutex
	entries map[param.Fingerprint]*entry
	servers map[string]*server
	swept   time.Time
}

// entry is a question and what is known of it.
type entry struct {
	server *server
	// answer is the last one that was good; answered tells whether there is one.
	answer   Answer
	answered bool
	// err is why the last call failed, failures how many did in a row.
	err      error
	failures int
	// next is when to ask again, used when somebody last asked.
	next, used time.Time
	// warned tells whether the log was told that the answer grows old.
	warned bool
	// flight is open while a call is made.
	flight chan struct{}
}

// usable tells whether there is an answer that may still be used.
func (e *entry) usable(now time.Time) bool {
	return e.answered && (e.answer.Expires.IsZero() || now.Before(e.answer.Expires))
}

// result is what the entry says at the moment, and when to look again.
func (e *entry) result(now time.Time) (Answer, time.Duration, error) {
	again := max(e.next.Sub(now), time.Second)
	if e.usable(now) {
		if !e.answer.Expires.IsZero() { // while the server is down
			again = min(again, max(e.answer.Expires.Sub(now), time.Second))
		}
		return e.answer, again, nil
	}
	return Answer{}, again, e.err
}

// ask answers the question from memory, or joins the one call that is made.
func (r *Resolver) ask(ctx context.Context, q Question) (Answer, time.Duration, error) {
	c := &r.cache
	c.mu.Lock()
	now := r.now()
	e := c.entry(q, now)
	e.used = now
	fresh := now.Before(e.next) && (e.err != nil || e.usable(now))
	if e.flight == nil && !fresh {
		if wait := e.server.shut(now); wait > 0 {
			defer c.mu.Unlock()
			if e.usable(now) {
				return e.answer, wait, nil
			}
			return Answer{}, wait, e.server.err
		}
		e.flight = make(chan struct{})
		e.server.begin()
		go r.call(ctx, q, e, e.flight)
	}
	if e.flight == nil {
		defer c.mu.Unlock()
		return e.result(now)
	}
	flight, last, usable := e.flight, e.answer, e.usable(now)
	c.mu.Unlock()

	var impatient <-chan time.Time
	if usable {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		impatient = timer.C
	}
	select {
	case <-flight:
		c.mu.Lock()
		defer c.mu.Unlock()
		return e.result(r.now())
	case <-impatient:
		return last, r.timeout(), nil
	case <-ctx.Done():
		if usable {
			return last, r.timeout(), nil
		}
		return Answer{}, r.timeout(), scalers.UnavailableError("waiting for %s: %w", q.who(), ctx.Err())
	}
}

// who names whom is asked.
func (q Question) who() string {
	if q.Server == "" {
		return "an answer"
	}
	return q.Server
}

// call asks, on behalf of everybody who waits, and keeps the outcome.
func (r *Resolver) call(ctx context.Context, q Question, e *entry, flight chan struct{}) {
	defer close(flight)
	// A little less than the requests have, which then learn why there is no answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.timeout()*9/10)
	defer cancel()
	var connected atomic.Bool
	answer, err := q.guarded(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}))
	c := &r.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	now := r.now()
	e.flight = nil
	unreachable := err != nil && scalers.ClassOf(err) == scalers.Unavailable && !connected.Load()
	e.server.end(r, now, err, unreachable)
	if err == nil {
		r.keep(q, e, answer, now)
		return
	}
	if e.usable(now) && !e.warned && e.server.err == nil {
		r.log().Warn("credentials cannot be refreshed", "server", q.Server, "error", err)
		e.warned = true
	}
	if e.err = err; e.server.err != nil {
		e.err = e.server.err
	}
	e.failures++
	e.next = now.Add(max(backoff(e.failures, r.refreshPeriod()), min(scalers.RetryAfterOf(err), r.refreshPeriod())))
	if class := scalers.ClassOf(err); class == scalers.Configuration || class == scalers.Authentication {
		e.answered, e.answer = false, Answer{} // an answer that takes back what was said
	}
}

// keep is for a call that succeeded.
func (r *Resolver) keep(q Question, e *entry, answer Answer, now time.Time) {
	if e.warned {
		r.log().Info("credentials are refreshed again", "server", q.Server)
		e.warned = false
	}
	e.answer, e.answered, e.err, e.failures = answer, true, nil, 0
	e.next = answer.Next
	if e.next.IsZero() {
		e.next = now.Add(r.refreshPeriod())
	}
	if soonest := now.Add(firstBackoff); e.next.Before(soonest) {
		e.next = soonest
	}
}

// guarded asks; a panic is an error.
func (q Question) guarded(ctx context.Context) (answer Answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			answer, err = Answer{}, fmt.Errorf("asking %s: the source's code panicked", q.who())
		}
	}()
	return q.Ask(ctx)
}

// entry finds or makes what is known of the question, and lets go of what nobody
// asks any more. Those who do come back when it is time to ask again.
func (c *cache) entry(q Question, now time.Time) *entry {
	if e := c.entries[q.Key]; e != nil {
		return e
	}
	if c.entries == nil {
		c.entries, c.servers, c.swept = map[param.Fingerprint]*entry{}, map[string]*server{}, now
	}
	if now.Sub(c.swept) >= kept {
		c.sweep(now)
	}
	s := c.servers[q.Server]
	if s == nil {
		s = &server{name: q.Server}
		c.servers[q.Server] = s
	}
	e := &entry{server: s}
	c.entries[q.Key] = e
	return e
}

func (c *cache) sweep(now time.Time) {
	c.swept = now
	used := map[*server]bool{}
	for key, e := range c.entries {
		last := e.used
		if e.next.After(last) {
			last = e.next
		}
		if e.flight == nil && now.Sub(last) >= kept {
			delete(c.entries, key)
			continue
		}
		used[e.server] = true
	}
	for name, s := range c.servers {
		if !used[s] {
			delete(c.servers, name)
		}
	}
}

// backoff is how long to wait after so many failures in a row.
func backoff(failures int, most time.Duration) time.Duration {
	return min(firstBackoff<<min(failures-1, 16), most)
}
