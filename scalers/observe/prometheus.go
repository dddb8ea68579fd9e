package observe

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
)

func init() {
	scalers.Register(scalers.Kind[*conn.HTTPConn, *Prometheus]{
		Types: []string{"prometheus"}, Category: "observe", Since: "0.1.0", Label: "prometheusScaler",
		Example: map[string]string{
			"serverAddress": "http://prometheus.monitoring.svc:9090",
			"query":         `sum(rate(http_requests_total{deployment="shop"}[2m]))`, "threshold": "100",
		},
	})
}

// Prometheus scales on the result of a PromQL query, which must be one number:
// a scalar or a vector with one element. It reads every server that has the
// query API of Prometheus.
type Prometheus struct {
	// Address of the server, up to the part before /api/v1/query.
	ServerAddress string `param:"serverAddress"`
	// Query in PromQL.
	Query string `param:"query"`
	// More parameters of the request, as name=value, separated by commas.
	QueryParameters map[string]string `param:"queryParameters,optional"`
	// Value of the query that one replica should handle.
	Threshold float64 `param:"threshold" role:"target" min:"0.001"`
	// Value of the query above which the workload leaves zero.
	ActivationThreshold float64 `param:"activationThreshold,optional" role:"activation"`
	// Namespace to query, for servers that serve many.
	Namespace string `param:"namespace,optional"`
	// More headers of the request, as name=value, separated by commas.
	CustomHeaders map[string]string `param:"customHeaders,optional"`
	// Read a query without a result, or whose result is NaN or infinite, as 0. With
	// false it is an error, and the workload keeps its replicas.
	IgnoreNullValues bool `param:"ignoreNullValues" default:"true"`
	// How long to wait for the answer. The operator's own limit for every read
	// holds too: the shorter of the two counts.
	Timeout time.Duration `param:"timeout,optional"`
	// As whom to query.
	Auth conn.HTTPAuth
	// As whom to query a cloud's own service.
	Cloud PrometheusCloud
}

// Bind keeps the identity of the pod.
func (p *Prometheus) Bind(s scalers.Setting) error {
	p.Cloud.Identity = s.Identity
	return nil
}

// Validate checks the rules that span parameters.
func (p *Prometheus) Validate() error {
	_, address := conn.ParseURL("serverAddress", p.ServerAddress)
	return errors.Join(address, conn.ValidHeaders("customHeaders", p.CustomHeaders), p.Auth.Validate(), p.Cloud.validate(p.Auth))
}

// Source is the server.
func (p *Prometheus) Source() scalers.Source[*conn.HTTPConn] {
	u, err := conn.ParseURL("serverAddress", p.ServerAddress)
	if err != nil {
		u = &url.URL{} // Validate told
	}
	server := conn.NewHTTP(u, p.Auth)
	server.Sign, _ = p.Cloud.signer() // Validate told
	return server
}

// Stem is the same for every query, as in KEDA.
func (p *Prometheus) Stem() string { return "prometheus" }

// Read queries the server once, for the present by the server's own clock.
func (p *Prometheus) Read(ctx context.Context, c *conn.HTTPConn) (scalers.Value, error) {
	address, err := p.address()
	if err != nil {
		return scalers.Value{}, &scalers.Error{Class: scalers.Configuration, Err: err}
	}
	headers := http.Header{}
	for name, value := range p.CustomHeaders {
		headers.Add(name, value)
	}
	answer, err := get(ctx, c, p.Timeout, address, headers)
	if err != nil {
		return scalers.Value{}, promRefusal(err)
	}
	return p.number(answer)
}

// address is that of the query.
func (p *Prometheus) address() (*url.URL, error) {
	base, err := conn.ParseURL("serverAddress", p.ServerAddress)
	if err != nil {
		return nil, err
	}
	u := base.JoinPath("api/v1/query")
	query := base.Query()
	query.Set("query", p.Query)
	if p.Namespace != "" {
		query.Set("namespace", p.Namespace)
	}
	for name, value := range p.QueryParameters {
		query.Add(name, value)
	}
	u.RawQuery = query.Encode()
	return u, nil
}
