package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

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
	// changed, when set, is told of the keys that changed since they were read by
	// a link, or of no key when a link ended. It is set before the first use.
	changed func(keys ...string)

	mu     sync.Mutex
	open   map[string]*redisLink
	closed bool
}

// redisLink is a connection to one server. The mutex of the links guards its users
// and whether it is retired.
type redisLink struct {
	client *redis.Client
	// pipe is the connection that the client dialed last; nil before.
	pipe  atomic.Pointer[redisPipe]
	users int
	// retired links are not used again and close after their last use.
	retired bool
}

func newRedisLinks(login redisLogin) *redisLinks {
	return &redisLinks{login: login, open: map[string]*redisLink{}}
}

// errUnanswered is what a command has until it is answered: the client leaves
// those that it did not send without an error and with the number 0.
var errUnanswered = errors.New("the server did not answer")

// send sends the queries to the server in one pipeline and returns when each has an
// answer or an error. The error tells why not all were answered. Before the queries
// it sends those first.
func (l *redisLinks) send(ctx context.Context, address string, queries []*redisQuery, first ...*redis.Cmd) error {
	cmds := make([]redis.Cmder, 0, len(first)+len(queries))
	for _, cmd := range first {
		cmds = append(cmds, cmd)
	}
	for _, q := range queries {
		cmds = append(cmds, q.Cmd)
	}
	tracks, err := l.sendAll(ctx, address, cmds)
	for _, q := range queries {
		q.tracked = tracks && q.Err() == nil
	}
	return err
}

// sendAll is send for commands. It tells whether the server tells of changes to
// what they read.
func (l *redisLinks) sendAll(ctx context.Context, address string, cmds []redis.Cmder) (tracks bool, err error) {
	for _, cmd := range cmds {
		cmd.SetErr(errUnanswered)
	}
	tracks, err = l.exec(ctx, address, cmds)
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
	return tracks, err
}

// exec sends the commands. The error tells why not all were answered: replies of
// the server to single commands are with these.
func (l *redisLinks) exec(ctx context.Context, address string, cmds []redis.Cmder) (tracks bool, err error) {
	link, err := l.acquire(address)
	if err != nil {
		return false, err
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
		return false, err //nolint:wrapcheck // it is given its class by who asked
	}
	_, err = pipe.Exec(ctx)
	var reply redis.Error
	switch last := cmds[len(cmds)-1].Err(); {
	case last == nil || errors.As(last, &reply):
		return link.tracks(), nil
	case err == nil:
		return false, errUnanswered
	}
	return false, err //nolint:wrapcheck // it is given its class by who asked
}

// acquire returns the link to the address for one use.
func (l *redisLinks) acquire(address string) (*redisLink, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, redis.ErrClosed
	}
	link := l.open[address]
	if link != nil && link.over() { // the server ended it, and the client does not know
		l.retire(address, link)
		link = nil
	}
	if link == nil {
		link = &redisLink{}
		var err error
		if link.client, err = l.client(address, link); err != nil {
			return nil, err
		}
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
