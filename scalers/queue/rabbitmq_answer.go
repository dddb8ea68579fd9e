package queue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
)

// queueAnswer is what the management API says of a queue, of the columns that
// are asked for. What one queue has that is no number is its own fault, and so
// is looked at when the queue is wanted.
type queueAnswer struct {
	Name     string          `json:"name"`
	State    json.RawMessage `json:"state"`
	Messages json.RawMessage `json:"messages"`
	Ready    json.RawMessage `json:"messages_ready"`
	Stats    json.RawMessage `json:"message_stats"`
}

// Columns of a queue.
const (
	countColumns = "name,state,messages,messages_ready"
	rateColumns  = countColumns + ",message_stats.publish_details.rate,message_stats.deliver_get_details.rate"
)

// pageAnswer is a part of a listing of queues.
type pageAnswer struct {
	Items *[]queueAnswer `json:"items"`
	Pages *int           `json:"page_count"`
	// Count is how many queues all pages have together.
	Count *int `json:"filtered_count"`
}

// decodePage reads a part of a listing. Servers that know no pages answer with
// a bare list of all queues.
func decodePage(a *conn.Answer) (*pageAnswer, error) {
	var page pageAnswer
	if bytes.HasPrefix(bytes.TrimSpace(a.Body), []byte("[")) {
		var all []queueAnswer
		if json.Unmarshal(a.Body, &all) != nil {
			return nil, notManagement(a)
		}
		one, count := 1, len(all)
		return &pageAnswer{Items: &all, Pages: &one, Count: &count}, nil
	}
	err := json.Unmarshal(a.Body, &page)
	if err != nil || page.Items == nil || page.Pages == nil || page.Count == nil || *page.Pages < 0 || *page.Count < 0 {
		return nil, notManagement(a)
	}
	return &page, nil
}

// decodeQueue reads the answer about one queue.
func decodeQueue(a *conn.Answer) (*queueAnswer, error) {
	var q queueAnswer
	if json.Unmarshal(a.Body, &q) != nil || q.Name == "" {
		return nil, notManagement(a)
	}
	return &q, nil
}

// notManagement says that an answer with status 200 is not what it should be.
func notManagement(a *conn.Answer) error {
	if a.WebPage {
		return scalers.UnavailableError("%s answers with a web page: parameter host is the wrong address, or the page is one to log in", a.URL)
	}
	return scalers.UnavailableError("%s does not answer as the management API of RabbitMQ does", a.URL)
}

// numbers are those of the queue. A count that is missing is an error; a rate
// is when there is none although the server keeps rates: see hasStats.
func (q *queueAnswer) numbers(ready, wantRates bool) (n queueNumbers, err error) {
	var state string
	if !absent(q.State) && json.Unmarshal(q.State, &state) == nil && (state == "down" || state == "crashed" || state == "stopped") {
		return n, scalers.UnavailableError("queue %q is %s", q.Name, state)
	}
	key, count := "messages", q.Messages
	if ready {
		key, count = "messages_ready", q.Ready
	}
	if absent(count) {
		return n, scalers.UnavailableError("the server does not say what queue %q holds (%s): it has no statistics of it yet, "+
			"or keeps none, which management_agent.disable_metrics_collector and management.disable_stats turn off", q.Name, key)
	}
	if n.Messages, err = q.number(key, count); err != nil || !wantRates {
		return n, err
	}
	if n.Published, err = q.rate("publish_details"); err != nil {
		return n, err
	}
	n.Delivered, err = q.rate("deliver_get_details")
	return n, err
}

// hasStats tells whether anything is told of what passed through the queue.
func (q *queueAnswer) hasStats() bool { return !absent(q.Stats) }

// rate is how often something happens in a second. What never happened has
// none, and a rate of 0.
func (q *queueAnswer) rate(details string) (float64, error) {
	if !q.hasStats() {
		return 0, nil
	}
	var stats map[string]json.RawMessage
	if err := json.Unmarshal(q.Stats, &stats); err != nil {
		return 0, q.noNumber("message_stats")
	}
	text, ok := stats[details]
	if !ok {
		return 0, nil
	}
	var rate struct {
		Rate json.RawMessage `json:"rate"`
	}
	if err := json.Unmarshal(text, &rate); err != nil || absent(rate.Rate) {
		return 0, q.noNumber(details)
	}
	return q.number(details, rate.Rate)
}

// number is a text of JSON that must be one of at least 0.
func (q *queueAnswer) number(key string, text json.RawMessage) (float64, error) {
	var n float64
	if json.Unmarshal(text, &n) != nil || n < 0 {
		return 0, q.noNumber(key)
	}
	return n, nil
}

func (q *queueAnswer) noNumber(key string) error {
	return scalers.UnavailableError("the server says of queue %q, as its %s, what is no number of at least 0", q.Name, key)
}

// absent tells whether a value is missing or empty. The server has [] for what
// is an object without fields.
func absent(text json.RawMessage) bool {
	switch string(bytes.TrimSpace(text)) {
	case "", "null", "[]", "{}":
		return true
	}
	return false
}

// refusal adds what the server says of an error to it.
func refusal(err error) error {
	var status *conn.StatusError
	var said struct{ Error, Reason string }
	if !errors.As(err, &status) || json.Unmarshal(status.Body, &said) != nil || said.Reason == "" {
		return err
	}
	return &scalers.Error{
		Class: scalers.ClassOf(err), RetryAfter: scalers.RetryAfterOf(err),
		Err: fmt.Errorf("%w: %q", err, said.Reason),
	}
}
