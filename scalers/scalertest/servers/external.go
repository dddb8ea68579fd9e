package servers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/freshet-io/freshet/scalers/external/externalscaler"
)

// ExternalOptions say how an external scaler is to run.
type ExternalOptions struct {
	// TLS, when set, makes the server speak nothing else.
	TLS *TLSFiles
	// Pulls leaves out StreamMetricSpec, as servers that are older than it do.
	Pulls bool
	// Answer, when set, answers a call in the server's place; with nil and no error
	// the server answers. Streams are asked when they begin, and end with an error.
	Answer func(ctx context.Context, method string, request proto.Message) (proto.Message, error)
}

// ExternalMetric is a metric of an object.
type ExternalMetric struct {
	Name          string
	Target, Value float64
}

// External is a server of the external scaler protocol in this process. It says
// of each object what it was last told.
type External struct {
	externalscaler.UnsafeExternalScalerServer
	options ExternalOptions
	creds   grpc.ServerOption

	mu      sync.Mutex
	addr    string
	server  *grpc.Server
	done    chan struct{}
	objects map[string]*externalObject
	// calls and streams count by method; the streams are open.
	calls, streams map[string]int
	accepted, open int
}

// externalObject is what is said of an object by its name.
type externalObject struct {
	metrics []ExternalMetric
	active  bool
	changed chan struct{}
	seen    *externalscaler.ScaledObjectRef
}

// StartExternal starts a server on a free port.
func StartExternal(o ExternalOptions) (*External, error) {
	s := &External{options: o, addr: "127.0.0.1:0", objects: map[string]*externalObject{}, calls: map[string]int{}, streams: map[string]int{}}
	s.creds = grpc.EmptyServerOption{}
	if o.TLS != nil {
		config, err := o.TLS.server()
		if err != nil {
			return nil, err
		}
		s.creds = grpc.Creds(credentials.NewTLS(config))
	}
	return s, s.Start()
}

// server is the configuration of a server.
func (f *TLSFiles) server() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientCAs: x509.NewCertPool()}
	ca, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, fmt.Errorf("reading the authority: %w", err)
	}
	config.ClientCAs.AppendCertsFromPEM(ca)
	if f.RequireClient {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}

// Start starts a server that was killed again, at the same address and with what
// it was told.
func (s *External) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := net.Listen("tcp", s.addr) //nolint:noctx // binds at once
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	s.addr = l.Addr().String()
	server := grpc.NewServer(s.creds)
	service := externalscaler.ExternalScaler_ServiceDesc
	if s.options.Pulls {
		service.Streams = service.Streams[:1]
	}
	server.RegisterService(&service, s)
	done := make(chan struct{})
	s.server, s.done = server, done
	go func() {
		defer close(done)
		_ = server.Serve(&countingListener{Listener: l, of: s}) // ends with the server
	}()
	return nil
}

// Kill ends the server as a crash would and returns when it is gone.
func (s *External) Kill() error {
	s.mu.Lock()
	server, done := s.server, s.done
	s.mu.Unlock()
	server.Stop()
	<-done
	return nil
}

// Stop ends the server for good and returns when it is gone.
func (s *External) Stop() error { return s.Kill() }

// Addr is where the server listens, as host:port.
func (s *External) Addr() string { return s.addr }

// Set says what metrics there are of the object, and tells those who listen.
func (s *External) Set(object string, metrics ...ExternalMetric) {
	s.change(object, func(o *externalObject) { o.metrics = metrics })
}

// Activate says whether there is work for the object, and tells those who listen.
func (s *External) Activate(object string, active bool) {
	s.change(object, func(o *externalObject) { o.active = active })
}

// Seen is what the server was last told of the object.
func (s *External) Seen(object string) *externalscaler.ScaledObjectRef {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.object(object).seen
}

// Calls is how often a method was called, streams among them.
func (s *External) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// Streams is how many streams of the method are open.
func (s *External) Streams(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams[method]
}

// Connections is how many connections were accepted, and how many are open.
func (s *External) Connections() (accepted, open int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted, s.open
}

// object is by name; the server is locked.
func (s *External) object(name string) *externalObject {
	if s.objects[name] == nil {
		s.objects[name] = &externalObject{changed: make(chan struct{})}
	}
	return s.objects[name]
}

func (s *External) change(object string, change func(*externalObject)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.object(object)
	change(o)
	close(o.changed)
	o.changed = make(chan struct{})
}

// called notes a call and returns what is said of the object then.
func (s *External) called(method string, ref *externalscaler.ScaledObjectRef) externalObject {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[method]++
	o := s.object(ref.GetName())
	o.seen = ref
	return *o
}

// answer is what the options have for a call, or what the server makes.
func answer[R any](ctx context.Context, s *External, method string, request proto.Message, own func() (*R, error)) (*R, error) {
	if s.options.Answer == nil {
		return own()
	}
	reply, err := s.options.Answer(ctx, method, request)
	if err != nil {
		return nil, err
	}
	if reply == nil {
		return own()
	}
	r, ok := any(reply).(*R)
	if !ok {
		return nil, status.Errorf(codes.Internal, "the test answers %s with %T", method, reply)
	}
	return r, nil
}

// IsActive says whether there is work.
func (s *External) IsActive(ctx context.Context, ref *externalscaler.ScaledObjectRef) (*externalscaler.IsActiveResponse, error) {
	o := s.called("IsActive", ref)
	return answer(ctx, s, "IsActive", ref, func() (*externalscaler.IsActiveResponse, error) {
		return &externalscaler.IsActiveResponse{Result: o.active}, nil
	})
}

// GetMetricSpec names the object's metrics. Without any it names none.
func (s *External) GetMetricSpec(ctx context.Context, ref *externalscaler.ScaledObjectRef) (*externalscaler.GetMetricSpecResponse, error) {
	o := s.called("GetMetricSpec", ref)
	return answer(ctx, s, "GetMetricSpec", ref, func() (*externalscaler.GetMetricSpecResponse, error) { return o.specs(), nil })
}

func (o *externalObject) specs() *externalscaler.GetMetricSpecResponse {
	reply := &externalscaler.GetMetricSpecResponse{}
	for _, m := range o.metrics {
		reply.MetricSpecs = append(reply.MetricSpecs, &externalscaler.MetricSpec{MetricName: m.Name, TargetSizeFloat: m.Target})
	}
	return reply
}

// GetMetrics gives the value of one metric.
func (s *External) GetMetrics(ctx context.Context, r *externalscaler.GetMetricsRequest) (*externalscaler.GetMetricsResponse, error) {
	o := s.called("GetMetrics", r.GetScaledObjectRef())
	return answer(ctx, s, "GetMetrics", r, func() (*externalscaler.GetMetricsResponse, error) {
		for _, m := range o.metrics {
			if m.Name == r.GetMetricName() {
				return &externalscaler.GetMetricsResponse{MetricValues: []*externalscaler.MetricValue{
					{MetricName: m.Name, MetricValueFloat: m.Value},
				}}, nil
			}
		}
		return nil, status.Errorf(codes.NotFound, "there is no metric %q", r.GetMetricName())
	})
}

// StreamIsActive sends whether there is work, now and when that changes.
func (s *External) StreamIsActive(ref *externalscaler.ScaledObjectRef, stream grpc.ServerStreamingServer[externalscaler.IsActiveResponse]) error {
	return serveStream(s, "StreamIsActive", ref, stream, func(old, o *externalObject) *externalscaler.IsActiveResponse {
		if old != nil && old.active == o.active {
			return nil
		}
		return &externalscaler.IsActiveResponse{Result: o.active}
	})
}

// StreamMetricSpec sends the object's metrics, now and when they change.
func (s *External) StreamMetricSpec(ref *externalscaler.ScaledObjectRef, stream grpc.ServerStreamingServer[externalscaler.GetMetricSpecResponse]) error {
	return serveStream(s, "StreamMetricSpec", ref, stream, func(old, o *externalObject) *externalscaler.GetMetricSpecResponse {
		if old != nil && proto.Equal(old.specs(), o.specs()) {
			return nil
		}
		return o.specs()
	})
}

// serveStream sends what message makes of the object, now and on each change,
// until the stream ends.
func serveStream[R any](s *External, method string, ref *externalscaler.ScaledObjectRef, stream grpc.ServerStreamingServer[R],
	message func(old, o *externalObject) *R,
) error {
	s.called(method, ref)
	s.count(method, 1)
	defer s.count(method, -1)
	if s.options.Answer != nil {
		if _, err := s.options.Answer(stream.Context(), method, ref); err != nil {
			if errors.Is(err, errEnd) {
				return nil
			}
			return err
		}
	}
	var old *externalObject
	for {
		s.mu.Lock()
		o := *s.object(ref.GetName())
		s.mu.Unlock()
		if m := message(old, &o); m != nil {
			if err := stream.Send(m); err != nil {
				return err //nolint:wrapcheck // the server knows this one
			}
		}
		old = &o
		select {
		case <-o.changed:
		case <-stream.Context().Done():
			return nil
		}
	}
}

// errEnd has a stream end well.
var errEnd = errors.New("end")

// EndStream is what [ExternalOptions.Answer] returns to end a stream well, before
// any message.
func EndStream() error { return errEnd }

func (s *External) count(method string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams[method] += n
}

// countingListener counts the connections that it accepts.
type countingListener struct {
	net.Listener
	of *External
}

// Accept waits for a connection.
func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // the server knows this one
	}
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	l.of.accepted++
	l.of.open++
	return &countedConn{Conn: c, of: l.of}, nil
}

type countedConn struct {
	net.Conn
	of   *External
	once sync.Once
}

// Close closes the connection.
func (c *countedConn) Close() error {
	c.once.Do(func() {
		c.of.mu.Lock()
		defer c.of.mu.Unlock()
		c.of.open--
	})
	return c.Conn.Close() //nolint:wrapcheck // the server knows this one
}
