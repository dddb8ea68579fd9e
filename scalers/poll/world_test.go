package poll_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
	"github.com/freshet-io/freshet/scalers/poll"
)

// The kinds of these tests read numbers from a backend in memory.
const (
	batching = "test-batching"
	single   = "test-single"
	parallel = "test-parallel" // five at a time
)

// rarely is an interval whose scheduled reads, at a phase that differs from run
// to run, do not fall into a test.
const rarely = 100_000 * time.Hour

func init() {
	example := map[string]string{"backend": "b", "key": "orders"}
	scalers.Register(scalers.Kind[*conn, *batchTrigger]{
		Types: []string{batching}, Category: "test", Since: "0", Label: "test", Example: example,
		ReadAll: func(ctx context.Context, c *conn, triggers []*batchTrigger, out []scalers.Result) error {
			keys := make([]string, len(triggers))
			for i, t := range triggers {
				keys[i] = t.Key
			}
			return c.read(ctx, keys, out)
		},
	})
	scalers.Register(scalers.Kind[*conn, *singleTrigger]{
		Types: []string{single}, Category: "test", Since: "0", Label: "test", Example: example,
	})
	scalers.Register(scalers.Kind[*conn, *parallelTrigger]{
		Types: []string{parallel}, Category: "test", Since: "0", Label: "test", Example: example, Parallel: 5,
	})
}

// Params are the parameters of both kinds.
type Params struct {
	Backend    string  `param:"backend"`
	Account    string  `param:"account,optional"`
	Key        string  `param:"key"`
	Activation float64 `param:"activation,optional" role:"activation"`
}

// Source is the backend as one account.
func (p *Params) Source() scalers.Source[*conn] { return source{p.Backend, p.Account} }

// Stem is the key.
func (p *Params) Stem() string { return p.Key }

// Read reads one key.
func (p *Params) Read(ctx context.Context, c *conn) (scalers.Value, error) {
	var out [1]scalers.Result
	if err := c.read(ctx, []string{p.Key}, out[:]); err != nil {
		return scalers.Value{}, err
	}
	return out[0].Value, out[0].Err
}

type batchTrigger struct{ Params }

type singleTrigger struct{ Params }

type parallelTrigger struct{ Params }

type source struct{ Backend, Account string }

func (s source) String() string { return "backend " + s.Backend }

func (s source) Open(ctx context.Context) (*conn, error) {
	found, _ := backends.Load(s.Backend)
	return found.(*backend).connect(ctx)
}

var (
	backends     sync.Map // of *backend by name
	backendCount atomic.Int64
)

// call is what a backend was asked in one round trip.
type call struct {
	at   time.Time
	keys []string
}

// backend is a source in memory that keeps account of what it is asked.
type backend struct {
	name string

	mu sync.Mutex
	// values are the numbers by key; others are 1.
	values map[string]float64
	// onOpen and onRead, when set, are asked before the backend answers: they
	// may wait, fail, panic or fill in results.
	onOpen  func(ctx context.Context) error
	onClose func()
	onRead  func(ctx context.Context, keys []string, out []scalers.Result) error
	stream  stream
	// tells is what reads say of changes that are told, and told how to tell them.
	tells scalers.Told
	told  func(keys ...string)

	attempts, opened, closed, misused int
	calls                             []call
	inFlight, mostInFlight            int
}

func newBackend(t testing.TB) *backend {
	b := &backend{name: fmt.Sprintf("b%d", backendCount.Add(1)), values: map[string]float64{}}
	backends.Store(b.name, b)
	t.Cleanup(func() { backends.Delete(b.name) })
	return b
}

// conn is a connection to a backend.
type conn struct {
	b      *backend
	closed atomic.Bool
}

func (b *backend) connect(ctx context.Context) (*conn, error) {
	b.mu.Lock()
	ask := b.onOpen
	b.attempts++
	b.mu.Unlock()
	if ask != nil {
		if err := ask(ctx); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened++
	return &conn{b: b}, nil
}

func (c *conn) Close() error {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.b.closed++
	if c.closed.Swap(true) {
		c.b.misused++
	}
	if c.b.onClose != nil {
		c.b.onClose()
	}
	return nil
}

// Tell keeps how the newest connection tells of changes.
func (c *conn) Tell(changed func(keys ...string)) {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.b.told = changed
}

func (c *conn) read(ctx context.Context, keys []string, out []scalers.Result) error {
	b := c.b
	b.mu.Lock()
	if c.closed.Load() {
		b.misused++
	}
	b.calls = append(b.calls, call{time.Now(), slices.Clone(keys)})
	b.inFlight++
	b.mostInFlight = max(b.mostInFlight, b.inFlight)
	for i, key := range keys {
		v, ok := b.values[key]
		if !ok {
			v = 1
		}
		out[i] = scalers.Result{Value: scalers.Number(v), Told: b.tells}
	}
	ask := b.onRead
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.inFlight--
		if c.closed.Load() {
			b.misused++
		}
		b.mu.Unlock()
	}()
	if ask == nil {
		return nil
	}
	return ask(ctx, keys, out)
}

// setOpen and setRead change what the backend does from now on.
func (b *backend) setOpen(f func(ctx context.Context) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.onOpen = f
}

func (b *backend) setRead(f func(ctx context.Context, keys []string, out []scalers.Result) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.onRead = f
}

func (b *backend) setValue(key string, v float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.values[key] = v
}

// takeCalls returns the calls since it was asked last.
func (b *backend) takeCalls() []call {
	b.mu.Lock()
	defer b.mu.Unlock()
	calls := b.calls
	b.calls = nil
	return calls
}

// takeKeys returns how often each key was read since calls were taken last.
func (b *backend) takeKeys() map[string]int {
	n := map[string]int{}
	for _, c := range b.takeCalls() {
		for _, key := range c.keys {
			n[key]++
		}
	}
	return n
}

// takeAttempts returns how often it was connected to, be it in vain, since it
// was asked last.
func (b *backend) takeAttempts() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.attempts
	b.attempts = 0
	return n
}

// takeMost returns how many reads were in flight at most since it was asked
// last.
func (b *backend) takeMost() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.mostInFlight
	b.mostInFlight = 0
	return n
}

func (b *backend) connections() (opened, closed int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opened, b.closed
}

// Answers that backends may give.

// wait answers after d, unless ctx ends before.
func wait(d time.Duration) func(context.Context, []string, []scalers.Result) error {
	return func(ctx context.Context, _ []string, _ []scalers.Result) error { return pause(ctx, d) }
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func never(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// refuse fails with err, at once.
func refuse(err error) func(context.Context, []string, []scalers.Result) error {
	return func(context.Context, []string, []scalers.Result) error { return err }
}

// refuseKeys fails single keys with err.
func refuseKeys(err error, bad ...string) func(context.Context, []string, []scalers.Result) error {
	return func(_ context.Context, keys []string, out []scalers.Result) error {
		for i, key := range keys {
			if slices.Contains(bad, key) {
				out[i] = scalers.Result{Err: err}
			}
		}
		return nil
	}
}

// sink keeps the readings of a subscription.
type sink struct {
	mu       sync.Mutex
	readings []scalers.Reading
}

func (s *sink) Put(r scalers.Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readings = append(s.readings, r)
}

func (s *sink) all() []scalers.Reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.readings)
}

func (s *sink) last() scalers.Reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.readings) == 0 {
		return scalers.Reading{}
	}
	return s.readings[len(s.readings)-1]
}

// owners tells who owns what: this replica owns everything but the names in
// the set.
type owners struct {
	mu     sync.Mutex
	others map[string]bool
}

func (o *owners) Self() string { return "me" }

func (o *owners) Owner(key poll.Key) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.others[key.Name] {
		return "other"
	}
	return "me"
}

func (o *owners) give(name string, away bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.others[name] = away
}

// world is an engine with a backend.
type world struct {
	t       testing.TB
	engine  *poll.Engine
	backend *backend
	owners  *owners
	began   time.Time
	stop    func() // ends Run and waits for it
}

// newWorld makes an engine that is not running yet. When the test ends, Run
// must end and every connection be closed once.
func newWorld(t testing.TB, opts poll.Options) *world {
	t.Helper()
	w := &world{t: t, backend: newBackend(t), owners: &owners{others: map[string]bool{}}, began: time.Now(), stop: func() {}}
	opts.Ownership = w.owners
	w.engine = poll.New(opts)
	t.Cleanup(func() {
		w.stop()
		synctest.Wait()
		b := w.backend
		if b.opened != b.closed || b.misused > 0 {
			t.Errorf("connections: %d opened, %d closed, %d times used or closed after being closed", b.opened, b.closed, b.misused)
		}
	})
	return w
}

// run starts the engine.
func (w *world) run() *world {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.engine.Run(ctx); err != nil {
			w.t.Errorf("Run: %v", err)
		}
	}()
	w.stop = func() { cancel(); <-done }
	return w
}

// trigger decodes a trigger of the kind; more are parameters as key=value.
func (w *world) trigger(kind, key string, more ...string) *scalers.Scaler {
	w.t.Helper()
	metadata := map[string]string{"backend": w.backend.name, "key": key}
	for _, m := range more {
		k, v, _ := strings.Cut(m, "=")
		metadata[k] = v
	}
	s, _, err := scalers.Decode(kind, param.Input{Metadata: metadata}, scalers.Setting{})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// set gives the object one trigger for each key and returns what takes their
// readings, by key.
func (w *world) set(object, kind string, interval time.Duration, keys ...string) map[string]*watched {
	w.t.Helper()
	all := map[string]*watched{}
	members := make([]poll.Member, len(keys))
	for i, key := range keys {
		all[key] = &watched{sink: &sink{}}
		members[i] = poll.Member{Scaler: w.trigger(kind, key), Interval: interval, Sink: all[key].sink}
	}
	for i, sub := range w.engine.Set(name(object), members) {
		all[keys[i]].Subscription = sub
	}
	return all
}

// one is set with one trigger.
func (w *world) one(object, kind string, interval time.Duration, key string) *watched {
	w.t.Helper()
	return w.set(object, kind, interval, key)[key]
}

// watched is a subscription and its sink.
type watched struct {
	*poll.Subscription
	*sink
}

func name(object string) poll.Key {
	return poll.Key{Kind: "ScaledObject", Namespace: "test", Name: object}
}

// pass lets time pass, and what is due in it happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// bubble runs f with fake time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// sortedKeys are the keys of calls, each once.
func sortedKeys(n map[string]int) string { return strings.Join(slices.Sorted(maps.Keys(n)), " ") }

// manyKeys are n different keys.
func manyKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("k%03d", i)
	}
	return keys
}
