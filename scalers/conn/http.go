package conn

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// HTTP is a server that is spoken to over HTTP as one user: triggers that read
// different paths of it share its connections.
type HTTP struct {
	// Origin is the scheme, host and port.
	Origin string
	// Userinfo is the user name and password of the address.
	Userinfo param.Secret
	// Auth says as whom to speak and whom to trust.
	Auth HTTPAuth
	// Sign says how requests are signed for a cloud.
	Sign SignerConfig
	// ServerName is the name that the server's certificate must be for; "" is the
	// host of the address.
	ServerName string
}

// NewHTTP is the server of the address. Of auth it keeps what has an effect.
func NewHTTP(address *url.URL, auth HTTPAuth) HTTP {
	h := HTTP{Origin: originOf(address), Auth: auth.used()}
	if address.User != nil {
		h.Userinfo = param.NewSecret(address.User.String())
	}
	return h
}

// ParseURL parses the address of an HTTP server. The error names the parameter
// and not the address, which may hold a password.
func ParseURL(parameter, address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, fmt.Errorf("parameter %s is not an address such as http://host:9090/path", parameter)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("parameter %s must begin with http:// or https://", parameter)
	case u.Hostname() == "":
		return nil, fmt.Errorf("parameter %s has no host", parameter)
	}
	return u, nil
}

// originOf is the scheme, host and port of u, the port always given.
func originOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(strings.TrimSuffix(u.Host, ":"+u.Port())) + ":" + port
}

// String names the server.
func (h HTTP) String() string { return h.Origin }

// Open prepares the client; the first read dials.
func (h HTTP) Open(context.Context) (*HTTPConn, error) {
	tlsConfig, err := h.Auth.TLS.Config()
	if err != nil {
		return nil, err
	}
	tlsConfig.ServerName = h.ServerName
	c := &HTTPConn{auth: h.Auth, client: http.Client{
		Transport: observed{&http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: tlsConfig, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 5 * time.Minute,
			MaxConnsPerHost: mostConns, MaxIdleConnsPerHost: mostConns, MaxResponseHeaderBytes: 64 << 10,
			DisableKeepAlives: Defaults.OneRequest,
		}},
		CheckRedirect: h.follow,
	}}
	if c.signer, err = OpenSigner(h.Sign); err != nil {
		return nil, err
	}
	if h.Auth.has(ByOAuth) {
		if c.tokens, err = h.Auth.OAuth.Open(h.Auth.TLS); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// mostConns is how many connections to one host are open at most.
const mostConns = 4

// HTTPConn is a pool of connections to a server.
type HTTPConn struct {
	auth   HTTPAuth
	client http.Client
	tokens *Tokens
	signer Signer
}

// Close closes the connections.
func (c *HTTPConn) Close() error {
	c.client.CloseIdleConnections()
	return nil
}

// mostRedirects is how many redirects are followed.
const mostRedirects = 10

// follow decides whether a redirect is followed. One that leaves the server is
// only when there is nothing to give away: no credentials and no header of ours.
func (h HTTP) follow(next *http.Request, via []*http.Request) error {
	first := via[0]
	target := urlName(next.URL)
	switch {
	case len(via) >= mostRedirects:
		return scalers.ConfigurationError("the server redirects in a circle, at last to %s", target)
	case sameServer(first.URL, next.URL):
		return nil
	case len(first.Header) > 0 || first.URL.User != nil || len(h.Auth.Modes) > 0 || h.Sign.Provider != "":
		return scalers.ConfigurationError("the server redirects to %s, which is not given the credentials and headers "+
			"that are meant for %s: give that address if it is meant", target, first.URL.Host)
	}
	next.Header.Del("Referer") // holds the query
	return nil
}

// sameServer tells whether what may be sent to a may be sent to b: it is the
// same server, or the same host with TLS where there was none.
func sameServer(a, b *url.URL) bool {
	upgrade := a.Scheme == "http" && b.Scheme == "https" && strings.EqualFold(a.Hostname(), b.Hostname()) &&
		(a.Port() == "" || a.Port() == "80") && (b.Port() == "" || b.Port() == "443")
	return upgrade || originOf(a) == originOf(b)
}

// StatusError is an answer of another status than 200.
type StatusError struct {
	// URL names what was asked for, without secrets.
	URL string
	// Code is the status.
	Code int
	// Body begins what came with it.
	Body []byte
}

// Error names the address and the status.
func (e *StatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s answers with status %d %s", e.URL, e.Code, http.StatusText(e.Code)))
}

// Answer is what came with status 200.
type Answer struct {
	// URL names what was asked for, without secrets.
	URL string
	// Body is never longer than 10 MiB.
	Body []byte
	// WebPage tells that the server says it is HTML.
	WebPage bool
}

const (
	mostBody      = 10 << 20
	mostErrorBody = 8 << 10
)

// Get asks for the address with the connection's credentials and more headers.
func (c *HTTPConn) Get(ctx context.Context, address *url.URL, headers http.Header) (*Answer, error) {
	name := urlName(address)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, scalers.ConfigurationError("the address %s cannot be asked for", name)
	}
	if headers != nil {
		request.Header = headers.Clone()
	}
	token, err := c.authorize(ctx, request)
	if err != nil {
		return nil, err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, networkError(err))
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		if response.StatusCode == http.StatusUnauthorized && c.tokens != nil {
			c.tokens.Refused(ctx, token)
		}
		body, _ := io.ReadAll(io.LimitReader(response.Body, mostErrorBody)) // explains, at best
		return nil, statusError(response, &StatusError{URL: name, Code: response.StatusCode, Body: body})
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, mostBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", name, err)
	case len(body) > mostBody:
		return nil, scalers.ConfigurationError("%s answers with more than %d MiB", name, mostBody>>20)
	}
	return &Answer{URL: name, Body: body, WebPage: strings.HasPrefix(response.Header.Get("Content-Type"), "text/html")}, nil
}

// networkError is err without the whole address, and with what to change where
// that is known.
func networkError(err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	var remote *net.OpError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &remote) && remote.Op == "remote error" && strings.Contains(remote.Err.Error(), "certificate"):
		return scalers.AuthenticationError("the server refused the client certificate: check parameters cert and key, and that authModes has tls: %w", err)
	case errors.As(err, &unknown):
		return scalers.UnavailableError("if it is the right server, give the authority that signed its certificate as parameter ca: %w", err)
	}
	return err
}

// authorize puts into the request what proves who asks: last what signs all of
// it. It returns the access token, if there is one.
func (c *HTTPConn) authorize(ctx context.Context, request *http.Request) (token param.Secret, err error) {
	c.auth.apply(request)
	if c.tokens != nil {
		if token, err = c.tokens.Token(ctx); err != nil {
			return token, err
		}
		request.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	if c.signer != nil {
		if err := c.signer.Sign(ctx, request); err != nil {
			return token, fmt.Errorf("signing the request to %s: %w", urlName(request.URL), err)
		}
	}
	return token, nil
}

// statusError gives the status its class.
func statusError(response *http.Response, err *StatusError) error {
	switch err.Code {
	case http.StatusUnauthorized, http.StatusForbidden:
		return scalers.AuthenticationError("the server refused the credentials or their rights: %w", err)
	case http.StatusTooManyRequests:
		return scalers.RateLimitedError(retryAfter(response.Header), "%w", err)
	case http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity:
		return scalers.ConfigurationError("%w", err)
	default:
		return scalers.UnavailableError("%w", err)
	}
}

// retryAfter is how long the server asks to be left alone. A moment counts from
// the server's own time.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(text)
	now, errDate := http.ParseTime(h.Get("Date"))
	if err != nil || errDate != nil {
		return 0
	}
	return max(0, until.Sub(now))
}

// urlName is u without what may be secret: the user, the query, the fragment.
func urlName(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
