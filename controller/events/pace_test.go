package events

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clientevents "k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"
)

// server keeps the notes of the events that were created.
type server struct {
	clientevents.EventSink
	mu    sync.Mutex
	notes map[string]bool
}

// Create keeps one, if it is sent with a deadline.
func (s *server) Create(ctx context.Context, event *eventsv1.Event) (*eventsv1.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := ctx.Deadline(); ok {
		s.notes[event.Note] = true
	}
	return event, nil
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.notes)
}

// TestPace: events beyond the burst wait, and at the end all that are left are sent.
func TestPace(t *testing.T) {
	const events, burst = 300, 20
	s := &server{notes: map[string]bool{}}
	p := newPaced(s, flowcontrol.NewTokenBucketRateLimiter(0.001, burst)) // one in a quarter of an hour
	broadcaster := clientevents.NewBroadcaster(p)
	if err := broadcaster.StartRecordingToSinkWithContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	recorder := Recorder{Sink: broadcaster.NewRecorder(clientgoscheme.Scheme, "test")}
	for i := range events {
		name := fmt.Sprint("orders-", i)
		recorder.Note(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}, ScaledObjectReady, name)
	}
	await(t, "all are pending or sent", func() bool { return int(p.pending.Load())+s.count() == events })
	if got := s.count(); got != burst {
		t.Errorf("%d events were sent, want the %d of the burst", got, burst)
	}
	ctx, end := context.WithCancel(t.Context())
	end()
	if err := p.Start(ctx); err != nil {
		t.Fatal(err)
	}
	await(t, "all are sent", func() bool { return s.count() == events })
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for a minute until %s", what)
		}
	}
}
