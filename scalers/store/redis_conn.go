package store

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/freshet-io/freshet/scalers"
)

// redisConn is an open connection to what holds the keys of a source: a server,
// a cluster, or whichever server is the primary. Reads of different intervals
// share it.
type redisConn interface {
	scalers.Conn
	// send sends the queries, all of one server in one pipeline, and returns when
	// each has an answer or an error. An error that it returns is one of the whole
	// connection, and no query has an answer.
	send(ctx context.Context, queries []*redisQuery) error
}

// redisQuery is a command about a key and, once it was sent, its answer. It may be
// sent again.
type redisQuery struct {
	key string
	*redis.Cmd
	// tracked tells that it was answered by a server that tells of changes to the
	// key.
	tracked bool
}

// ask makes the query of a command about the key, which is one of its words.
func ask(key string, words ...any) *redisQuery {
	return &redisQuery{key: key, Cmd: redis.NewCmd(context.Background(), words...)}
}

// fail leaves an error with each query.
func fail(queries []*redisQuery, err error) {
	for _, q := range queries {
		q.SetErr(err)
	}
}

// count is an answer that is a number of things.
func (q *redisQuery) count() (float64, error) {
	if err := q.fault(); err != nil {
		return 0, err
	}
	return natural(q.Val())
}

// natural is a number of things in an answer.
func natural(v any) (float64, error) {
	n, ok := v.(int64)
	switch {
	case !ok:
		return 0, scalers.UnavailableError("the server answers with %.100q where a number belongs", fmt.Sprint(v))
	case n < 0:
		return 0, scalers.UnavailableError("the server counts %d", n)
	}
	return float64(n), nil
}

// redisStep is what is asked about the key of one trigger in one round trip.
type redisStep struct {
	queries []*redisQuery
	// then makes a number of the answers, or the next step.
	then func(queries []*redisQuery) (count float64, next *redisStep, err error)
	// of, when set, has the step for the next read.
	of *firstStep
}

// step makes a step of one query.
func step(q *redisQuery, then func(queries []*redisQuery) (count float64, next *redisStep, err error)) *redisStep {
	return &redisStep{queries: []*redisQuery{q}, then: then}
}

// firstStep keeps the first step of a trigger from one read to the next, so that
// reading makes nothing anew. Whoever reads has it alone.
type firstStep struct{ kept atomic.Pointer[redisStep] }

// take returns the step that was kept, or a new one.
func (f *firstStep) take(makeOne func() *redisStep) *redisStep {
	if s := f.kept.Swap(nil); s != nil {
		return s
	}
	s := makeOne()
	s.of = f
	return s
}

// stepper is a trigger that counts in steps.
type stepper interface {
	// begin is the first step.
	begin() *redisStep
	// told is what a server that tracks keys tells of changes to the count.
	told() scalers.Told
}

// readSteps reads triggers of one source, their steps together: as many round
// trips as the trigger with the most steps needs.
func readSteps[T stepper](ctx context.Context, c redisConn, triggers []T, out []scalers.Result) error {
	steps := make([]*redisStep, len(triggers))
	for i, t := range triggers {
		steps[i] = t.begin()
	}
	queries := make([]*redisQuery, 0, len(triggers))
	for first := true; ; first = false {
		queries = queries[:0]
		for _, s := range steps {
			if s != nil {
				queries = append(queries, s.queries...)
			}
		}
		if len(queries) == 0 {
			return nil
		}
		if err := c.send(ctx, queries); first && err != nil {
			return err
		}
		for i, s := range steps {
			if s != nil {
				steps[i] = s.end(triggers[i].told(), &out[i])
			}
		}
	}
}

// end makes a result of the answers, or the next step.
func (s *redisStep) end(told scalers.Told, out *scalers.Result) (next *redisStep) {
	count, next, err := s.then(s.queries)
	if next != nil {
		return next
	}
	*out = scalers.Result{Value: scalers.Number(count), Err: err}
	if s.queries[0].tracked {
		out.Told = told
	}
	if s.of != nil && (count > 0 || out.Told != scalers.ToldAll) { // else it will hardly be read again soon
		s.of.kept.Store(s)
	}
	return nil
}

// ofServer is an error when the server answered no query: it is not about a key
// then.
func ofServer(queries []*redisQuery) error {
	if slices.ContainsFunc(queries, func(q *redisQuery) bool { return q.Err() == nil || ofKey(q.Err()) }) {
		return nil
	}
	return redisError(queries[0].Err())
}

// readStep reads one trigger.
func readStep(ctx context.Context, c redisConn, t stepper) (scalers.Value, error) {
	var out [1]scalers.Result
	if err := readSteps(ctx, c, []stepper{t}, out[:]); err != nil {
		return scalers.Value{}, err
	}
	return out[0].Value, out[0].Err
}

// redisSource is one standalone Redis as one user.
type redisSource struct {
	Address string
	Login   redisLogin
}

// String names the server and database.
func (s redisSource) String() string { return fmt.Sprintf("redis %s/%d", s.Address, s.Login.Database) }

// Open prepares the connection; the first read dials.
func (s redisSource) Open(context.Context) (redisConn, error) {
	return &redisServerConn{address: s.Address, links: newRedisLinks(s.Login)}, nil
}

// redisServerConn is the connection to a server: one.
type redisServerConn struct {
	address string
	links   *redisLinks
}

func (c *redisServerConn) send(ctx context.Context, queries []*redisQuery) error {
	_ = c.links.send(ctx, c.address, queries) // it is with the queries
	return ofServer(queries)
}

// Tell has changed called with the keys that changed after they were read.
func (c *redisServerConn) Tell(changed func(keys ...string)) { c.links.changed = changed }

// Close closes the connection.
func (c *redisServerConn) Close() error { return c.links.Close() }
