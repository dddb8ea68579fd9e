package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// What the client would log is in the errors that it returns.
func init() { redis.SetLogger(&logging.VoidLogger{}) }

// client makes the client of a link, with one connection, which its first use
// dials.
func (l *redisLinks) client(address string, link *redisLink) (*redis.Client, error) {
	login := l.login
	var tlsConfig *tls.Config
	if login.UseTLS {
		var err error
		if tlsConfig, err = login.TLS.Config(); err != nil {
			return nil, fmt.Errorf("preparing TLS: %w", err)
		}
		if host, _, err := net.SplitHostPort(address); err == nil {
			tlsConfig.ServerName = host
		}
	}
	return redis.NewClient(&redis.Options{
		Addr: address, Username: login.Username, Password: login.Password.Reveal(), DB: login.Database,
		Dialer: l.dialOnce(link, tlsConfig), OnConnect: link.track, ContextTimeoutEnabled: true,
		PoolSize: 1, PipelinePoolSize: -1, // pipelines have no other connections
		ConnMaxIdleTime: -1, ReadTimeout: -1, WriteTimeout: -1, // the host sets the deadline
		ReadBufferSize: 4 << 10, WriteBufferSize: 16 << 10,
		MaxRetries: -1, DialerRetries: 1, // the host retries
		DisableIdentity:          true, // so that a user without the right to CLIENT works
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}), nil
}

// keepAlive finds out within half a minute that an idle connection is dead, which
// is listened to.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

// dialOnce returns how a client dials, with TLS when there is a configuration,
// until it fails: the client would go on dialing by itself, but a link that
// failed is made anew by the next read.
func (l *redisLinks) dialOnce(link *redisLink, tlsConfig *tls.Config) func(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := &net.Dialer{KeepAliveConfig: keepAlive}
	dial := dialer.DialContext
	if tlsConfig != nil {
		dial = (&tls.Dialer{NetDialer: dialer, Config: tlsConfig}).DialContext
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
		pipe := newRedisPipe(c, l.heard, func() { l.tell() })
		link.pipe.Store(pipe)
		return pipe, nil
	}
}

// track asks the server to tell of changes to the keys that are read. One that
// does not know how, or does not let the user, or speaks the old protocol, in which
// it could not, is read without.
func (l *redisLink) track(ctx context.Context, c *redis.Conn) error {
	pipe := l.pipe.Load()
	hello, tracking := redis.NewCmd(ctx, "hello"), redis.NewStatusCmd(ctx, "client", "tracking", "on")
	for _, cmd := range []redis.Cmder{hello, tracking} {
		err := c.Process(ctx, cmd)
		if refused := redis.Error(nil); err != nil && errors.As(err, &refused) {
			return nil
		} else if err != nil {
			return err //nolint:wrapcheck // it is given its class by who asked
		}
		if proto, _ := fieldsOf(hello.Val())["proto"].(int64); proto < 3 {
			return nil
		}
	}
	pipe.tracks.Store(true)
	return nil
}

// heard takes what a server tells.
func (l *redisLinks) heard(words [][]byte) {
	if len(words) == 0 || string(words[0]) != "invalidate" {
		return
	}
	keys := make([]string, 0, len(words)-1)
	for _, word := range words[1:] {
		keys = append(keys, string(word))
	}
	l.tell(keys...)
}

// tell passes on which keys changed.
func (l *redisLinks) tell(keys ...string) {
	if l.changed != nil {
		l.changed(keys...)
	}
}

// tracks tells whether the server tells of changes to what was read.
func (l *redisLink) tracks() bool {
	pipe := l.pipe.Load()
	return pipe != nil && pipe.tracks.Load()
}

// over tells whether the connection was made and has ended.
func (l *redisLink) over() bool {
	pipe := l.pipe.Load()
	return pipe != nil && pipe.over()
}
