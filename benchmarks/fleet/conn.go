package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"k8s.io/client-go/rest"
)

// endpoint is a server of external metrics.
type endpoint struct {
	name    string
	address string
	prefix  string // before each path
	token   string
	tls     *tls.Config
	pids    func() ([]int, error) // nil when its CPU is not known
}

// adapterEndpoint is a server that is read directly. Its certificate is often one
// that it made itself: it is not checked.
func adapterEndpoint(name, address, token string, pids func() ([]int, error)) endpoint {
	return endpoint{
		name: name, address: address, token: token, pids: pids,
		tls: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, //nolint:gosec // see above
	}
}

// apiServerEndpoint reads through the API server, as the HPA does.
func apiServerEndpoint(config *rest.Config) (endpoint, error) {
	u, err := url.Parse(config.Host)
	if err != nil || u.Host == "" {
		return endpoint{}, fmt.Errorf("reading the API server's address %q: %w", config.Host, errors.Join(err, errNoSuchNumber))
	}
	settings, err := rest.TLSConfigFor(config)
	if err != nil {
		return endpoint{}, fmt.Errorf("reading the API server's certificates: %w", err)
	}
	if settings == nil {
		return endpoint{}, fmt.Errorf("reading through the API server at %s: it has no TLS", config.Host)
	}
	settings.NextProtos = []string{"http/1.1"}
	return endpoint{name: "kube-apiserver", address: u.Host, prefix: u.Path, token: config.BearerToken, tls: settings}, nil
}

// request is what is written to ask for a path.
func (e endpoint) request(path string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s%s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\n", e.prefix, path, e.address)
	if e.token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", e.token)
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// connection is one HTTP/1.1 connection with TLS that is kept. It does as little
// as it can for each answer, so that the server is what is measured.
type connection struct {
	conn net.Conn
	r    *bufio.Reader
	body bytes.Buffer
}

func (e endpoint) dial(ctx context.Context) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	d := tls.Dialer{NetDialer: &net.Dialer{}, Config: e.tls}
	conn, err := d.DialContext(ctx, "tcp", e.address)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s at %s: %w", e.name, e.address, err)
	}
	return &connection{conn: conn, r: bufio.NewReader(conn)}, nil
}

func (c *connection) close() { _ = c.conn.Close() }

// get writes a request and reads the answer; the body is good until the next
// call. After an error the connection is of no use.
func (c *connection) get(request []byte) (status int, body []byte, err error) {
	if err := c.conn.SetDeadline(time.Now().Add(callLimit)); err != nil {
		return 0, nil, fmt.Errorf("setting a deadline: %w", err)
	}
	if _, err := c.conn.Write(request); err != nil {
		return 0, nil, fmt.Errorf("asking: %w", err)
	}
	answer, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return 0, nil, fmt.Errorf("reading an answer: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	c.body.Reset()
	if _, err := io.Copy(&c.body, answer.Body); err != nil {
		return 0, nil, fmt.Errorf("reading an answer: %w", err)
	}
	if answer.Close {
		err = errClosed
	}
	return answer.StatusCode, c.body.Bytes(), err
}

// errClosed says that the server did not keep the connection.
var errClosed = errors.New("the server closed the connection")

// isValue tells whether an answer has a number.
func isValue(status int, body []byte) bool {
	return status == http.StatusOK && bytes.Contains(body, []byte(`"value":"`))
}
