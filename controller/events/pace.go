package events

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	typedeventsv1 "k8s.io/client-go/kubernetes/typed/events/v1"
	clientevents "k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// The pace of events: what goes beyond waits, and none is dropped. A thousand objects
// that begin, or fail, at once are thousands of events, which the API server would
// otherwise take in before what the objects wait for. The kubelet has the same bounds.
const (
	perSecond = 50
	burst     = 100
)

const (
	// sendLimit is how long one call may take.
	sendLimit = 30 * time.Second
	// lastCalls is how long events that are not sent yet may hold up the end.
	lastCalls = 3 * time.Second
)

// NewSink returns what sends events of that reporter to the manager's cluster, at a
// pace. It sends until the manager ends, and then what is left without a pace.
func NewSink(mgr manager.Manager, reporter string) (clientevents.EventRecorder, error) {
	client, err := typedeventsv1.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("making a client of events: %w", err)
	}
	sink := newPaced(&clientevents.EventSinkImpl{Interface: client}, flowcontrol.NewTokenBucketRateLimiter(perSecond, burst))
	broadcaster := clientevents.NewBroadcaster(sink)
	if err := broadcaster.StartRecordingToSinkWithContext(context.Background()); err != nil {
		return nil, fmt.Errorf("beginning to send events: %w", err)
	}
	if _, err := broadcaster.StartLogging(mgr.GetLogger().WithName("events").V(1)); err != nil {
		return nil, fmt.Errorf("beginning to log events: %w", err)
	}
	if err := mgr.Add(sink); err != nil {
		return nil, fmt.Errorf("adding what sends events: %w", err)
	}
	return broadcaster.NewRecorder(mgr.GetScheme(), reporter), nil
}

// paced is a sink that sends at a pace.
type paced struct {
	sink  clientevents.EventSink
	limit flowcontrol.RateLimiter
	// hurry ends the pace.
	hurry   context.Context
	end     context.CancelFunc
	pending atomic.Int64
}

func newPaced(sink clientevents.EventSink, limit flowcontrol.RateLimiter) *paced {
	p := &paced{sink: sink, limit: limit}
	p.hurry, p.end = context.WithCancel(context.Background())
	return p
}

// NeedLeaderElection is false: every replica has something to say.
func (p *paced) NeedLeaderElection() bool { return false }

// Start waits for the end of ctx and then, for a while, until all that is pending was
// sent.
func (p *paced) Start(ctx context.Context) error {
	<-ctx.Done()
	p.end()
	for until := time.Now().Add(lastCalls); p.pending.Load() > 0 && time.Now().Before(until); {
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

// Create sends a new event.
func (p *paced) Create(ctx context.Context, event *eventsv1.Event) (*eventsv1.Event, error) {
	return p.send(ctx, func(ctx context.Context) (*eventsv1.Event, error) { return p.sink.Create(ctx, event) })
}

// Update sends an event as it is now.
func (p *paced) Update(ctx context.Context, event *eventsv1.Event) (*eventsv1.Event, error) {
	return p.send(ctx, func(ctx context.Context) (*eventsv1.Event, error) { return p.sink.Update(ctx, event) })
}

// Patch sends that an event was repeated.
func (p *paced) Patch(ctx context.Context, event *eventsv1.Event, data []byte) (*eventsv1.Event, error) {
	return p.send(ctx, func(ctx context.Context) (*eventsv1.Event, error) { return p.sink.Patch(ctx, event, data) })
}

func (p *paced) send(ctx context.Context, call func(context.Context) (*eventsv1.Event, error)) (*eventsv1.Event, error) {
	p.pending.Add(1)
	defer p.pending.Add(-1)
	_ = p.limit.Wait(p.hurry) // an error is that there is no pace any more
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	return call(ctx)
}
