package azure

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/param"
)

// account is the queues of one storage account, read as one user.
type account struct {
	// Endpoint is the address of its queues and ends with a slash.
	Endpoint string
	// Name and Key sign requests, SAS is a shared access signature, Identity signs
	// in: one of the three is given.
	Name     string
	Key      param.Secret
	SAS      param.Secret
	Identity scalers.Identity
}

// String names the address.
func (a account) String() string { return strings.TrimSuffix(a.Endpoint, "/") }

// queueConn is a pool of connections to the queues of an account.
type queueConn struct {
	client  *http.Client
	service *azqueue.ServiceClient
}

// Close closes the connections.
func (c *queueConn) Close() error {
	c.client.CloseIdleConnections()
	return nil
}

// Open prepares the client; the first read dials.
func (a account) Open(context.Context) (*queueConn, error) {
	tlsConfig, err := conn.TLS{}.Config()
	if err != nil {
		return nil, err
	}
	c := &queueConn{client: &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: tlsConfig,
			TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 5 * time.Minute,
			MaxIdleConnsPerHost: parallelReads, MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: conn.Defaults.OneRequest,
		},
		// The service does not redirect: whoever does is not given the credentials.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if c.service, err = a.service(c.client); err != nil {
		return nil, err
	}
	return c, nil
}

// service is the library's client, which neither retries nor tells of itself.
func (a account) service(client *http.Client) (*azqueue.ServiceClient, error) {
	options := &azqueue.ClientOptions{}
	options.Transport = transport{client}
	options.Retry = policy.RetryOptions{MaxRetries: -1}
	options.Telemetry = policy.TelemetryOptions{Disabled: true}
	var service *azqueue.ServiceClient
	var err error
	switch {
	case !a.Identity.IsNone():
		credential, errCredential := credentialOf(a.Identity)
		if errCredential != nil {
			return nil, errCredential
		}
		service, err = azqueue.NewServiceClient(a.Endpoint, tokens{credential}, options)
	case !a.Key.Empty():
		key, errKey := azqueue.NewSharedKeyCredential(a.Name, a.Key.Reveal())
		if errKey != nil {
			return nil, scalers.ConfigurationError("AccountKey of parameter connection is not a key")
		}
		service, err = azqueue.NewServiceClientWithSharedKeyCredential(a.Endpoint, key, options)
	default:
		service, err = azqueue.NewServiceClientWithNoCredential(a.Endpoint+"?"+a.SAS.Reveal(), options)
	}
	if err != nil {
		return nil, scalers.ConfigurationError("preparing to read %s: the library refuses the account", a)
	}
	return service, nil
}

// transport sends the library's requests. Its errors hold no address, whose query
// may be a signature, and answers are cut off where no queue's would go on.
type transport struct{ client *http.Client }

// mostBody is more than 32 messages of 64 KiB are, written as XML.
const mostBody = 16 << 20

// errTooLong is the error of an answer that no queue has.
var errTooLong = scalers.UnavailableError("the server answers with more than %d MiB, which no queue's answer has", mostBody>>20)

// Do sends the request. The error of one that is not answered is *unreachable.
func (t transport) Do(r *http.Request) (*http.Response, error) {
	response, err := t.client.Do(r)
	if err != nil {
		var outer *url.Error
		if errors.As(err, &outer) { // its text has the whole address
			err = outer.Err
		}
		return nil, &unreachable{err}
	}
	if response.ContentLength > mostBody {
		_ = response.Body.Close() // nobody reads it
		return nil, errTooLong
	}
	response.Body = &body{ReadCloser: response.Body, left: mostBody}
	return response, nil
}

// unreachable is the error of a request that was not answered.
type unreachable struct{ error }

// Unwrap returns what was in the way.
func (u *unreachable) Unwrap() error { return u.error }

// body is that of an answer.
type body struct {
	io.ReadCloser

	left int64
}

// Read reads on. Its errors have a class.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	switch {
	case b.left < 0:
		return n, errTooLong
	case err != nil && !errors.Is(err, io.EOF):
		return n, scalers.UnavailableError("the answer breaks off: %w", err)
	}
	return n, err //nolint:wrapcheck // nil or the end
}
