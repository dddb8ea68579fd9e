package servers

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// RedisOptions say how a Redis server is to run. The zero value is an open
// server without a password.
type RedisOptions struct {
	// Dir is where the server keeps its log; "" is a folder of its own that
	// goes with the server.
	Dir string
	// Password of the user default.
	Password string
	// ACL holds lines of the form "user …" of the server's configuration.
	ACL []string
	// TLS, when set, makes the server speak nothing else.
	TLS *TLSFiles
	// Port to listen on; 0 takes a free one.
	Port int
	// Lines are further lines of the server's configuration.
	Lines []string

	// sentinel makes it a sentinel, which keeps its configuration in a file.
	sentinel bool
}

// Redis is a Redis server that keeps nothing on disk.
type Redis struct {
	options RedisOptions
	ownDir  bool
	process process
	client  *redis.Client
	// written is the port of the configuration that a sentinel has in its file.
	written int
}

// StartRedis starts a server and returns when it answers.
func StartRedis(ctx context.Context, o RedisOptions) (*Redis, error) {
	program, err := lookPath("redis-server")
	if err != nil {
		return nil, err
	}
	r := &Redis{options: o}
	if o.Dir == "" {
		r.ownDir = true
		if r.options.Dir, err = os.MkdirTemp("", "redis"); err != nil {
			return nil, fmt.Errorf("making the server's folder: %w", err)
		}
	}
	r.process = process{
		program: program, args: []string{"-"}, dir: r.options.Dir, logFile: filepath.Join(r.options.Dir, "redis.log"),
	}
	if o.sentinel {
		r.process.args = []string{r.file(), "--sentinel"}
	}
	for attempt := 0; ; attempt++ { // another process may take the port that was free
		if o.Port == 0 {
			if r.options.Port, err = freePort(); err != nil {
				break
			}
		}
		if r.client, err = r.newClient(); err != nil {
			break
		}
		if err = r.Start(ctx); err == nil {
			return r, nil
		}
		if attempt == 3 || o.Port != 0 || ctx.Err() != nil || !strings.Contains(err.Error(), "already in use") {
			break
		}
	}
	return nil, errJoinStop(err, r)
}

func errJoinStop(err error, r *Redis) error {
	if stopErr := r.Stop(); stopErr != nil {
		return fmt.Errorf("%w; %w", err, stopErr)
	}
	return err
}

// Start starts a server that was killed again, on the same port and empty, and
// returns when it answers.
func (r *Redis) Start(ctx context.Context) error {
	if err := os.MkdirAll(r.options.Dir, 0o700); err != nil {
		return fmt.Errorf("making the server's folder: %w", err)
	}
	config := r.config()
	if r.options.sentinel {
		if err := r.writeFile(config); err != nil {
			return err
		}
		config = ""
	}
	if err := r.process.start(strings.NewReader(config)); err != nil {
		return err
	}
	return r.process.waitReady(ctx, r.answers)
}

// file is where a sentinel keeps its configuration.
func (r *Redis) file() string { return filepath.Join(r.options.Dir, "sentinel.conf") }

// writeFile writes the configuration of a sentinel, unless it has one that it
// keeps what it learnt in.
func (r *Redis) writeFile(config string) error {
	if r.written == r.options.Port {
		return nil
	}
	if err := os.WriteFile(r.file(), []byte(config), 0o600); err != nil {
		return fmt.Errorf("writing the sentinel's configuration: %w", err)
	}
	r.written = r.options.Port
	return nil
}

// answers is nil when the server answers. The client is not asked before the
// port is open: it would log that it is not.
func (r *Redis) answers(ctx context.Context) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", r.Addr())
	if err != nil {
		return err //nolint:wrapcheck // only the last one is shown, wrapped there
	}
	_ = c.Close()
	return r.client.Ping(ctx).Err()
}

// config is the server's configuration, which it reads from its standard input.
func (r *Redis) config() string {
	port := strconv.Itoa(r.options.Port)
	lines := []string{"bind 127.0.0.1", "daemonize no"}
	if !r.options.sentinel {
		lines = append(lines, `save ""`, "appendonly no", "databases 16")
	}
	if t := r.options.TLS; t != nil {
		authClients := "no"
		if t.RequireClient {
			authClients = "yes"
		}
		lines = append(lines, "port 0", "tls-port "+port, "tls-auth-clients "+authClients,
			"tls-ca-cert-file "+strconv.Quote(t.CA), "tls-cert-file "+strconv.Quote(t.Cert), "tls-key-file "+strconv.Quote(t.Key))
	} else {
		lines = append(lines, "port "+port)
	}
	if r.options.Password != "" {
		lines = append(lines, "requirepass "+strconv.Quote(r.options.Password))
	}
	lines = append(lines, r.options.ACL...)
	return strings.Join(append(lines, r.options.Lines...), "\n") + "\n"
}

func (r *Redis) newClient() (*redis.Client, error) {
	var tlsConfig *tls.Config
	if r.options.TLS != nil {
		var err error
		if tlsConfig, err = r.options.TLS.client(); err != nil {
			return nil, err
		}
	}
	return redis.NewClient(&redis.Options{
		Addr: r.Addr(), Password: r.options.Password, TLSConfig: tlsConfig,
		DisableIdentity: true, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}), nil
}

// Addr is where the server listens, as host:port.
func (r *Redis) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.options.Port)) }

// Client returns the user default's connection to the server. It is closed with
// the server.
func (r *Redis) Client() *redis.Client { return r.client }

// Stop ends the server for good and returns when it is gone. To stop a server
// that is gone does nothing.
func (r *Redis) Stop() error {
	err := r.process.end(syscall.SIGTERM)
	if r.client != nil {
		_ = r.client.Close() // closed twice is as good
	}
	if r.ownDir {
		_ = os.RemoveAll(r.options.Dir) // leaves a log behind, at worst
	}
	return err
}

// Kill ends the server as a crash would and returns when it is gone. Its port
// stays its own: see [Redis.Start].
func (r *Redis) Kill() error { return r.process.end(syscall.SIGKILL) }
