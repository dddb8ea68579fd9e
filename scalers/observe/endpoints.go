package observe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
)

// mostEndpoints is how many endpoints of a service are asked at a time.
const mostEndpoints = 5

// askEndpoints asks every ready endpoint of the service and aggregates. One that
// fails is missing in the aggregate, which therefore is an error.
func (a *MetricsAPI) askEndpoints(ctx context.Context, c *conn.HTTPConn, address *url.URL) (float64, error) {
	hosts, err := a.endpoints(ctx, address)
	if err != nil {
		return 0, err
	}
	numbers := make([]float64, len(hosts))
	errs := inParallel(len(hosts), mostEndpoints, func(i int) (err error) {
		endpoint := *address
		endpoint.Host = hosts[i]
		numbers[i], err = a.ask(ctx, c, &endpoint)
		return err
	})
	failed := slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(failed) > 0 {
		return 0, &scalers.Error{
			Class: scalers.ClassOf(failed[0]), RetryAfter: scalers.RetryAfterOf(failed[0]),
			Err: fmt.Errorf("%d of %d endpoints of %s failed, one of them with: %w", len(failed), len(hosts), address.Hostname(), failed[0]),
		}
	}
	return aggregate(a.Aggregation, numbers), nil
}

// aggregate makes one number of at least one.
func aggregate(how string, numbers []float64) float64 {
	sum := 0.0
	for _, n := range numbers {
		sum += n
	}
	switch how {
	case "sum":
		return sum
	case "max":
		return slices.Max(numbers)
	case "min":
		return slices.Min(numbers)
	default:
		return sum / float64(len(numbers))
	}
}

// serviceOf is the service that the host of the address names.
func serviceOf(address *url.URL) (client.ObjectKey, error) {
	parts := strings.Split(address.Hostname(), ".")
	if len(parts) < 2 || parts[0] == "" || parts[1] == "" || net.ParseIP(address.Hostname()) != nil {
		return client.ObjectKey{}, errors.New("parameter url must name a service as http://service.namespace.svc:port/path: " +
			"aggregateFromKubeServiceEndpoints is true")
	}
	return client.ObjectKey{Namespace: parts[1], Name: parts[0]}, nil
}

// endpoints are the ready endpoints of the service of the address, as host:port.
func (a *MetricsAPI) endpoints(ctx context.Context, address *url.URL) ([]string, error) {
	service, err := serviceOf(address)
	if err != nil {
		return nil, &scalers.Error{Class: scalers.Configuration, Err: err}
	}
	if a.cluster == nil {
		return nil, scalers.ConfigurationError("there is no cluster to find the endpoints of %s in", service)
	}
	var list discoveryv1.EndpointSliceList
	err = a.cluster.List(ctx, &list, client.InNamespace(service.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: service.Name})
	if err != nil {
		return nil, fmt.Errorf("listing the EndpointSlices of service %s: %w", service, err)
	}
	var hosts []string
	for _, family := range []discoveryv1.AddressType{discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6} {
		for i := range list.Items {
			if list.Items[i].AddressType != family {
				continue
			}
			more, err := readyHosts(&list.Items[i], address)
			if err != nil {
				return nil, err
			}
			hosts = append(hosts, more...)
		}
		if len(hosts) > 0 { // those of the other family are the same pods
			break
		}
	}
	if len(hosts) == 0 {
		return nil, scalers.UnavailableError("service %s has no endpoint that is ready", service)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts), nil
}

// readyHosts are the ready endpoints of a slice, as host:port.
func readyHosts(slice *discoveryv1.EndpointSlice, address *url.URL) ([]string, error) {
	var hosts []string
	for _, e := range slice.Endpoints {
		if ready := e.Conditions.Ready; len(e.Addresses) == 0 || ready != nil && !*ready {
			continue
		}
		port, err := portOf(slice, address)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, net.JoinHostPort(e.Addresses[0], port))
	}
	return hosts, nil
}

// portOf is the port of the endpoints that the address means: of its number; of
// the name of its scheme, when the number is the scheme's own; or the only one.
func portOf(slice *discoveryv1.EndpointSlice, address *url.URL) (string, error) {
	usual := map[string]string{"http": "80", "https": "443"}[address.Scheme]
	want := address.Port()
	if want == "" {
		want = usual
	}
	var numbers []string
	named := ""
	for _, p := range slice.Ports {
		if p.Port == nil {
			return want, nil // any
		}
		number := strconv.Itoa(int(*p.Port))
		if number == want {
			return want, nil
		}
		if p.Name != nil && *p.Name == address.Scheme && want == usual {
			named = number
		}
		numbers = append(numbers, number)
	}
	switch {
	case named != "":
		return named, nil
	case len(numbers) == 1:
		return numbers[0], nil
	case len(numbers) == 0:
		return want, nil
	}
	return "", scalers.ConfigurationError("the endpoints of %s do not listen on port %s: give parameter url one of their own ports, %s",
		address.Hostname(), want, strings.Join(numbers, " or "))
}
