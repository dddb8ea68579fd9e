package queue_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest"
)

// counter stands before a management API and counts what it is asked.
type counter struct {
	*httptest.Server
	connections atomic.Int32
	mu          sync.Mutex
	requests    []string
}

func newCounter(t testing.TB, address string) *counter {
	t.Helper()
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: address})
	}}
	c := &counter{}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.requests = append(c.requests, r.URL.String())
		c.mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	c.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			c.connections.Add(1)
		}
	}
	c.Start()
	t.Cleanup(c.Close)
	return c
}

// since returns the requests since it was called last.
func (c *counter) since() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.requests
	c.requests = nil
	return all
}

// through is the address of the virtual host behind the counter.
func (w *world) through(c *counter) string {
	return strings.Replace(w.http(), w.HTTPAddr(), c.Listener.Addr().String(), 1)
}

// many makes so many queues, q0000 and so on, that are empty but for each tenth.
func (w *world) many(n int) {
	w.Helper()
	queues := make([]map[string]any, n)
	for i := range queues {
		queues[i] = map[string]any{"name": fmt.Sprintf("q%04d", i), "durable": false, "auto_delete": false, "arguments": m{}}
	}
	w.manage(http.MethodPost, w.path("definitions"), map[string]any{"queues": queues})
	for i := 0; i < n; i += 10 {
		w.publish(fmt.Sprintf("q%04d", i), 1+i%7)
	}
	full := 0
	for i := 0; i < n; i += 10 {
		full += 1 + i%7
	}
	w.settled(n, nil)
	eventually(w, func() error {
		r := read(w, trigger(w, w.http(), "^q", m{"useRegex": "true", "pageSize": "500"}, nil))
		if r.Err == nil && r.Value.Metric != float64(full) {
			return fmt.Errorf("%v of %d messages are known", r.Value.Metric, full)
		}
		return r.Err
	})
}

// TestRabbitMQManyTriggersAreFewRequests reads 500 triggers over one management
// API, of virtual hosts with few queues and with many.
func TestRabbitMQManyTriggersAreFewRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.many(1200)
	c := newCounter(t, w.HTTPAddr())
	batch := make([]*scalers.Scaler, 0, 500)
	want := make([]string, 0, 500)
	for i := range 500 {
		n := i * 2
		batch = append(batch, trigger(t, w.through(c), fmt.Sprintf("q%04d", n), m{"activationValue": fmt.Sprint(i % 3)}, nil))
		count := 0
		if n%10 == 0 {
			count = 1 + n%7
		}
		want = append(want, fmt.Sprint(count))
	}
	batch = append(batch, trigger(t, w.through(c), "q9999", nil, nil))
	want = append(want, "configuration")
	conn := scalertest.Open(t, batch[0])
	for range 3 {
		out, err := readOn(t, conn, batch...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, outcomes(out)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if asked := c.since(); len(asked) > 2 {
			t.Errorf("%d requests for 500 triggers", len(asked))
		}
	}
	// A few are asked for one by one, once it is known how many queues there are.
	for _, want := range []int{3, 3} {
		if out, err := readOn(t, conn, batch[0], batch[499], batch[450]); err != nil || strings.Join(outcomes(out), " ") != "1 0 5" {
			t.Errorf("read %v, %v", outcomes(out), err)
		}
		if asked := c.since(); len(asked) != want {
			t.Errorf("%d requests for three queues, want %d: %q", len(asked), want, asked)
		}
	}
	fresh := scalertest.Open(t, batch[0])
	for _, want := range []int{3, 3} { // a page and two questions, three questions
		if out, err := readOn(t, fresh, batch[0], batch[499], batch[450]); err != nil || strings.Join(outcomes(out), " ") != "1 0 5" {
			t.Errorf("read %v, %v", outcomes(out), err)
		}
		if asked := c.since(); len(asked) != want {
			t.Errorf("%d requests for three queues, want %d: %q", len(asked), want, asked)
		}
	}
	// Those of one page, with expressions that the listing answers, take one.
	few := []*scalers.Scaler{trigger(t, w.through(c), "q0000", m{"useRegex": "true"}, nil)}
	few = append(few, batch[:200]...)
	if _, err := readOn(t, conn, few...); err != nil {
		t.Fatal(err)
	}
	if asked := c.since(); len(asked) != 2 {
		t.Errorf("%d requests for the first page and an expression: %q", len(asked), asked)
	}
	// Many expressions are answered from all pages.
	var expressions []*scalers.Scaler
	for i := range 12 {
		expressions = append(expressions, trigger(t, w.through(c), fmt.Sprintf("^q%02d", i), m{"useRegex": "true"}, nil))
	}
	out, err := readOn(t, conn, expressions...)
	if asked := c.since(); err != nil || len(asked) != 3 {
		t.Errorf("%d requests for 12 expressions and three pages: %v", len(asked), err)
	}
	for i, r := range out {
		sum := 0
		for n := i * 100; n < i*100+100; n += 10 {
			sum += 1 + n%7
		}
		if outcome(r) != fmt.Sprint(sum) {
			t.Errorf("expression %d is read as %s, want %d", i, outcome(r), sum)
		}
	}
	if n := c.connections.Load(); n > 8 { // of two sources
		t.Errorf("%d connections", n)
	}
}

// A virtual host is one listing, and several are read at a time.
func TestRabbitMQVirtualHostsShareTheConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := newCounter(t, w.HTTPAddr())
	var batch []*scalers.Scaler
	var want []string
	for v := range 5 {
		other := &world{TB: t, RabbitMQ: w.RabbitMQ, vhost: fmt.Sprintf("%s/%d %%", w.vhost, v)}
		other.manage(http.MethodPut, other.path("vhosts"), nil)
		t.Cleanup(func() { _ = other.Manage(context.Background(), http.MethodDelete, other.path("vhosts"), nil) })
		other.manage(http.MethodPut, other.path("permissions")+"/guest", m{"configure": ".*", "write": ".*", "read": ".*"})
		for i := range 3 {
			name := fmt.Sprintf("a/b c+ü%d", i)
			other.manage(http.MethodPut, other.path("queues")+"/"+url.PathEscape(name), m{})
			batch = append(batch, trigger(t, other.through(c), name, nil, nil), trigger(t, other.through(c), name, m{"vhostName": other.vhost}, nil))
			want = append(want, "0", "0")
		}
		other.settled(3, nil)
	}
	conn := scalertest.Open(t, batch[0])
	out, err := readOn(t, conn, batch...)
	if diff := cmp.Diff(want, outcomes(out)); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if asked := c.since(); len(asked) != 5 {
		t.Errorf("%d requests for 5 virtual hosts: %q", len(asked), asked)
	}
	for _, s := range batch {
		if r := read(t, s); outcome(r) != "0" {
			t.Errorf("alone: read %s, %v", outcome(r), r.Err)
		}
	}
}

// TestRabbitMQExpressions holds what the listing answers against what the server
// does: queues hold different powers of two, so that the sum tells which match.
func TestRabbitMQExpressions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	names := []string{"orders", "Orders-2", "ORDERS.3", "a.b", "a-b", "x_1", "[x]", "x y", "{1,2}", "$5^"}
	for i, name := range names {
		w.queue(name, 1<<i)
	}
	w.settled(len(names), func(q m) bool { return q["messages_ready"] != "0" })
	expressions := []struct {
		text  string
		local bool
	}{
		{"orders", true},
		{"^orders$", true},
		{"ORD", true},
		{"a.b", true},
		{`a\.b`, true},
		{`^a[.-]b$`, true},
		{`\d`, true},
		{`^\w+$`, true},
		{`^(?:orders|a.b)$`, true},
		{`(orders|x).*\d`, true},
		{`^[^a-z]+$`, true},
		{`\[x\]`, true},
		{`x\sy|x y`, true},
		{`\{1,2\}`, true},
		{`^[$^0-9]+$`, true},
		{`r{1,2}`, true},
		{`o+?r*?d??`, true},
		{`\borders\b`, true},
		{`.`, true},
		{`nothing like it`, true},
		{`^(?=.*-)a`, false},
		{`^(?!orders)`, false},
		{`^(?<n>a)`, false},
		{`(.)\1`, false},
		{`(?i)orders`, false},
		{`a++`, false},
		{`[[:digit:]]`, false},
		{`x{,2}`, false},
		{`\x61`, false},
		{`\Qa.b\E`, false},
	}
	c := newCounter(t, w.HTTPAddr())
	var batch []*scalers.Scaler
	remote := 0
	for _, e := range expressions {
		batch = append(batch, trigger(t, w.through(c), e.text, m{"useRegex": "true", "pageSize": "1000"}, nil))
		if !e.local {
			remote++
		}
	}
	together, err := readOn(t, scalertest.Open(t, batch[0]), batch...)
	if err != nil {
		t.Fatal(err)
	}
	if asked := c.since(); len(asked) != 1+remote {
		t.Errorf("%d requests, want a listing and %d more: %q", len(asked), remote, asked)
	}
	for i, s := range batch {
		alone := read(t, s)
		if outcome(alone) != outcome(together[i]) || alone.Err != nil {
			t.Errorf("%s: the server says %s (%v), the listing %s", expressions[i].text, outcome(alone), alone.Err, outcome(together[i]))
		}
	}
	for _, wrong := range []string{"*a", "(", "[", `\`} {
		s := trigger(t, w.http(), wrong, m{"useRegex": "true"}, nil)
		wantClass(t, s, scalers.Configuration, "regular expression")
		if out, err := readOn(t, scalertest.Open(t, s), s, batch[0]); err != nil || outcome(out[0]) != "configuration" || out[1].Err != nil {
			t.Errorf("%s: beside another: %v, %v", wrong, outcomes(out), err)
		}
	}
}

// TestRabbitMQCombinesQueues reads queues of several pages by each operation.
func TestRabbitMQCombinesQueues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, messages := range []int{3, 1, 4, 0, 5} {
		w.queue(fmt.Sprintf("part%d", i), messages)
	}
	w.queue("other", 100)
	w.settled(6, func(q m) bool { return q["messages"] != "0" || q["name"] == "part3" })
	for operation, want := range map[string]string{"": "13", "sum": "13", "avg": "2", "max": "5"} {
		for _, size := range []string{"", "1", "2", "5", "500"} {
			s := trigger(t, w.http(), "^part", m{"useRegex": "true", "operation": operation, "pageSize": size}, nil)
			if r := read(t, s); outcome(r) != want {
				t.Errorf("%s by pages of %q: read %s (%v), want %s", operation, size, outcome(r), r.Err, want)
			}
		}
	}
	none := trigger(t, w.http(), "^nothing", m{"useRegex": "true", "operation": "avg"}, nil)
	if r := read(t, none); outcome(r) != "0" {
		t.Errorf("no queue is read as %s, %v", outcome(r), r.Err)
	}
}

// A listing whose pages do not hold together is read again, and then an error.
func TestRabbitMQListingThatChanges(t *testing.T) {
	t.Parallel()
	changes := 1
	a := serve(t, func(w http.ResponseWriter, _ string, query url.Values) {
		page := query.Get("page")
		count := 2
		if page == "2" && changes > 0 {
			changes--
			count = 3
		}
		fmt.Fprintf(w, `{"items":[{"name":"q%s","messages":%s}],"page_count":2,"filtered_count":%d}`, page, page, count)
	})
	s := trigger(t, a.URL, "q", m{"useRegex": "true", "pageSize": "1"}, nil)
	if r := read(t, s); outcome(r) != "3" {
		t.Errorf("a listing that changes once is read as %s, %v", outcome(r), r.Err)
	}
	changes = 2
	wantClass(t, s, scalers.Unavailable, "made or deleted")
}

// A queue that the server has no statistics of, as it was made just now or the
// server keeps none, is counted all the same.
func TestRabbitMQQueueWithoutStatistics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 5 {
		name := fmt.Sprintf("q%d", i)
		w.queue(name, 0)
		for _, batch := range [][]*scalers.Scaler{
			{trigger(t, w.http(), name, nil, nil)},
			{trigger(t, w.http(), name, nil, nil), trigger(t, w.http(), "q0", nil, nil)},
		} {
			out, err := readOn(t, scalertest.Open(t, batch[0]), batch...)
			if err != nil || outcome(out[0]) != "0" {
				t.Errorf("%d together: read %v, %v, %v", len(batch), outcomes(out), err, out[0].Err)
			}
		}
	}
}
