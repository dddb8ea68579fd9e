package queue

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/param"
)

// RabbitServer says which RabbitMQ to read, and as whom.
type RabbitServer struct {
	// Address of the server with the virtual host as its path: over AMQP as in
	// amqp://user:password@host:5672/vhost, over HTTP that of the management API
	// as in http://user:password@host:15672/vhost. A path of more than one part is
	// where the management API is, and then the virtual host.
	Host param.Secret `param:"host" from:"metadata,auth,env"`
	// Protocol to speak: amqp, http, or auto for that of the address.
	Protocol string `param:"protocol" from:"metadata,auth" default:"auto" enum:"auto,amqp,http"`
	// Virtual host, in place of that in the address.
	VHostName string `param:"vhostName,optional" from:"metadata,auth"`
	// User name, in place of that in the address; needs password.
	Username string `param:"username,optional" from:"auth,env"`
	// Password of the user.
	Password param.Secret `param:"password,optional" from:"auth,env"`
	// Show the client certificate, which over AMQP logs in where no user is given:
	// enable or disable. It needs an address that begins with amqps or https.
	TLSMode string `param:"tls" from:"auth" default:"disable" enum:"enable,disable"`
	// Authorities to trust, client certificate, and checks of a TLS connection.
	TLS conn.TLS
	// Client of OAuth2 whose access tokens log in over HTTP.
	OAuth conn.OAuth
	// Resource of Azure for which the workload identity of podIdentity fetches the
	// access tokens that log in over HTTP.
	WorkloadIdentityResource string `param:"workloadIdentityResource,optional" from:"auth"`
	// Identity is that of podIdentity, where a token is asked for.
	Identity scalers.Identity
}

// usesOAuth tells whether a client of OAuth2 logs in.
func (s *RabbitServer) usesOAuth() bool {
	return s.OAuth.TokenURI != "" || s.OAuth.ClientID != "" || !s.OAuth.ClientSecret.Empty()
}

// signer says which identity of a cloud logs in; the zero value is none.
func (s *RabbitServer) signer() conn.SignerConfig {
	if s.WorkloadIdentityResource == "" {
		return conn.SignerConfig{}
	}
	scope := strings.TrimSuffix(strings.TrimSuffix(s.WorkloadIdentityResource, "/"), "/.default") + "/.default"
	return conn.SignerConfig{Provider: conn.AzureWorkload, Identity: s.Identity, Scope: scope}
}

// address is the parsed host.
func (s *RabbitServer) address() (*url.URL, error) {
	u, err := url.Parse(s.Host.Reveal())
	if err != nil {
		return nil, errors.New("parameter host is not an address such as amqp://host:5672/vhost or http://host:15672/vhost")
	}
	amqp, web := u.Scheme == "amqp" || u.Scheme == "amqps", isWeb(u)
	switch {
	case !amqp && !web:
		return nil, errors.New("parameter host must begin with amqp://, amqps://, http:// or https://")
	case u.Hostname() == "":
		return nil, errors.New("parameter host has no host name")
	case s.Protocol == "amqp" && web, s.Protocol == "http" && amqp:
		return nil, fmt.Errorf("parameter protocol is %s, but parameter host begins with %s://", s.Protocol, u.Scheme)
	}
	return u, nil
}

// isWeb tells whether the address is that of a management API.
func isWeb(u *url.URL) bool { return u.Scheme == "http" || u.Scheme == "https" }

// encrypted tells whether TLS is spoken at the address.
func encrypted(u *url.URL) bool { return u.Scheme == "amqps" || u.Scheme == "https" }

// validate checks the rules that span parameters; httpOnly are those given that
// AMQP cannot serve.
func (s *RabbitServer) validate(httpOnly []string) error {
	u, err := s.address()
	faults := []error{err}
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	if s.usesOAuth() {
		httpOnly = append(httpOnly, "oauthTokenURI")
		faults = append(faults, s.OAuth.Validate(false))
		fault(s.Username != "" || !s.Password.Empty() || s.WorkloadIdentityResource != "",
			"parameters of OAuth2 may not be given together with username and password, or workloadIdentityResource: keep one way to log in")
	}
	if s.WorkloadIdentityResource != "" {
		httpOnly = append(httpOnly, "workloadIdentityResource")
		fault(s.Identity.Provider != conn.AzureWorkload, "parameter workloadIdentityResource needs a podIdentity of provider %s", conn.AzureWorkload)
		faults = append(faults, s.signer().Validate())
	}
	fault(u != nil && !isWeb(u) && len(httpOnly) > 0,
		"parameter host is for AMQP, which does not serve %s: give the address of the management API, such as http://host:15672/vhost",
		strings.Join(httpOnly, ", "))
	fault(u != nil && s.TLSMode == "enable" && !encrypted(u),
		"parameter tls is enable, but parameter host begins with %s://, which is without TLS", schemeOf(u))
	fault((s.Username == "") != s.Password.Empty(), "parameters username and password go together: one of them is missing")
	_, err = s.TLS.Config()
	return errors.Join(append(faults, err)...)
}

// guest is the user name and the password that addresses of AMQP stand for when
// they have none.
const guest = "guest"

func schemeOf(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.Scheme
}

// vhost is the virtual host and where the management API is below the server.
func (s *RabbitServer) vhost(u *url.URL) (name, base string) {
	name = strings.TrimPrefix(u.Path, "/")
	if isWeb(u) {
		path := u.EscapedPath()
		last := strings.LastIndex(path, "/") + 1
		name, _ = url.PathUnescape(path[last:]) // which u parsed already
		base = strings.TrimRight(path[:last], "/")
	}
	if s.VHostName != "" {
		name = s.VHostName
	}
	if name == "" {
		name = "/"
	}
	return name, base
}

// userOf is the user name and password: the parameters before the address. Where
// an access token logs in there are none.
func (s *RabbitServer) userOf(u *url.URL) *url.Userinfo {
	switch {
	case s.usesOAuth() || s.WorkloadIdentityResource != "":
		return nil
	case s.Username != "":
		return url.UserPassword(s.Username, s.Password.Reveal())
	}
	return u.User
}

// source is the connection of a validated server.
func (s *RabbitServer) source() rabbitSource {
	u, err := s.address()
	if err != nil {
		u = &url.URL{} // validate told
	}
	tls := s.TLS
	if s.TLSMode != "enable" {
		tls = conn.TLS{CA: tls.CA, UnsafeSSL: tls.UnsafeSSL}
	}
	user := s.userOf(u)
	if isWeb(u) {
		auth := conn.HTTPAuth{TLS: tls}
		if tls.Cert != "" {
			auth.Modes = []string{conn.ByTLS}
		}
		if s.usesOAuth() {
			auth.Modes, auth.OAuth = append(auth.Modes, conn.ByOAuth), s.OAuth
		}
		source := rabbitSource{HTTP: conn.NewHTTP(&url.URL{Scheme: u.Scheme, Host: u.Host, User: user}, auth)}
		source.HTTP.Sign = s.signer()
		return source
	}
	server := amqpServer{Address: u.Host}
	if u.Port() == "" {
		port := map[bool]string{false: "5672", true: "5671"}[encrypted(u)]
		server.Address = net.JoinHostPort(u.Hostname(), port)
	}
	server.VHost, _ = s.vhost(u)
	if server.UseTLS = encrypted(u); server.UseTLS {
		server.TLS = tls
	}
	switch {
	case user != nil:
		server.Username, server.Password = user.Username(), param.NewSecret(guest)
		if password, ok := user.Password(); ok {
			server.Password = param.NewSecret(password)
		}
	case server.TLS.Cert == "":
		server.Username, server.Password = guest, param.NewSecret(guest)
	}
	return rabbitSource{AMQP: server}
}

// rabbitSource is a server that is spoken to as one user: over AMQP one virtual
// host of it, over HTTP its management API.
type rabbitSource struct {
	AMQP amqpServer
	HTTP conn.HTTP
}

// String names the server.
func (s rabbitSource) String() string {
	if s.HTTP.Origin != "" {
		return "rabbitmq " + s.HTTP.String()
	}
	return "rabbitmq " + s.AMQP.String()
}

// Open connects over AMQP; over HTTP the first read does.
func (s rabbitSource) Open(ctx context.Context) (*rabbitConn, error) {
	if s.HTTP.Origin != "" {
		c, err := s.HTTP.Open(ctx)
		if err != nil {
			return nil, err
		}
		return &rabbitConn{http: &managementConn{HTTPConn: c}}, nil
	}
	c, err := s.AMQP.open(ctx)
	if err != nil {
		return nil, err
	}
	return &rabbitConn{amqp: c}, nil
}

// rabbitConn is a connection over AMQP or one over HTTP.
type rabbitConn struct {
	amqp *amqpConn
	http *managementConn
}

// Close closes the connection.
func (c *rabbitConn) Close() error {
	if c.amqp != nil {
		return c.amqp.close()
	}
	return c.http.Close()
}
