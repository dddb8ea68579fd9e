package servers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// RabbitMQOptions say how a RabbitMQ is to run. The zero value speaks without
// TLS to anyone on this machine who knows [RabbitMQUser].
type RabbitMQOptions struct {
	// Dir is where the server keeps its data and log; "" is a folder of its own
	// that goes with the server.
	Dir string
	// TLS, when set, makes the server speak TLS as well, on ports of their own.
	// It asks clients for a certificate, whose common name may log in.
	TLS *TLSFiles
	// TokenKey, when set, is the file of an RSA public key in PEM. Access tokens
	// (JWT, RS256) for the audience "rabbitmq" that its private key signed log in.
	TokenKey string
	// Config holds more lines of the server's configuration.
	Config []string
}

// RabbitMQUser is the name and the password of the administrator.
const RabbitMQUser = "guest"

// RabbitMQ is a RabbitMQ server of one node with its management API, which knows
// a change of a queue's statistics after about a second.
type RabbitMQ struct {
	options RabbitMQOptions
	ownDir  bool
	// names is the program that knows the node's port; without one the node would
	// start one that stays.
	names, node process
	ports       rabbitPorts
	client      http.Client
}

// rabbitPorts are the ports of a node: those of its protocols, and those that
// nodes find each other by.
type rabbitPorts struct{ amqp, amqps, http, https, dist, names int }

// StartRabbitMQ starts a server and returns when it answers.
func StartRabbitMQ(ctx context.Context, o RabbitMQOptions) (*RabbitMQ, error) {
	script, err := lookPath("rabbitmq-server")
	if err != nil {
		return nil, err
	}
	// Debian's command changes to a user of its own; this is what it calls.
	if _, err := os.Stat(debianRabbitMQ); err == nil {
		script = debianRabbitMQ
	}
	epmd, err := exec.LookPath("epmd")
	if err != nil {
		return nil, fmt.Errorf("epmd, a part of Erlang, is %w", errNotInstalled)
	}
	r := &RabbitMQ{options: o}
	if o.Dir == "" {
		r.ownDir = true
		if r.options.Dir, err = os.MkdirTemp("", "rabbitmq"); err != nil {
			return nil, fmt.Errorf("making the server's folder: %w", err)
		}
	}
	dir := r.options.Dir
	r.node = process{program: script, dir: dir, logFile: filepath.Join(dir, "rabbitmq.log"), patience: 2 * time.Minute}
	r.names = process{program: epmd, dir: dir, logFile: filepath.Join(dir, "epmd.log")}
	for attempt := 0; ; attempt++ { // another process may take a port that was free
		if err = r.choosePorts(); err != nil {
			break
		}
		if err = r.Start(ctx); err == nil {
			return r, nil
		}
		if attempt == 3 || ctx.Err() != nil || !strings.Contains(err.Error(), "eaddrinuse") {
			break
		}
	}
	return nil, errors.Join(err, r.Stop())
}

const debianRabbitMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"

func (r *RabbitMQ) choosePorts() error {
	for _, port := range []*int{&r.ports.amqp, &r.ports.amqps, &r.ports.http, &r.ports.https, &r.ports.dist, &r.ports.names} {
		var err error
		if *port, err = freePort(); err != nil {
			return err
		}
	}
	return nil
}

// Start starts a server that was killed again, on the same ports and with what
// it wrote to its disk, and returns when it answers.
func (r *RabbitMQ) Start(ctx context.Context) error {
	dir := r.options.Dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the server's folder: %w", err)
	}
	plugins := "rabbitmq_management, rabbitmq_auth_mechanism_ssl"
	if r.options.TokenKey != "" {
		plugins += ", rabbitmq_auth_backend_oauth2"
	}
	files := map[string]string{"rabbitmq.conf": r.config(), "enabled_plugins": "[" + plugins + "].\n"}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("writing the server's configuration: %w", err)
		}
	}
	names := strconv.Itoa(r.ports.names)
	r.names.args = []string{"-port", names, "-address", "127.0.0.1"}
	if err := r.names.start(strings.NewReader("")); err != nil {
		return err
	}
	err := r.names.waitReady(ctx, func(ctx context.Context) error { return dialPort(ctx, r.ports.names) })
	if err == nil {
		r.node.args, r.node.env = []string{"-noinput"}, r.environment()
		err = r.node.start(strings.NewReader(""))
	}
	if err == nil {
		err = r.node.waitReady(ctx, r.answers)
	}
	if err != nil {
		return errors.Join(err, r.Kill())
	}
	return nil
}

// environment says what the server's script asks the environment for.
func (r *RabbitMQ) environment() []string {
	dir := r.options.Dir
	env := map[string]string{
		"HOME": dir, "LANG": "C.UTF-8", // the cookie of the node lies in the home
		"RABBITMQ_NODENAME": fmt.Sprintf("test%d@localhost", r.ports.dist), "RABBITMQ_CONF_ENV_FILE": os.DevNull,
		"RABBITMQ_BASE": dir, "RABBITMQ_MNESIA_BASE": filepath.Join(dir, "data"), "RABBITMQ_LOG_BASE": dir, "RABBITMQ_LOGS": "-",
		"RABBITMQ_CONFIG_FILE": filepath.Join(dir, "rabbitmq.conf"), "RABBITMQ_ADVANCED_CONFIG_FILE": filepath.Join(dir, "advanced.config"),
		"RABBITMQ_ENABLED_PLUGINS_FILE": filepath.Join(dir, "enabled_plugins"),
		"RABBITMQ_FEATURE_FLAGS_FILE":   filepath.Join(dir, "feature_flags"),
		"RABBITMQ_DIST_PORT":            strconv.Itoa(r.ports.dist),
		"ERL_EPMD_PORT":                 strconv.Itoa(r.ports.names), "ERL_EPMD_ADDRESS": "127.0.0.1",
		"RABBITMQ_ALLOW_INPUT":                "1", // the script becomes the node instead of its parent
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +A 4 -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
	}
	var list []string
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}

// config is the server's configuration.
func (r *RabbitMQ) config() string {
	lines := []string{
		"listeners.tcp.1 = 127.0.0.1:" + strconv.Itoa(r.ports.amqp),
		"management.tcp.ip = 127.0.0.1", "management.tcp.port = " + strconv.Itoa(r.ports.http),
		"log.console = true", "log.file = false",
		"vm_memory_high_watermark.absolute = 1GB", "disk_free_limit.absolute = 1MB",
		"collect_statistics_interval = 100", "management.rates_mode = basic",
		"auth_mechanisms.1 = PLAIN", "auth_mechanisms.2 = EXTERNAL", "ssl_cert_login_from = common_name",
	}
	for _, table := range []string{"global", "basic", "detailed"} {
		lines = append(lines, "management.sample_retention_policies."+table+".minute = 1")
	}
	if t := r.options.TLS; t != nil {
		lines = append(lines, "listeners.ssl.1 = 127.0.0.1:"+strconv.Itoa(r.ports.amqps),
			"management.ssl.ip = 127.0.0.1", "management.ssl.port = "+strconv.Itoa(r.ports.https))
		for _, prefix := range []string{"ssl_options.", "management.ssl."} {
			lines = append(lines, prefix+"cacertfile = "+t.CA, prefix+"certfile = "+t.Cert, prefix+"keyfile = "+t.Key,
				prefix+"verify = verify_peer", prefix+"fail_if_no_peer_cert = "+strconv.FormatBool(t.RequireClient))
		}
	}
	if r.options.TokenKey != "" {
		lines = append(lines, "auth_backends.1 = internal", "auth_backends.2 = rabbit_auth_backend_oauth2",
			"auth_oauth2.resource_server_id = rabbitmq", "auth_oauth2.default_key = test",
			"auth_oauth2.signing_keys.test = "+r.options.TokenKey)
	}
	return strings.Join(append(lines, r.options.Config...), "\n") + "\n"
}

// answers is nil when the server answers on both protocols.
func (r *RabbitMQ) answers(ctx context.Context) error {
	if err := dialPort(ctx, r.ports.amqp); err != nil { // is opened last
		return err
	}
	return r.Manage(ctx, http.MethodGet, "/api/overview", nil)
}

func dialPort(ctx context.Context, port int) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", loopback(port))
	if err != nil {
		return err //nolint:wrapcheck // only the last one is shown, wrapped there
	}
	return c.Close() //nolint:wrapcheck // as above
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Manage asks the management API for the path as the administrator, with the
// body as JSON unless it is nil. An answer that is no success is an error.
func (r *RabbitMQ) Manage(ctx context.Context, method, path string, body any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return fmt.Errorf("writing the request: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+r.HTTPAddr()+path, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.SetBasicAuth(RabbitMQUser, RabbitMQUser)
	response, err := r.client.Do(request)
	if err != nil {
		return err //nolint:wrapcheck // names method and address
	}
	defer func() { _ = response.Body.Close() }()
	answer, _ := io.ReadAll(response.Body) // explains, at best
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %s %s", method, path, response.Status, answer)
	}
	return nil
}

// AMQPAddr is where the server speaks AMQP, as host:port.
func (r *RabbitMQ) AMQPAddr() string { return loopback(r.ports.amqp) }

// AMQPSAddr is where the server speaks AMQP over TLS, as host:port.
func (r *RabbitMQ) AMQPSAddr() string { return loopback(r.ports.amqps) }

// HTTPAddr is where the management API is, as host:port.
func (r *RabbitMQ) HTTPAddr() string { return loopback(r.ports.http) }

// HTTPSAddr is where the management API is over TLS, as host:port.
func (r *RabbitMQ) HTTPSAddr() string { return loopback(r.ports.https) }

// Stop ends the server for good and returns when it is gone. To stop a server
// that is gone does nothing. It ends as with [RabbitMQ.Kill], for to put its
// affairs in order would take it seconds.
func (r *RabbitMQ) Stop() error {
	err := r.Kill()
	if r.ownDir {
		_ = os.RemoveAll(r.options.Dir) // leaves data behind, at worst
	}
	return err
}

// Kill ends the server as a crash would and returns when it is gone. Its ports
// stay its own: see [RabbitMQ.Start].
func (r *RabbitMQ) Kill() error {
	r.client.CloseIdleConnections()
	return errors.Join(r.node.end(syscall.SIGKILL), r.names.end(syscall.SIGKILL))
}
