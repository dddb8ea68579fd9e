package azure

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"runtime/debug"
	"sync/atomic"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
)

const (
	// parallelReads is how many queues of an account are read at a time.
	parallelReads = 4
	// mostPeeked is how many messages the service shows at most.
	mostPeeked = 32
)

// messages is the messages of one queue, however many triggers count them, by
// the strategies that are wanted.
type messages struct {
	queue                  string
	wantAll, wantVisible   bool
	allCount, visibleCount scalers.Result
}

// readQueues reads each queue once, some at a time. The error is that of the
// first trigger, when no queue could be read and no trigger is to be changed.
func readQueues(ctx context.Context, c *queueConn, queues []*Queue, out []scalers.Result) error {
	byName := map[string]*messages{}
	var each []*messages
	for _, q := range queues {
		m := byName[q.QueueName]
		if m == nil {
			m = &messages{queue: q.QueueName}
			byName[q.QueueName] = m
			each = append(each, m)
		}
		m.wantAll = m.wantAll || q.Strategy == allMessages
		m.wantVisible = m.wantVisible || q.Strategy == visibleOnly
	}
	readInParallel(ctx, c, each)
	whole := true
	for i, q := range queues {
		if out[i] = byName[q.QueueName].allCount; q.Strategy == visibleOnly {
			out[i] = byName[q.QueueName].visibleCount
		}
		whole = whole && out[i].Err != nil && scalers.ClassOf(out[i].Err) != scalers.Configuration
	}
	if whole {
		return out[0].Err
	}
	return nil
}

// readInParallel reads the messages of each queue and returns when all are read.
// Once the service cannot be reached, the queues that wait are given that error.
func readInParallel(ctx context.Context, c *queueConn, each []*messages) {
	var lost atomic.Pointer[unreachable]
	conn.InParallel(len(each), parallelReads, func(i int) {
		if err := lost.Load(); err != nil {
			each[i].fail(err)
		} else if err := each[i].read(ctx, c); err != nil {
			lost.Store(err)
		}
	})
}

func (m *messages) fail(err error) {
	m.allCount, m.visibleCount = scalers.Result{Err: err}, scalers.Result{Err: err}
}

// read counts by the strategies that are wanted and returns why the service
// cannot be reached. A panic is the error of the queue.
func (m *messages) read(ctx context.Context, c *queueConn) (lost *unreachable) {
	defer func() {
		if p := recover(); p != nil {
			m.fail(&scalers.PanicError{Value: p, Stack: debug.Stack()})
		}
	}()
	client := c.service.NewQueueClient(m.queue)
	many := false
	if m.wantVisible {
		var n int
		n, m.visibleCount.Err = m.peek(ctx, client)
		if errors.As(m.visibleCount.Err, &lost) {
			m.fail(lost)
			return lost
		}
		m.visibleCount.Value = scalers.Number(float64(n))
		many = n >= mostPeeked
	}
	if m.wantAll || many {
		var n int64
		n, m.allCount.Err = m.approximate(ctx, client)
		m.allCount.Value = scalers.Number(float64(n))
		errors.As(m.allCount.Err, &lost)
	}
	if many {
		m.visibleCount = m.allCount
	}
	return lost
}

// peek counts the visible messages at the head of a queue, up to mostPeeked.
func (m *messages) peek(ctx context.Context, client *azqueue.QueueClient) (int, error) {
	most := int32(mostPeeked)
	var raw *http.Response
	answer, err := client.PeekMessages(policy.WithCaptureResponse(ctx, &raw), &azqueue.PeekMessagesOptions{NumberOfMessages: &most})
	if err != nil {
		return 0, queueError(ctx, m.queue, raw, err)
	}
	if !listsMessages(raw) {
		return 0, wrongContent(raw, "a list of messages")
	}
	return len(answer.Messages), nil
}

// listsMessages tells whether an answer is a list of messages, which the library
// takes any XML for, and nothing too.
func listsMessages(raw *http.Response) bool {
	text, err := runtime.Payload(raw)
	if err != nil {
		return false
	}
	for decoder := xml.NewDecoder(bytes.NewReader(text)); ; {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		if root, ok := token.(xml.StartElement); ok {
			return root.Name.Local == "QueueMessagesList"
		}
	}
}

// approximate is the service's own count of a queue's messages, visible or not.
func (m *messages) approximate(ctx context.Context, client *azqueue.QueueClient) (int64, error) {
	var raw *http.Response
	answer, err := client.GetProperties(policy.WithCaptureResponse(ctx, &raw), nil)
	switch {
	case err != nil:
		return 0, queueError(ctx, m.queue, raw, err)
	case answer.ApproximateMessagesCount == nil || *answer.ApproximateMessagesCount < 0:
		return 0, wrongContent(raw, "a number of messages (x-ms-approximate-messages-count)")
	}
	return *answer.ApproximateMessagesCount, nil
}
