package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/param"
)

// redisLogin is how to connect to a server, and as whom.
type redisLogin struct {
	Username string
	Password param.Secret
	Database int
	UseTLS   bool
	TLS      conn.TLS
}

// redisLinks are connections by one login, at most one to each address. One that
// failed is closed, and made anew when it is needed again.
type redisLinks struct {
	login redisLogin

	mu     sync.Mutex
	open   map[string]*redisLink
	closed bool
}

// redisLink is a connection to one server. Its fields but client are guarded by
// the mutex of the links.
type redisLink struct {
	client *redis.Client
	users  int
	// retired links are not used again and close after their last use.
	retired bool
}

func newRedisLinks(login redisLogin) *redisLinks {
	return &redisLinks{login: login, open: map[string]*redisLink{}}
}

// errUnanswered is what a command has until it is answered: the client leaves
// those that it did not send without an error and with the number 0.
var errUnanswered = errors.New("the server did not answer")

// send sends the commands to the server in one pipeline and returns when each has
// an answer or an error. The error tells why not all were answered.
func (l *redisLinks) send(ctx context.Context, address string, cmds []redis.Cmder) error {
	for _, cmd := range cmds {
		cmd.SetErr(errUnanswered)
	}
	err := l.exec(ctx, address, cmds)
	if err != nil {
		if refused := redis.Error(nil); errors.As(err, &refused) { // by the login, and not for a command
			err = redisError(err)
		}
		for _, cmd := range cmds {
			if errors.Is(cmd.Err(), errUnanswered) {
				cmd.SetErr(err)
			}
		}
	}
	return err
}

// exec sends the commands. The error tells why not all were answered: replies of
// the server to single commands are with these.
func (l *redisLinks) exec(ctx context.Context, address string, cmds []redis.Cmder) (err error) {
	link, err := l.acquire(address)
	if err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			err = scalers.UnavailableError("the server's answer cannot be read: %v", p)
		}
		l.release(address, link, err != nil)
	}()
	// The client heeds the deadline of ctx by itself, and not that it is canceled.
	defer context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			_ = link.client.Close()
		}
	})()
	pipe := link.client.Pipeline()
	if err := pipe.BatchProcess(ctx, cmds...); err != nil {
		return err //nolint:wrapcheck // it is given its class by who asked
	}
	_, err = pipe.Exec(ctx)
	var reply redis.Error
	switch last := cmds[len(cmds)-1].Err(); {
	case last == nil || errors.As(last, &reply):
		return nil
	case err == nil:
		return errUnanswered
	}
	return err //nolint:wrapcheck // it is given its class by who asked
}

// acquire returns the link to the address for one use.
func (l *redisLinks) acquire(address string) (*redisLink, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, redis.ErrClosed
	}
	link := l.open[address]
	if link == nil {
		client, err := l.login.client(address)
		if err != nil {
			return nil, err
		}
		link = &redisLink{client: client}
		l.open[address] = link
	}
	link.users++
	return link, nil
}

// release ends a use. A link that failed is not used again.
func (l *redisLinks) release(address string, link *redisLink, failed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	link.users--
	if failed && !link.retired {
		l.retire(address, link)
	} else if link.retired && link.users == 0 {
		_ = link.client.Close() // nothing is lost
	}
}

// retire takes a link away and closes it, now or after its last use.
func (l *redisLinks) retire(address string, link *redisLink) {
	delete(l.open, address)
	if link.retired = true; link.users == 0 {
		_ = link.client.Close() // nothing is lost
	}
}

// keep closes the links to all addresses that are not wanted.
func (l *redisLinks) keep(wanted func(address string) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for address, link := range l.open {
		if !wanted(address) {
			l.retire(address, link)
		}
	}
}

// has tells whether there is a link to the address.
func (l *redisLinks) has(address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open[address] != nil
}

// Close closes all links at once, be they in use.
func (l *redisLinks) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for address, link := range l.open {
		_ = link.client.Close() // nothing is lost
		delete(l.open, address)
		link.retired = true
	}
	return nil
}

// What the client would log is in the errors that it returns.
func init() { redis.SetLogger(&logging.VoidLogger{}) }

// client makes a client with one connection, which its first use dials.
func (l redisLogin) client(address string) (*redis.Client, error) {
	var tlsConfig *tls.Config
	if l.UseTLS {
		var err error
		if tlsConfig, err = l.TLS.Config(); err != nil {
			return nil, fmt.Errorf("preparing TLS: %w", err)
		}
		if host, _, err := net.SplitHostPort(address); err == nil {
			tlsConfig.ServerName = host
		}
	}
	return redis.NewClient(&redis.Options{
		Addr: address, Username: l.Username, Password: l.Password.Reveal(), DB: l.Database,
		Dialer: dialOnce(tlsConfig), ContextTimeoutEnabled: true,
		PoolSize: 1, PipelinePoolSize: -1, // pipelines have no other connections
		ReadTimeout: -1, WriteTimeout: -1, // the host sets the deadline
		ReadBufferSize: 4 << 10, WriteBufferSize: 16 << 10,
		MaxRetries: -1, DialerRetries: 1, // the host retries
		DisableIdentity:          true, // so that a user without the right to CLIENT works
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}), nil
}

// dialOnce returns how a client dials, with TLS when there is a configuration,
// until it fails: the client would go on dialing by itself, but a link that
// failed is made anew by the next read.
func dialOnce(tlsConfig *tls.Config) func(ctx context.Context, network, addr string) (net.Conn, error) {
	dial := new(net.Dialer).DialContext
	if tlsConfig != nil {
		dial = (&tls.Dialer{Config: tlsConfig}).DialContext
	}
	var failed atomic.Bool
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if failed.Load() {
			return nil, net.ErrClosed
		}
		c, err := dial(ctx, network, addr)
		if err != nil {
			failed.Store(true)
			return nil, err
		}
		return guard(c), nil
	}
}
