package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/param"
)

// RedisServer says which Redis to read, and as whom.
type RedisServer struct {
	// Addresses of the server as host:port, separated by commas.
	Addresses []string `param:"address|addresses,optional" from:"metadata,auth,env"`
	// Host names, separated by commas, each with the port at the same place of
	// ports; an alternative to address.
	Hosts []string `param:"host|hosts,optional" from:"metadata,env,auth"`
	// Ports, separated by commas.
	Ports []string `param:"port|ports,optional" from:"metadata,env,auth"`
	// User name, for servers with an access control list.
	Username string `param:"username,optional" from:"metadata,env,auth"`
	// Password of the user or, without username, of the server.
	Password param.Secret `param:"password,optional" from:"metadata,env,auth"`
	// Number of the database.
	Database int `param:"databaseIndex,optional"`
	// Connect with TLS: true or false.
	EnableTLS string `param:"enableTLS,optional"`
	// Connect with TLS, given in the authentication: enable or disable.
	TLSMode string `param:"tls,optional" from:"auth"`
	// Authorities, client certificate and checks of a TLS connection.
	TLS conn.TLS
}

// Validate checks the rules that span parameters.
func (r *RedisServer) Validate() error {
	var faults []error
	_, err := r.addresses()
	faults = append(faults, err)
	_, err = r.useTLS()
	faults = append(faults, err)
	if r.Database < 0 {
		faults = append(faults, fmt.Errorf("parameter databaseIndex is %d, and a database has no negative number", r.Database))
	}
	_, err = r.TLS.Config()
	return errors.Join(append(faults, err)...)
}

// addresses joins the two forms in which addresses may be given.
func (r *RedisServer) addresses() ([]string, error) {
	if len(r.Hosts) != len(r.Ports) {
		return nil, fmt.Errorf("parameters host and port list %d hosts and %d ports: give one port for each host",
			len(r.Hosts), len(r.Ports))
	}
	all := r.Addresses[:len(r.Addresses):len(r.Addresses)]
	for i, host := range r.Hosts {
		all = append(all, net.JoinHostPort(host, r.Ports[i]))
	}
	if len(all) == 0 {
		return nil, errors.New("no server is given: set parameter address, or host and port, " +
			"in metadata, the authentication, or as addressFromEnv")
	}
	for _, a := range all {
		if _, _, err := net.SplitHostPort(a); err != nil {
			return nil, fmt.Errorf("address %q is not of the form host:port", a)
		}
	}
	return all, nil
}

func (r *RedisServer) useTLS() (bool, error) {
	switch {
	case r.EnableTLS != "" && r.TLSMode != "":
		return false, errors.New("parameters enableTLS and tls may not be given together: keep one of them")
	case r.EnableTLS != "":
		on, err := strconv.ParseBool(r.EnableTLS)
		if err != nil {
			return false, fmt.Errorf("parameter enableTLS is %q, which is neither true nor false", r.EnableTLS)
		}
		return on, nil
	case r.TLSMode == "enable":
		return true, nil
	case r.TLSMode == "" || r.TLSMode == "disable":
		return false, nil
	default:
		return false, fmt.Errorf("parameter tls is %q, which is neither enable nor disable", r.TLSMode)
	}
}

// redisSource is one standalone Redis as one user.
type redisSource struct {
	Address  string
	Username string
	Password param.Secret
	Database int
	UseTLS   bool
	TLS      conn.TLS
}

// source is the connection of a validated server: a standalone Redis is the
// first of the addresses.
func (r *RedisServer) source() redisSource {
	s := redisSource{Username: r.Username, Password: r.Password, Database: r.Database}
	if all, err := r.addresses(); err == nil {
		s.Address = all[0]
	}
	if s.UseTLS, _ = r.useTLS(); s.UseTLS {
		s.TLS = r.TLS
	}
	return s
}

// String names the server and database.
func (s redisSource) String() string { return fmt.Sprintf("redis %s/%d", s.Address, s.Database) }

// redisConn is the connection to a Redis: one, which reads of different
// intervals take in turn.
type redisConn struct{ *redis.Client }

// cutWith ends what is in flight when ctx is canceled, until stop is called. Its
// deadline is what the client heeds by itself.
func (c *redisConn) cutWith(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			_ = c.Close() // the host opens another one
		}
	})
}

// Close closes the connection. A connection that was cut is closed already.
func (c *redisConn) Close() error {
	if err := c.Client.Close(); !errors.Is(err, redis.ErrClosed) {
		return err //nolint:wrapcheck // nobody reads it
	}
	return nil
}

// Open prepares the client; the first read dials.
func (s redisSource) Open(context.Context) (*redisConn, error) {
	var tlsConfig *tls.Config
	if s.UseTLS {
		var err error
		if tlsConfig, err = s.TLS.Config(); err != nil {
			return nil, err
		}
		if host, _, err := net.SplitHostPort(s.Address); err == nil {
			tlsConfig.ServerName = host
		}
	}
	return &redisConn{redis.NewClient(&redis.Options{
		Addr: s.Address, Username: s.Username, Password: s.Password.Reveal(), DB: s.Database,
		Dialer: dialOnce(tlsConfig), ContextTimeoutEnabled: true,
		PoolSize: 1, PipelinePoolSize: -1, // pipelines have no other connections
		ReadBufferSize: 4 << 10, WriteBufferSize: 16 << 10,
		MaxRetries: -1, DialerRetries: 1, // the host retries
		DisableIdentity:          true, // so that a user without the right to CLIENT works
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})}, nil
}

// What the client would log is in the errors that it returns.
func init() { redis.SetLogger(&logging.VoidLogger{}) }

// dialOnce returns how a client dials, with TLS when there is a configuration,
// until it fails: the client would go on dialing by itself, but the host opens
// another one after a back-off.
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
		return c, nil
	}
}

// redisError gives an error of the server or the network its class.
func redisError(err error) error {
	var reply redis.Error
	if !errors.As(err, &reply) {
		if errors.Is(err, io.EOF) {
			return scalers.UnavailableError("the server closed the connection: %w", err)
		}
		return err
	}
	code, _, _ := strings.Cut(reply.Error(), " ")
	switch {
	case code == "WRONGPASS" || code == "NOAUTH" || strings.Contains(reply.Error(), "invalid password") ||
		strings.Contains(reply.Error(), "without any password configured"):
		return scalers.AuthenticationError("the server refused the credentials: check parameters username and password: %w", err)
	case code == "NOPERM":
		return scalers.AuthenticationError("the user lacks a right: allow it to read the key: %w", err)
	case code == "WRONGTYPE", strings.Contains(reply.Error(), "DB index is out of range"):
		return scalers.ConfigurationError("%w", err)
	default:
		return scalers.UnavailableError("%w", err)
	}
}
