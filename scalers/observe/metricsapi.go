package observe

import (
	"context"
	"errors"
	"math"
	"net/url"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
)

func init() {
	scalers.Register(scalers.Kind[*conn.HTTPConn, *MetricsAPI]{
		Types: []string{"metrics-api"}, Category: "observe", Since: "0.1.0", Label: "metricsAPIScaler",
		Example: map[string]string{
			"url": "http://shop.default.svc:8080/stats", "valueLocation": "queue.size", "targetValue": "100",
		},
	})
}

// MetricsAPI scales on a number in what an HTTP endpoint answers: JSON, YAML,
// XML, or metrics in the text format of Prometheus.
type MetricsAPI struct {
	// Address to ask with GET.
	URL string `param:"url"`
	// Format of the answer.
	Format string `param:"format" default:"json" enum:"prometheus,json,xml,yaml"`
	// Where the number is in the answer, which may give it as a text such as 10Mi. In
	// JSON: a path of GJSON, as in queues.0.size. In YAML: keys and numbers of list
	// items, joined with dots. In XML: names of elements from the root on, joined with
	// dots, a number to tell apart elements of one name, and @name for an attribute.
	// Of Prometheus: a selector, as in queue_size{queue="orders"}; of several samples
	// that match the first counts.
	ValueLocation string `param:"valueLocation"`
	// Number that one replica should handle.
	TargetValue float64 `param:"targetValue" role:"target" min:"0.001"`
	// Number above which the workload leaves zero.
	ActivationTargetValue float64 `param:"activationTargetValue" default:"0" role:"activation"`
	// Ask every ready endpoint of the service that the address names as
	// service.namespace, rather than the address. When one of them fails, the read does.
	Aggregate bool `param:"aggregateFromKubeServiceEndpoints" default:"false"`
	// What becomes of the numbers of the endpoints.
	Aggregation string `param:"aggregationType" default:"average" enum:"average,sum,max,min"`
	// How long to wait for an answer. The operator's own limit for every read holds
	// too: the shorter of the two counts.
	Timeout time.Duration `param:"timeout,optional"`
	// As whom to ask.
	Auth conn.HTTPAuth

	cluster client.Reader
}

// Bind keeps the way to the cluster, for the endpoints.
func (a *MetricsAPI) Bind(s scalers.Setting) error {
	a.cluster = s.Cluster
	return nil
}

// Validate checks the rules that span parameters.
func (a *MetricsAPI) Validate() error {
	address, err := conn.ParseURL("url", a.URL)
	faults := []error{err, a.Auth.Validate()}
	if err == nil && a.Aggregate {
		_, err := serviceOf(address)
		faults = append(faults, err)
	}
	if a.Format == "prometheus" {
		_, err := parseSelector(a.ValueLocation)
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// Source is the server or, of the endpoints of a service, the service.
func (a *MetricsAPI) Source() scalers.Source[*conn.HTTPConn] {
	u, err := conn.ParseURL("url", a.URL)
	if err != nil {
		u = &url.URL{} // Validate told
	}
	server := conn.NewHTTP(u, a.Auth)
	if a.Aggregate && u.Scheme == "https" {
		server.ServerName = u.Hostname() // endpoints have its certificate, not one for their address
	}
	return server
}

// Stem names the place of the number.
func (a *MetricsAPI) Stem() string { return "metric-api-" + a.ValueLocation }

// Read asks the address, or every endpoint.
func (a *MetricsAPI) Read(ctx context.Context, c *conn.HTTPConn) (scalers.Value, error) {
	address, err := conn.ParseURL("url", a.URL)
	if err != nil {
		return scalers.Value{}, &scalers.Error{Class: scalers.Configuration, Err: err}
	}
	ask := a.ask
	if a.Aggregate {
		ask = a.askEndpoints
	}
	n, err := ask(ctx, c, address)
	if err != nil {
		return scalers.Value{}, err
	}
	return scalers.Number(n), nil
}

// ask is the number at one address.
func (a *MetricsAPI) ask(ctx context.Context, c *conn.HTTPConn, address *url.URL) (float64, error) {
	answer, err := get(ctx, c, a.Timeout, address, nil)
	if err != nil {
		return 0, err
	}
	n, err := a.number(answer)
	if err == nil && (math.IsNaN(n) || math.IsInf(n, 0)) {
		err = scalers.UnavailableError("%s has %v at valueLocation %q, which is not a finite number", answer.URL, n, a.ValueLocation)
	}
	return n, err
}

// number is the one at the place in the answer.
func (a *MetricsAPI) number(answer *conn.Answer) (float64, error) {
	p := place{answer: answer, location: a.ValueLocation}
	switch a.Format {
	case "yaml":
		return p.inYAML()
	case "xml":
		return p.inXML()
	case "prometheus":
		return p.inMetrics()
	default:
		return p.inJSON()
	}
}
