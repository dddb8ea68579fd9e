package queue

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
)

// question is about the queue of a name, or about those whose names match.
type question struct {
	name     string
	regex    bool
	pageSize int
}

// answer is the queues that a question is about.
type answer struct {
	queues []queueAnswer
	err    error
}

// question is what the trigger asks.
func (r *RabbitMQ) question() question {
	if !r.UseRegex {
		return question{name: r.Queue}
	}
	return question{name: r.Queue, regex: true, pageSize: int(min(r.PageSize, mostPerPage))}
}

// ask answers the questions: one by itself, several from a listing of all queues
// where that costs the server less. A long one is read to its end when that takes
// no more requests than what its beginning leaves open.
func (r *vhostRead) ask(ctx context.Context, questions []question) {
	if len(questions) > 1 && r.worthListing(questions) {
		questions = r.askListing(ctx, questions)
	}
	requests := r.requests(ctx, questions)
	conn.InParallel(len(requests), mostAtOnce, func(i int) { requests[i]() })
}

// perQuestion is how many queues a server lists, or looks through for a match,
// while it answers about one.
const perQuestion = 10

// worthListing tells whether a listing of all queues costs the server less than
// the questions do one by one. It does as long as it is not known how many queues
// there are. What is known fades, so that it is learnt anew some time.
func (r *vhostRead) worthListing(questions []question) bool {
	for _, q := range questions {
		if q.regex {
			return true
		}
	}
	size := r.size()
	if len(questions)*perQuestion >= size {
		return true
	}
	r.conn.sizes.Store(r.place, size-size/64-1)
	return false
}

// size is how many queues the virtual host had when it was listed last.
func (r *vhostRead) size() int {
	size, _ := r.conn.sizes.Load(r.place)
	n, _ := size.(int)
	return n
}

// askListing answers questions from a listing of all queues, and returns those
// that it leaves open.
func (r *vhostRead) askListing(ctx context.Context, questions []question) (open []question) {
	l, err := r.list(ctx, nil, mostPerPage)
	if err != nil {
		r.fail(questions, err)
		return nil
	}
	r.conn.sizes.Store(r.place, l.count)
	complete := l.pages <= 1 && len(l.queues) == l.count
	open = r.match(l, questions, complete, complete)
	if complete || l.pages-1 > len(r.requests(ctx, open)) {
		return open
	}
	err = r.rest(ctx, nil, mostPerPage, l)
	if err != nil && !errors.Is(err, errChanged) {
		r.fail(open, err)
		return nil
	}
	// A queue that seems to be missing may have moved from one page to another.
	return r.match(l, open, err == nil, false)
}

// match answers questions from what is read of a listing, and returns those that
// stay open. whole says that nothing is missing, final that then it is not there.
func (r *vhostRead) match(l *listing, questions []question, whole, final bool) (open []question) {
	byName := make(map[string]queueAnswer, len(l.queues))
	for _, q := range l.queues {
		byName[q.Name] = q
		whole = whole && plain(q.Name) // else only the server knows what matches
	}
	for _, q := range questions {
		found, ok := byName[q.name]
		var expression *regexp.Regexp
		if q.regex && whole {
			expression = compile(q.name)
		}
		switch {
		case !q.regex && ok:
			r.set(q, answer{queues: []queueAnswer{found}})
		case !q.regex && final:
			r.set(q, answer{err: r.noQueue(q.name)})
		case expression != nil:
			var a answer
			for _, candidate := range l.queues {
				if expression.MatchString(candidate.Name) {
					a.queues = append(a.queues, candidate)
				}
			}
			r.set(q, a)
		default:
			open = append(open, q)
		}
	}
	return open
}

// requests are what it takes to ask the questions without a listing of all
// queues: each expression by itself, and names as costs the server less, together
// or one by one.
func (r *vhostRead) requests(ctx context.Context, questions []question) (all []func()) {
	var names []string
	for _, q := range questions {
		if q.regex {
			all = append(all, func() { r.askExpression(ctx, q) })
		} else {
			names = append(names, q.name)
		}
	}
	if len(names)*perQuestion < r.size() {
		for _, name := range names {
			all = append(all, func() { r.askName(ctx, name) })
		}
		return all
	}
	for _, pack := range packs(names) {
		all = append(all, func() { r.askNames(ctx, pack) })
	}
	return all
}

// packs puts names together that fit into the address of one request.
func packs(names []string) (all [][]string) {
	size := mostNames
	for _, name := range names {
		length := len(url.QueryEscape("|" + quote(name)))
		if size += length; size > mostNames || len(all[len(all)-1]) == mostPerPage {
			all, size = append(all, nil), length
		}
		all[len(all)-1] = append(all[len(all)-1], name)
	}
	return all
}

// askNames asks for the queues of the names.
func (r *vhostRead) askNames(ctx context.Context, names []string) {
	if len(names) == 1 {
		r.askName(ctx, names[0])
		return
	}
	questions := make([]question, len(names))
	for i, name := range names {
		questions[i] = question{name: name}
	}
	queues, err := r.all(ctx, matching(namesOnly(names)), mostPerPage)
	if err != nil {
		r.fail(questions, err)
		return
	}
	r.match(&listing{queues: queues}, questions, true, true)
}

// askName asks for one queue.
func (r *vhostRead) askName(ctx context.Context, name string) {
	a, err := r.get(ctx, "/api/queues/"+url.PathEscape(r.vhost)+"/"+url.PathEscape(name), r.columns())
	var q *queueAnswer
	if err == nil {
		q, err = decodeQueue(a)
	}
	switch {
	case err == nil:
		if absent(q.Messages) && !r.rates { // a listing tells of it without statistics
			if queues, err := r.all(ctx, matching(namesOnly([]string{name})), mostPerPage); err == nil {
				r.match(&listing{queues: queues}, []question{{name: name}}, true, true)
				return
			}
		}
		r.set(question{name: name}, answer{queues: []queueAnswer{*q}})
	case status(err) == http.StatusNotFound:
		r.set(question{name: name}, answer{err: fmt.Errorf("%w: %w", r.noQueue(name), err)})
	default:
		r.fail([]question{{name: name}}, err)
	}
}

// askExpression asks for the queues whose names match.
func (r *vhostRead) askExpression(ctx context.Context, q question) {
	queues, err := r.all(ctx, matching(q.name), q.pageSize)
	if status(err) == http.StatusBadRequest {
		err = scalers.ConfigurationError("the server does not take parameter queueName for a regular expression: %w", err)
	}
	r.set(q, answer{queues: queues, err: err})
}

// matching is the query for queues whose names match.
func matching(expression string) url.Values {
	return url.Values{"name": {expression}, "use_regex": {"true"}}
}

func (r *vhostRead) noQueue(name string) error {
	return scalers.ConfigurationError("there is no queue %q in virtual host %q: make it, or correct parameter queueName or the virtual host", name, r.vhost)
}

func (r *vhostRead) set(q question, a answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[q] = a
}

func (r *vhostRead) fail(questions []question, err error) {
	for _, q := range questions {
		r.set(q, answer{err: err})
	}
}
