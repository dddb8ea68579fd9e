package conn

import (
	"net/http"
	"time"

	"github.com/freshet-io/freshet/scalers"
)

// observed tells [Defaults] of every request that a trigger's read makes.
type observed struct{ transport }

// transport is what [http.Transport] does for a client.
type transport interface {
	http.RoundTripper
	CloseIdleConnections()
}

// RoundTrip sends a request.
func (o observed) RoundTrip(req *http.Request) (*http.Response, error) {
	kind, tell := scalers.KindOf(req.Context()), Defaults.OnHTTP
	if kind == nil || tell == nil {
		return o.transport.RoundTrip(req) //nolint:wrapcheck // the client wraps it
	}
	began := time.Now()
	resp, err := o.transport.RoundTrip(req)
	status := 0
	if err == nil {
		status = resp.StatusCode
	}
	tell(kind.Label, status, time.Since(began))
	return resp, err //nolint:wrapcheck // the client wraps it
}
