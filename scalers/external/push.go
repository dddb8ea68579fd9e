package external

import (
	"cmp"
	"context"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/external/externalscaler"
)

func init() {
	scalers.Register(scalers.Kind[*client, *PushScaler]{
		Types: []string{"external-push"}, Category: "external", Since: "0.1.0", Label: "externalPushScaler",
		Example: map[string]string{"scalerAddress": "orders-scaler.default.svc:9090", "queue": "orders"},
		Named:   true, OpenMetadata: true, Parallel: atOnce,
		Watch: func(ctx context.Context, c *client, s *PushScaler, event func(bool)) error {
			return s.watch(ctx, c, event)
		},
	})
}

// PushScaler scales on the metrics of a gRPC server that you run, as external
// does, and is told by it when there is work: then the workload leaves zero at
// once. A server may also tell when its metrics or their targets change.
type PushScaler struct {
	// The server to ask.
	Server

	// streamed is what a stream last said of the metrics, as long as it lasts;
	// asked is what the server last answered.
	streamed, asked atomic.Pointer[metrics]
}

// Read asks for the values, and for the metrics that there are unless a stream
// tells of them.
func (s *PushScaler) Read(ctx context.Context, c *client) (scalers.Value, error) {
	m := s.streamed.Load()
	if m == nil {
		var err error
		if m, err = s.ask(ctx, c); err != nil {
			return scalers.Value{}, err
		}
		s.asked.Store(m)
	}
	return s.read(ctx, c, m)
}

// watch listens to both streams until that of activity ends, or that of metrics
// fails after it worked.
func (s *PushScaler) watch(ctx context.Context, c *client, event func(bool)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.watchMetrics(ctx, c, event); err != nil {
			cancel(err)
		}
	}()
	err := s.watchActive(ctx, c, event)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	cancel(nil)
	<-done
	return err
}

// watchActive tells of every message that says that there is work. Going back to
// zero is for the polls.
func (s *PushScaler) watchActive(ctx context.Context, c *client, event func(bool)) error {
	stream, err := c.StreamIsActive(ctx, s.ref())
	said := false
	for err == nil {
		var reply *externalscaler.IsActiveResponse
		if reply, err = stream.Recv(); err == nil {
			said = true
			if reply.GetResult() {
				event(true)
			}
		}
	}
	return s.ended(ctx, "StreamIsActive", said, err)
}

// watchMetrics keeps what the server says of its metrics, and has the trigger
// read when that changes. It returns nil when there is nothing to listen to: the
// reads ask then. A server that does not have the method is not asked again.
func (s *PushScaler) watchMetrics(ctx context.Context, c *client, event func(bool)) error {
	const method = "StreamMetricSpec"
	if c.noSpecs.Load() {
		return nil
	}
	defer s.streamed.Store(nil)
	stream, err := c.StreamMetricSpec(ctx, s.ref())
	for err == nil {
		var reply *externalscaler.GetMetricSpecResponse
		if reply, err = stream.Recv(); err != nil {
			break
		}
		known := cmp.Or(s.streamed.Load(), s.asked.Load())
		m := s.metrics(method, reply.GetMetricSpecs())
		s.streamed.Store(m)
		if !m.equal(known) {
			event(false)
		}
	}
	if status.Code(err) == codes.Unimplemented {
		c.noSpecs.Store(true)
	}
	if s.streamed.Load() == nil { // it never worked
		return nil
	}
	return s.ended(ctx, method, true, err)
}
