package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/param"
)

// amqpServer is a virtual host of a server that is spoken to over AMQP as one
// user. Without a user the client certificate logs in.
type amqpServer struct {
	Address  string
	VHost    string
	Username string
	Password param.Secret
	UseTLS   bool
	TLS      conn.TLS
}

// String names the server and virtual host.
func (s amqpServer) String() string { return fmt.Sprintf("amqp://%s, vhost %q", s.Address, s.VHost) }

// open connects.
func (s amqpServer) open(ctx context.Context) (*amqpConn, error) {
	c := &amqpConn{server: s, turn: make(chan struct{}, 1)}
	_, err := c.connected(ctx)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// amqpConn is the connection to a virtual host: one, which is opened anew after
// a read had to cut it. It is safe for concurrent use.
type amqpConn struct {
	server amqpServer
	// turn holds one token while session is in use and, unlike a mutex, can be
	// waited for with a deadline.
	turn    chan struct{}
	session *amqpSession
}

// amqpSession is an open connection and those of its channels that nobody uses.
type amqpSession struct {
	*amqp.Connection
	socket net.Conn
	cut    atomic.Bool
	idle   chan *amqp.Channel
}

// hangUp ends the connection at once.
func (s *amqpSession) hangUp() {
	s.cut.Store(true) // which the client notices later
	_ = s.socket.Close()
}

// connected returns the open connection.
func (c *amqpConn) connected(ctx context.Context) (*amqpSession, error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-c.turn }()
	if c.session == nil || c.session.cut.Load() || c.session.IsClosed() {
		session, err := c.server.dial(ctx)
		if err != nil {
			return nil, err
		}
		c.session = session
	}
	return c.session, nil
}

// close says goodbye to the server, and hangs up when it does not answer.
func (c *amqpConn) close() error {
	cut := time.AfterFunc(time.Second, c.session.hangUp)
	defer cut.Stop()
	if err := c.session.Close(); err != nil && !errors.Is(err, amqp.ErrClosed) {
		return fmt.Errorf("closing the connection: %w", err)
	}
	return nil
}

// dial connects and logs in.
func (s amqpServer) dial(ctx context.Context) (*amqpSession, error) {
	tlsConfig, err := s.TLS.Config()
	if err != nil {
		return nil, err
	}
	socket, err := new(net.Dialer).DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return nil, err //nolint:wrapcheck // says what was dialed
	}
	if s.UseTLS {
		tlsConfig.ServerName, _, _ = net.SplitHostPort(s.Address)
		client := tls.Client(socket, tlsConfig)
		if err := client.HandshakeContext(ctx); err != nil {
			_ = socket.Close()
			return nil, fmt.Errorf("speaking TLS to %s: %w", s.Address, err)
		}
		socket = client
	}
	stop := context.AfterFunc(ctx, func() { _ = socket.Close() })
	defer stop()
	config := amqp.Config{
		Vhost: s.VHost, Locale: "en_US", Heartbeat: 10 * time.Second, FrameSize: 128 << 10,
		Properties: amqp.Table{"connection_name": "freshet", "product": "freshet"},
	}
	config.SASL = []amqp.Authentication{&login{server: s, properties: config.Properties}}
	client, err := amqp.Open(socket, config)
	if err == nil && !stop() {
		err = ctx.Err() // the socket is closed, or will be
	}
	if err != nil {
		_ = socket.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, s.loginError(err)
	}
	return &amqpSession{Connection: client, socket: socket, idle: make(chan *amqp.Channel, mostAtOnce)}, nil
}

// login is how a server is logged in to.
type login struct {
	server     amqpServer
	properties amqp.Table
}

// Mechanism is that of the password or of the client certificate.
func (l *login) Mechanism() string {
	if l.server.Username == "" {
		return new(amqp.ExternalAuth).Mechanism()
	}
	return new(amqp.PlainAuth).Mechanism()
}

// Response holds the password. The client asks for it when it has told the
// server its own capabilities: there is one more, to be told why a login failed
// instead of being cut off.
func (l *login) Response() string {
	if capabilities, ok := l.properties["capabilities"].(amqp.Table); ok {
		capabilities["authentication_failure_close"] = true
	}
	if l.server.Username == "" {
		return new(amqp.ExternalAuth).Response()
	}
	return (&amqp.PlainAuth{Username: l.server.Username, Password: l.server.Password.Reveal()}).Response()
}

// amqpRead is a read of several queues on one connection.
type amqpRead struct {
	vhost   string
	session *amqpSession
	queues  []string
	counts  []float64
	errs    []error
	// asked are those that were asked for before ctx ended.
	asked []bool
	// answered counts queues of which the server told anything.
	answered atomic.Int32
}

// read counts the messages that are ready in the triggers' queues.
func (c *amqpConn) read(ctx context.Context, triggers []*RabbitMQ, out []scalers.Result) error {
	session, err := c.connected(ctx)
	if err != nil {
		return err
	}
	r := amqpRead{session: session, vhost: c.server.VHost, queues: order(triggers)}
	places := make(map[string]int, len(r.queues))
	for i, queue := range r.queues {
		places[queue] = i
	}
	err = r.run(ctx)
	for i, t := range triggers {
		place := places[t.Queue]
		if r.asked[place] {
			t.silent.Store(scalers.IsTimeout(r.errs[place]))
		}
		q := queueNumbers{Messages: r.counts[place]}
		out[i] = scalers.Result{Value: q.value(t.Mode, t.ActivationValue), Err: r.errs[place]}
	}
	return err
}

// order returns each queue of the triggers once. Those that were silent when
// they were read last come last, for they take the turn of others.
func order(triggers []*RabbitMQ) (queues []string) {
	seen := make(map[string]bool, len(triggers))
	var silent []string
	for _, t := range triggers {
		switch {
		case seen[t.Queue]:
		case t.silent.Load():
			silent = append(silent, t.Queue)
		default:
			queues = append(queues, t.Queue)
		}
		seen[t.Queue] = true
	}
	return append(queues, silent...)
}

// run asks for all queues. When ctx ends before they have answered, the
// connection is cut: calls of the client do not end otherwise. The error is that
// of a connection on which none answered.
func (r *amqpRead) run(ctx context.Context) error {
	defer context.AfterFunc(ctx, r.session.hangUp)()
	r.counts, r.errs, r.asked = make([]float64, len(r.queues)), make([]error, len(r.queues)), make([]bool, len(r.queues))
	conn.InParallel(len(r.queues), mostAtOnce, func(i int) {
		r.asked[i] = ctx.Err() == nil
		r.counts[i], r.errs[i] = r.count(ctx, r.queues[i])
	})
	if r.answered.Load() == 0 {
		return r.errs[0]
	}
	return nil
}

// count asks for one queue.
func (r *amqpRead) count(ctx context.Context, queue string) (float64, error) {
	channel, err := r.session.channel()
	var answer amqp.Queue
	if err == nil {
		answer, err = channel.QueueDeclarePassive(queue, false, false, false, false, nil)
	}
	var said *amqp.Error
	switch {
	case err == nil:
		r.session.release(channel)
		r.answered.Add(1)
		if answer.Messages < 0 {
			return 0, scalers.UnavailableError("the server counts %d messages in queue %q", answer.Messages, queue)
		}
		return float64(answer.Messages), nil
	case errors.As(err, &said) && said.Server && !r.session.IsClosed():
		r.answered.Add(1) // and closed the channel
		return 0, r.queueError(queue, said)
	case ctx.Err() != nil:
		return 0, fmt.Errorf("reading queue %q: %w", queue, ctx.Err())
	default:
		r.session.hangUp() // if it is not lost, it is of no use
		return 0, scalers.UnavailableError("reading queue %q: the connection is lost: %w", queue, err)
	}
}

// channel returns a channel that nobody else uses until it is released. One that
// the server closed is not.
func (s *amqpSession) channel() (*amqp.Channel, error) {
	select {
	case c := <-s.idle:
		return c, nil
	default:
		return s.Channel() //nolint:wrapcheck // it is given its class above
	}
}

func (s *amqpSession) release(c *amqp.Channel) {
	select {
	case s.idle <- c:
	default:
		_ = c.Close() // another read has left enough
	}
}
