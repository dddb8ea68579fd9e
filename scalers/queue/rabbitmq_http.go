package queue

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
)

// managementConn is a pool of connections to a server's management API.
type managementConn struct {
	*conn.HTTPConn
	// keepsRates holds the addresses of the management APIs, below the server,
	// that said to keep rates.
	keepsRates sync.Map
	// sizes holds how many queues a virtual host had when it was listed last.
	sizes sync.Map
}

// place is a virtual host and where its management API is below the server.
type place struct{ base, vhost string }

const (
	// mostPerPage is how many queues RabbitMQ lists at a time, and mostPages how
	// many such pages are read.
	mostPerPage = 500
	mostPages   = 1000
	// mostNames is how many bytes of its address a request has for names: the
	// server reads some 8,000 in all.
	mostNames = 6000
)

// vhostRead is a read of queues of one virtual host.
type vhostRead struct {
	conn *managementConn
	// origin is the address of the server with its user, base where the
	// management API is below it.
	origin url.URL
	place
	// rates says that the rates of queues are wanted too.
	rates bool
	// noRates, once it is asked for, says why the server has none, if so.
	noRates func() error

	mu      sync.Mutex
	answers map[question]answer
}

// readKey is what triggers have in common that are read from one listing.
type readKey struct {
	place
	timeout time.Duration
}

// read reads triggers, those of one virtual host together. The error is that of
// a server that answered none.
func (c *managementConn) read(ctx context.Context, triggers []*RabbitMQ, out []scalers.Result) error {
	groups := map[readKey][]int{}
	var keys []readKey
	for i, t := range triggers {
		u, err := t.address()
		if err != nil {
			out[i].Err = &scalers.Error{Class: scalers.Configuration, Err: err}
			continue
		}
		key := readKey{timeout: t.Timeout}
		key.vhost, key.base = t.vhost(u)
		if groups[key] == nil {
			keys = append(keys, key)
		}
		groups[key] = append(groups[key], i)
	}
	conn.InParallel(len(keys), mostAtOnce, func(k int) {
		c.readVHost(ctx, keys[k], groups[keys[k]], triggers, out)
	})
	var first error
	for i := range out {
		var lost *unanswered
		if !errors.As(out[i].Err, &lost) {
			return nil
		}
		if first == nil {
			first = out[i].Err
		}
	}
	return first
}

// unanswered is an error of a request that is not about what was asked for.
type unanswered struct{ error }

// Unwrap returns the error.
func (u *unanswered) Unwrap() error { return u.error }

// readVHost reads the triggers at the places of which.
func (c *managementConn) readVHost(ctx context.Context, key readKey, which []int, triggers []*RabbitMQ, out []scalers.Result) {
	if key.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, key.timeout)
		defer cancel()
	}
	first := triggers[which[0]]
	u, _ := first.address()
	r := &vhostRead{
		conn: c, place: key.place, answers: map[question]answer{},
		origin: url.URL{Scheme: u.Scheme, Host: u.Host, User: first.userOf(u)},
	}
	r.noRates = sync.OnceValue(func() error { return r.askForRates(ctx) })
	var questions []question
	for _, i := range which {
		r.rates = r.rates || rates(triggers[i].Mode)
		q := triggers[i].question()
		if _, ok := r.answers[q]; !ok {
			r.answers[q] = answer{}
			questions = append(questions, q)
		}
	}
	r.ask(ctx, questions)
	for _, i := range which {
		out[i] = r.result(triggers[i])
	}
}

// result is what the trigger makes of its answer.
func (r *vhostRead) result(t *RabbitMQ) scalers.Result {
	a := r.answers[t.question()]
	if a.err != nil {
		return scalers.Result{Err: a.err}
	}
	all := make([]queueNumbers, len(a.queues))
	for i := range a.queues {
		var err error
		if all[i], err = a.queues[i].numbers(t.ExcludeUnacknowledged, rates(t.Mode)); err != nil {
			return scalers.Result{Err: err}
		}
		if rates(t.Mode) && !a.queues[i].hasStats() {
			if err := r.noRates(); err != nil {
				return scalers.Result{Err: err}
			}
		}
	}
	return scalers.Result{Value: combine(t.Operation, all).value(t.Mode, t.ActivationValue)}
}

// get asks the management API for a path, whose parts are escaped.
func (r *vhostRead) get(ctx context.Context, path string, query url.Values) (*conn.Answer, error) {
	address := r.origin
	address.RawPath = r.base + path
	address.Path, _ = url.PathUnescape(address.RawPath) // of parts that were escaped here
	address.RawQuery = query.Encode()
	a, err := r.conn.Get(ctx, &address, nil)
	if err == nil {
		return a, nil
	}
	if err = refusal(err); scalers.ClassOf(err) != scalers.Configuration {
		err = &unanswered{err}
	}
	return nil, err
}

// status is that of an answer that is an error, or 0.
func status(err error) int {
	var s *conn.StatusError
	if errors.As(err, &s) {
		return s.Code
	}
	return 0
}

// listing is the queues of a listing that are read already.
type listing struct {
	queues []queueAnswer
	// pages and count are how many of pages and queues there are.
	pages, count int
}

// errChanged says that the pages of a listing do not make one.
var errChanged = scalers.UnavailableError("queues were made or deleted while they were being listed")

// columns are what is asked of queues.
func (r *vhostRead) columns() url.Values {
	if r.rates {
		return url.Values{"columns": {rateColumns}}
	}
	return url.Values{"columns": {countColumns}}
}

// page reads a page of the listing of queues, of which query may ask for some.
// Where no rates are wanted the server need not look into its statistics, which
// costs it several times as much.
func (r *vhostRead) page(ctx context.Context, query url.Values, number, size int) (*pageAnswer, error) {
	full := r.columns()
	full.Set("page", strconv.Itoa(number))
	full.Set("page_size", strconv.Itoa(size))
	if !r.rates {
		full.Set("disable_stats", "true")
		full.Set("enable_queue_totals", "true")
	}
	for key, values := range query {
		full[key] = values
	}
	a, err := r.get(ctx, "/api/queues/"+url.PathEscape(r.vhost), full)
	if err != nil {
		if status(err) == http.StatusNotFound {
			err = scalers.ConfigurationError("there is no virtual host %q, or no management API: %w", r.vhost, err)
		}
		return nil, err
	}
	return decodePage(a)
}

// list reads the first page of a listing.
func (r *vhostRead) list(ctx context.Context, query url.Values, size int) (*listing, error) {
	page, err := r.page(ctx, query, 1, size)
	if err != nil {
		return nil, err
	}
	if *page.Pages > mostPages {
		return nil, scalers.ConfigurationError("virtual host %q has %d queues to list: more than %d pages of %d are not read",
			r.vhost, *page.Count, mostPages, size)
	}
	return &listing{queues: *page.Items, pages: *page.Pages, count: *page.Count}, nil
}

// rest reads the other pages of a listing. Pages shift when queues come and go.
func (r *vhostRead) rest(ctx context.Context, query url.Values, size int, l *listing) error {
	if l.pages <= 1 && len(l.queues) == l.count {
		return nil
	}
	more := max(0, l.pages-1)
	pages, errs := make([]*pageAnswer, more), make([]error, more)
	conn.InParallel(len(pages), mostAtOnce, func(i int) { pages[i], errs[i] = r.page(ctx, query, i+2, size) })
	for i, page := range pages {
		switch {
		case status(errs[i]) == http.StatusBadRequest: // there are not as many pages any more
			return errChanged
		case errs[i] != nil:
			return errs[i]
		case *page.Count != l.count:
			return errChanged
		}
		l.queues = append(l.queues, *page.Items...)
	}
	seen := make(map[string]bool, len(l.queues))
	for _, q := range l.queues {
		seen[q.Name] = true
	}
	if len(seen) != l.count || len(l.queues) != l.count {
		return errChanged
	}
	return nil
}

// all reads a listing, once more when it changes meanwhile.
func (r *vhostRead) all(ctx context.Context, query url.Values, size int) (queues []queueAnswer, err error) {
	for range 2 {
		var l *listing
		if l, err = r.list(ctx, query, size); err != nil {
			return nil, err
		}
		if err = r.rest(ctx, query, size, l); !errors.Is(err, errChanged) {
			return l.queues, err
		}
	}
	return nil, err
}

// askForRates is an error when the server says that it keeps no rates: then all
// are missing, and none is 0.
func (r *vhostRead) askForRates(ctx context.Context) error {
	if _, ok := r.conn.keepsRates.Load(r.base); ok {
		return nil
	}
	a, err := r.get(ctx, "/api/overview", url.Values{"columns": {"rates_mode"}})
	if err != nil {
		return err
	}
	var overview struct {
		Mode string `json:"rates_mode"`
	}
	if json.Unmarshal(a.Body, &overview) != nil {
		return notManagement(a)
	}
	if overview.Mode == "none" {
		return scalers.ConfigurationError("the server keeps no rates: set management.rates_mode to basic in its configuration, or mode to QueueLength")
	}
	r.conn.keepsRates.Store(r.base, true)
	return nil
}
