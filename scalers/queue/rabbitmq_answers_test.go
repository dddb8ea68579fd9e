package queue_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/scalertest"
)

// api is a management API that answers as told, by path or, for listings, by
// path and page, and remembers what it was asked.
type api struct {
	*httptest.Server
	mu    sync.Mutex
	asked []*url.URL
}

func serve(t testing.TB, answer func(w http.ResponseWriter, path string, query url.Values)) *api {
	t.Helper()
	a := &api{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.asked = append(a.asked, r.URL)
		a.mu.Unlock()
		answer(w, r.URL.EscapedPath(), r.URL.Query())
	}))
	t.Cleanup(a.Close)
	return a
}

// TestRabbitMQAnswersAboutAQueue reads what a management API may answer about
// one queue.
func TestRabbitMQAnswersAboutAQueue(t *testing.T) {
	t.Parallel()
	rate := func(mode string) m { return m{"mode": mode, "value": "1"} }
	for _, tc := range []struct {
		reason   string
		status   int
		body     string
		metadata m
		want     string
	}{
		{"messages", 200, `{"name":"orders","messages":7,"messages_ready":3}`, nil, "7"},
		{"those that are ready", 200, `{"name":"orders","messages":7,"messages_ready":3}`, m{"excludeUnacknowledged": "true"}, "3"},
		{"as a fraction, which some proxies make of them", 200, `{"name":"orders","messages":7.0}`, nil, "7"},
		{"no statistics yet", 200, `{"name":"orders"}`, nil, "unavailable"},
		{"no count of those that are ready", 200, `{"name":"orders","messages":7}`, m{"excludeUnacknowledged": "true"}, "unavailable"},
		{"null", 200, `{"name":"orders","messages":null}`, nil, "unavailable"},
		{"a text", 200, `{"name":"orders","messages":"7"}`, nil, "unavailable"},
		{"an empty text", 200, `{"name":"orders","messages":""}`, nil, "unavailable"},
		{"true", 200, `{"name":"orders","messages":true}`, nil, "unavailable"},
		{"negative", 200, `{"name":"orders","messages":-1}`, nil, "unavailable"},
		{"NaN", 200, `{"name":"orders","messages":NaN}`, nil, "unavailable"},
		{"out of range", 200, `{"name":"orders","messages":1e999}`, nil, "unavailable"},
		{"a queue that is down", 200, `{"name":"orders","messages":7,"state":"down"}`, nil, "unavailable"},
		{"a queue that crashed", 200, `{"name":"orders","messages":7,"state":"crashed"}`, nil, "unavailable"},
		{"a queue that runs", 200, `{"name":"orders","messages":7,"state":"running"}`, nil, "7"},
		{"truncated", 200, `{"name":"orders","messages":7`, nil, "unavailable"},
		{"empty", 200, ``, nil, "unavailable"},
		{"null alone", 200, `null`, nil, "unavailable"},
		{"another object", 200, `{"status":"ok"}`, nil, "unavailable"},
		{"a list", 200, `[]`, nil, "unavailable"},
		{"a page to log in", 200, `<!doctype html><title>Sign in</title>`, nil, "unavailable"},
		{"no content", 204, ``, nil, "unavailable"},
		{"not there", 404, `{"error":"Object Not Found","reason":"Not Found"}`, nil, "configuration"},
		{"not authorized", 401, `{"error":"not_authorised","reason":"Login failed"}`, nil, "authentication"},
		{"forbidden", 403, ``, nil, "authentication"},
		{"too many requests", 429, ``, nil, "rate limited"},
		{"broken", 500, `{"error":"Internal Server Error","reason":{"a":1}}`, nil, "unavailable"},
		{"overloaded", 503, ``, nil, "unavailable"},
		{"rates", 200, `{"name":"orders","messages":7,"message_stats":{"publish_details":{"rate":2.5},"deliver_get_details":{"rate":5}}}`, rate("MessageRate"), "2.5 and activity 7"},
		{"rates", 200, `{"name":"orders","messages":7,"message_stats":{"publish_details":{"rate":2.5},"deliver_get_details":{"rate":5}}}`, rate("DeliverGetRate"), "5"},
		{"rates", 200, `{"name":"orders","messages":7,"message_stats":{"publish_details":{"rate":2.5},"deliver_get_details":{"rate":5}}}`, rate("PublishedToDeliveredRatio"), "0.5"},
		{"rates", 200, `{"name":"orders","messages":7,"message_stats":{"publish_details":{"rate":5},"deliver_get_details":{"rate":4}}}`, rate("ExpectedQueueConsumptionTime"), "2"},
		{"nothing happened", 200, `{"name":"orders","messages":0}`, rate("DeliverGetRate"), "0"},
		{"nothing, as the server writes no fields", 200, `{"name":"orders","messages":0,"message_stats":[]}`, rate("DeliverGetRate"), "0"},
		{"nothing was delivered", 200, `{"name":"orders","messages":4,"message_stats":{"publish_details":{"rate":2}}}`, rate("DeliverGetRate"), "0"},
		{"rates without a count", 200, `{"name":"orders","message_stats":{"publish_details":{"rate":2.5}}}`, rate("MessageRate"), "unavailable"},
		{"a rate that is null", 200, `{"name":"orders","messages":7,"message_stats":{"publish_details":{"rate":null}}}`, rate("MessageRate"), "unavailable"},
		{"a rate that is missing", 200, `{"name":"orders","messages":7,"message_stats":{"publish_details":{}}}`, rate("MessageRate"), "unavailable"},
		{"details that are null", 200, `{"name":"orders","messages":7,"message_stats":{"publish_details":null}}`, rate("MessageRate"), "unavailable"},
		{"a negative rate", 200, `{"name":"orders","messages":7,"message_stats":{"deliver_get_details":{"rate":-0.5}}}`, rate("DeliverGetRate"), "unavailable"},
		{"statistics that are a text", 200, `{"name":"orders","messages":7,"message_stats":"none"}`, rate("MessageRate"), "unavailable"},
		{"wrong rates that are not asked for", 200, `{"name":"orders","messages":7,"message_stats":"none"}`, nil, "7"},
	} {
		contentType := "application/json"
		if strings.HasPrefix(tc.body, "<") {
			contentType = "text/html; charset=utf-8"
		}
		a := serve(t, func(w http.ResponseWriter, path string, _ url.Values) {
			if strings.HasSuffix(path, "/api/overview") {
				fmt.Fprint(w, `{"rates_mode":"basic"}`)
				return
			}
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(tc.status)
			fmt.Fprint(w, tc.body)
		})
		r := read(t, trigger(t, a.URL, "orders", tc.metadata, nil))
		if got := outcome(r); got != tc.want {
			t.Errorf("%s: %s is read as %s (%v), want %s", tc.reason, tc.body, got, r.Err, tc.want)
		}
	}
}

// TestRabbitMQHugeAnswer stops reading one that does not end.
func TestRabbitMQHugeAnswer(t *testing.T) {
	t.Parallel()
	a := serve(t, func(w http.ResponseWriter, _ string, _ url.Values) {
		for chunk := []byte(`{"name":"orders"` + strings.Repeat(" ", 1<<20)); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	if got := outcome(read(t, trigger(t, a.URL, "orders", nil, nil))); got != "configuration" {
		t.Errorf("read %s", got)
	}
}

// TestRabbitMQAnswersToAListing reads two queues and two expressions from what a
// management API may answer to a listing.
func TestRabbitMQAnswersToAListing(t *testing.T) {
	t.Parallel()
	page := func(items string, pages, count int) string {
		return fmt.Sprintf(`{"items":[%s],"page":1,"page_count":%d,"filtered_count":%d,"total_count":%[3]d}`, items, pages, count)
	}
	const a, b, c = `{"name":"a","messages":1}`, `{"name":"b","messages":2}`, `{"name":"ab","messages":4}`
	for _, tc := range []struct {
		reason, body string
		want         string
	}{
		{"all", page(a+","+b+","+c, 1, 3), "1 2 5 0"},
		{"a bare list", "[" + a + "," + b + "," + c + "]", "1 2 5 0"},
		{"one is missing", page(a+","+c, 1, 2), "1 configuration 5 0"},
		{"none", page("", 0, 0), "configuration configuration 0 0"},
		{"an empty list", "[]", "configuration configuration 0 0"},
		{"one without statistics", page(a+`,{"name":"b"}`, 1, 2), "1 unavailable 1 0"},
		{"one of those that match without statistics", page(b+`,{"name":"a"}`, 1, 2), "unavailable 2 unavailable 0"},
		{"one with a strange count", page(a+`,{"name":"b","messages":{}}`, 1, 2), "1 unavailable 1 0"},
		{"truncated", page(a, 1, 1)[:40], "unavailable"},
		{"no items", `{"page_count":1,"filtered_count":0}`, "unavailable"},
		{"no pages", `{"items":[` + a + `]}`, "unavailable"},
		{"items that are null", `{"items":null,"page_count":1,"filtered_count":0}`, "unavailable"},
		{"negative", page(a, -1, -1), "unavailable"},
		{"numbers for queues", "[1,2]", "unavailable"},
		{"one queue", a, "unavailable"},
		{"null", "null", "unavailable"},
		{"a page to log in", "<html>", "unavailable"},
		{"endless", page(a, 1<<30, 1<<40), "configuration"},
	} {
		server := serve(t, func(w http.ResponseWriter, _ string, _ url.Values) { fmt.Fprint(w, tc.body) })
		batch := []*scalers.Scaler{
			trigger(t, server.URL, "a", nil, nil), trigger(t, server.URL, "b", nil, nil),
			trigger(t, server.URL, "A", m{"useRegex": "true"}, nil), trigger(t, server.URL, "x", m{"useRegex": "true"}, nil),
		}
		want := strings.Fields(tc.want)
		for len(want) < len(batch) {
			want = append(want, want[0])
		}
		out, err := readOn(t, scalertest.Open(t, batch[0]), batch...)
		if err != nil {
			t.Errorf("%s: an answer is an error of the whole connection: %v", tc.reason, err)
			continue
		}
		if diff := cmp.Diff(want, outcomes(out)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tc.reason, diff)
		}
		if n := len(server.asked); n != 1 {
			t.Errorf("%s: %d requests", tc.reason, n)
		}
	}
}
