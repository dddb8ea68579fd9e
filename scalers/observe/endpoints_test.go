package observe_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// slice is an EndpointSlice of service shop in namespace web. Ports are name:number.
func slice(name string, family discoveryv1.AddressType, ports []string, endpoints ...discoveryv1.Endpoint) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: name, Namespace: "web", Labels: map[string]string{discoveryv1.LabelServiceName: "shop"}},
		AddressType: family, Endpoints: endpoints,
	}
	for _, p := range ports {
		portName, number, _ := strings.Cut(p, ":")
		n, _ := strconv.ParseInt(number, 10, 32)
		n32, protocol := int32(n), corev1.ProtocolTCP
		s.Ports = append(s.Ports, discoveryv1.EndpointPort{Name: &portName, Port: &n32, Protocol: &protocol})
	}
	return s
}

// at is an endpoint, ready or not; nil is not told.
func at(address string, ready *bool) discoveryv1.Endpoint {
	return discoveryv1.Endpoint{Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: ready}}
}

// pods are servers at 127.0.0.1, 127.0.0.2 and so on, on one port. Each answers
// with what answer says of its number.
func pods(t testing.TB, n int, answer func(pod int, w http.ResponseWriter, r *http.Request)) (port string) {
	t.Helper()
	port = "0"
	for pod := range n {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.%d:%s", pod+1, port))
		if err != nil {
			t.Skip("one port of several loopback addresses is not to be had: ", err)
		}
		_, port, _ = net.SplitHostPort(l.Addr().String())
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(pod, w, r) }))
		s.Listener.Close()
		s.Listener = l
		s.Start()
		t.Cleanup(s.Close)
	}
	return port
}

func cluster(objects ...client.Object) client.Reader {
	return fake.NewClientBuilder().WithObjects(objects...).Build()
}

// ofService is a trigger that asks the endpoints of the service.
func ofService(t testing.TB, reader client.Reader, url string, metadata m) *scalers.Scaler {
	t.Helper()
	all := m{"aggregateFromKubeServiceEndpoints": "true"}
	for k, v := range metadata {
		all[k] = v
	}
	return decode(t, "metrics-api", param.Input{Metadata: apiMetadata(url, "size", all)}, scalers.Setting{Cluster: reader})
}

func ptr[T any](v T) *T { return &v }

func TestEndpointsAreAggregated(t *testing.T) {
	port := pods(t, 4, func(pod int, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/stats/x" || r.URL.RawQuery != "token=S3NT1N3L" {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprintf(w, `{"size": %d}`, 1<<pod)
	})
	ports := []string{"web:" + port, "other:1"}
	reader := cluster(
		slice("a", discoveryv1.AddressTypeIPv4, ports, at("127.0.0.1", ptr(true)), at("127.0.0.2", nil), at("127.0.0.3", ptr(false))),
		slice("b", discoveryv1.AddressTypeIPv4, ports, at("127.0.0.4", ptr(true)), at("127.0.0.2", ptr(true))), // moves between slices
		slice("c", discoveryv1.AddressTypeIPv6, ports, at("::1", ptr(true))),                                   // the first one once more
	)
	for how, want := range map[string]string{"": "3.6666666666666665", "average": "3.6666666666666665", "sum": "11", "max": "8", "min": "1"} {
		s := ofService(t, reader, "http://shop.web.svc.cluster.local:"+port+"/stats/x?token=S3NT1N3L", m{"aggregationType": how})
		if how == "" {
			s = ofService(t, reader, "http://shop.web:"+port+"/stats/x?token=S3NT1N3L", nil)
		}
		if r := read(t, s); outcome(r) != want {
			t.Errorf("%s: got %s, want %s: %v", how, outcome(r), want, r.Err)
		}
	}
	outside := ofService(t, reader, "http://shop.web:"+port+"/other?token=S3NT1N3L", nil)
	r := read(t, outside)
	if outcome(r) != "configuration" || !strings.Contains(r.Err.Error(), "3 of 3 endpoints") || strings.Contains(r.Err.Error(), "S3NT1N3L") {
		t.Errorf("when all fail: got %v", r.Err)
	}
}

// Part of the endpoints is not the service: a sum of less would scale in.
func TestEndpointThatFailsFailsTheRead(t *testing.T) {
	var state atomic.Value
	port := pods(t, 3, func(pod int, w http.ResponseWriter, _ *http.Request) {
		if pod == 1 {
			switch state.Load() {
			case "broken":
				w.WriteHeader(http.StatusInternalServerError)
			case "refusing":
				w.WriteHeader(http.StatusUnauthorized)
			case "empty":
				return
			}
		}
		fmt.Fprint(w, `{"size": 5}`)
	})
	reader := cluster(slice("a", discoveryv1.AddressTypeIPv4, []string{"web:" + port}, at("127.0.0.1", nil), at("127.0.0.2", nil), at("127.0.0.3", nil)))
	for is, want := range map[string]string{"well": "15", "broken": "unavailable", "refusing": "authentication", "empty": "unavailable"} {
		state.Store(is)
		r := read(t, ofService(t, reader, "http://shop.web:"+port, m{"aggregationType": "sum"}))
		if outcome(r) != want || r.Err != nil && !strings.Contains(r.Err.Error(), "1 of 3 endpoints of shop.web failed") {
			t.Errorf("%s: got %s, want %s: %v", is, outcome(r), want, r.Err)
		}
	}
}

func TestEndpointsPorts(t *testing.T) {
	port := pods(t, 1, func(_ int, w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"size": 5}`) })
	for name, tc := range map[string]struct {
		url   string
		ports []string
		want  string
	}{
		"by number":            {"http://shop.web:" + port, []string{"http:1", "web:" + port}, "5"},
		"by name":              {"http://shop.web", []string{"metrics:1", "http:" + port}, "5"},
		"by name and number":   {"http://shop.web:80", []string{"metrics:1", "http:" + port}, "5"},
		"the only one":         {"http://shop.web:8080", []string{"web:" + port}, "5"},
		"any":                  {"http://shop.web:" + port, nil, "5"},
		"none of several":      {"http://shop.web:8080", []string{"http:" + port, "metrics:1"}, "configuration"},
		"not named as the URL": {"http://shop.web", []string{"https:1", "web:" + port}, "configuration"},
	} {
		r := read(t, ofService(t, cluster(slice("a", discoveryv1.AddressTypeIPv4, tc.ports, at("127.0.0.1", nil))), tc.url, nil))
		if outcome(r) != tc.want || r.Err != nil && !strings.Contains(r.Err.Error(), port) {
			t.Errorf("%s: got %s, want %s: %v", name, outcome(r), tc.want, r.Err)
		}
	}
}

// failingReader is a cluster that cannot be read.
type failingReader struct{ client.Reader }

func (failingReader) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("no list")
}

func TestEndpointsThatThereAreNot(t *testing.T) {
	other := slice("a", discoveryv1.AddressTypeIPv4, nil, at("127.0.0.1", nil))
	other.Labels[discoveryv1.LabelServiceName] = "bar"
	elsewhere := slice("b", discoveryv1.AddressTypeIPv4, nil, at("127.0.0.1", nil))
	elsewhere.Namespace = "default"
	for name, tc := range map[string]struct {
		reader     client.Reader
		want, says string
	}{
		"none":          {cluster(other, elsewhere), "unavailable", "service web/shop has no endpoint that is ready"},
		"none is ready": {cluster(slice("a", discoveryv1.AddressTypeIPv4, nil, at("127.0.0.1", ptr(false)))), "unavailable", "ready"},
		"no cluster":    {nil, "configuration", "no cluster"},
		"not to be had": {failingReader{}, "unavailable", "EndpointSlices of service web/shop: no list"},
	} {
		r := read(t, ofService(t, tc.reader, "http://shop.web:1", nil))
		if outcome(r) != tc.want || !strings.Contains(r.Err.Error(), tc.says) {
			t.Errorf("%s: got %v", name, r.Err)
		}
	}
}

func TestEndpointsAreAskedFiveAtATime(t *testing.T) {
	var now, most atomic.Int64
	gate := make(chan struct{})
	port := pods(t, 12, func(_ int, w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			continue
		}
		<-gate
		fmt.Fprint(w, `{"size": 5}`)
	})
	s := slice("a", discoveryv1.AddressTypeIPv4, []string{"web:" + port})
	for pod := range 12 {
		s.Endpoints = append(s.Endpoints, at(fmt.Sprintf("127.0.0.%d", pod+1), nil))
	}
	go func() {
		defer close(gate)
		for end := time.Now().Add(5 * time.Second); now.Load() < 5 && time.Now().Before(end); time.Sleep(time.Millisecond) {
			continue
		}
		time.Sleep(50 * time.Millisecond) // a sixth one would come
	}()
	if r := read(t, ofService(t, cluster(s), "http://shop.web:"+port, m{"aggregationType": "sum"})); outcome(r) != "60" {
		t.Errorf("got %s: %v", outcome(r), r.Err)
	}
	if n := most.Load(); n != 5 {
		t.Errorf("%d were asked at a time", n)
	}
}

// The certificate of the endpoints is that of the service.
func TestEndpointsWithTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"size": 5}`) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS() // with a certificate for example.com and 127.0.0.1
	t.Cleanup(server.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	theirs := slice("b", discoveryv1.AddressTypeIPv4, []string{"https:" + port}, at("127.0.0.1", nil))
	theirs.Namespace, theirs.Labels[discoveryv1.LabelServiceName] = "com", "example"
	ours := slice("a", discoveryv1.AddressTypeIPv4, []string{"https:" + port}, at("127.0.0.1", nil))
	for name, tc := range map[string]struct{ host, unsafe, want string }{
		"its name":             {"example.com", "false", "5"},
		"another name":         {"shop.web", "false", "unavailable"},
		"another name, unsafe": {"shop.web", "true", "5"},
	} {
		in := param.Input{Auth: m{"ca": ca}, Metadata: apiMetadata("https://"+tc.host, "size", m{
			"aggregateFromKubeServiceEndpoints": "true", "unsafeSsl": tc.unsafe,
		})}
		if r := read(t, decode(t, "metrics-api", in, scalers.Setting{Cluster: cluster(theirs, ours)})); outcome(r) != tc.want {
			t.Errorf("%s: got %s, want %s: %v", name, outcome(r), tc.want, r.Err)
		}
	}
}
