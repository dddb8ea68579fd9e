package metricsadapter_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/rest"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/metrics/pkg/apis/external_metrics"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/apiserver"
	coreopenapi "sigs.k8s.io/custom-metrics-apiserver/pkg/generated/openapi/core"
	metricsopenapi "sigs.k8s.io/custom-metrics-apiserver/pkg/generated/openapi/externalmetrics"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"

	"github.com/freshet-io/freshet/metricsadapter"
)

// handler is an adapter's whole chain, with callers who say who they are in the
// header X-Remote-User and may read everywhere but in the namespace secret.
func handler(t testing.TB, p provider.ExternalMetricsProvider, chain func(http.Handler, *genericapiserver.Config) http.Handler) http.Handler {
	t.Helper()
	return handlerOf(t, p, chain, &gate{})
}

// gate is who is asked for callers and their rights.
type gate struct {
	authentications, authorizations int
	// closed to everybody.
	closed bool
}

func handlerOf(t testing.TB, p provider.ExternalMetricsProvider, chain func(http.Handler, *genericapiserver.Config) http.Handler, g *gate) http.Handler {
	t.Helper()
	c := genericapiserver.NewRecommendedConfig(apiserver.Codecs)
	c.LoopbackClientConfig = &rest.Config{}
	c.ExternalAddress = "localhost:443"
	c.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions, openapinamer.NewDefinitionNamer(apiserver.Scheme))
	c.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, openapinamer.NewDefinitionNamer(apiserver.Scheme))
	c.Authentication.RequestHeaderConfig = proxyHeaders
	c.Authentication.Authenticator = authenticator.RequestFunc(func(r *http.Request) (*authenticator.Response, bool, error) {
		g.authentications++
		name := r.Header.Get("X-Remote-User")
		return &authenticator.Response{User: &user.DefaultInfo{Name: name, Groups: r.Header.Values("X-Remote-Group")}}, name != "", nil
	})
	c.Authorization.Authorizer = authorizer.AuthorizerFunc(func(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
		g.authorizations++
		if g.closed || a.GetNamespace() == "secret" || a.GetUser().GetName() == "" {
			return authorizer.DecisionDeny, "not yours", nil
		}
		return authorizer.DecisionAllow, "", nil
	})
	if chain != nil {
		c.BuildHandlerChainFunc = chain
	}
	server, err := (&apiserver.Config{GenericConfig: &c.Config}).Complete(nil).New("test", nil, p)
	if err != nil {
		t.Fatal(err)
	}
	prepared := server.GenericAPIServer.PrepareRun()
	t.Cleanup(prepared.Destroy)
	return prepared.Handler
}

// definitions are those of the library and of external metrics.
func definitions(ref common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	all := coreopenapi.GetOpenAPIDefinitions(ref)
	maps.Copy(all, metricsopenapi.GetOpenAPIDefinitions(ref))
	return all
}

func ask(h http.Handler, method, target string, header http.Header) *httptest.ResponseRecorder {
	return askOver(h, nil, method, target, header)
}

// askOver asks on a connection with that certificate, if any.
func askOver(h http.Handler, certificate *x509.Certificate, method, target string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Header = header.Clone()
	if certificate != nil {
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestQuickAnswersAreThoseOfTheFullChain compares whole answers, be they values
// or errors, of requests that are quick and of some that are not.
func TestQuickAnswersAreThoseOfTheFullChain(t *testing.T) {
	w := newWorld(t, time.Hour, "orders")
	full, quick := handler(t, w.Provider, nil), handler(t, w.Provider, metricsadapter.WithQuick(w.Provider))
	const base = "/apis/external.metrics.k8s.io/v1beta1/namespaces/"
	selector := "?labelSelector=" + url.QueryEscape(label+"=orders")
	time.Sleep(100 * time.Millisecond) // the first reading
	for _, accept := range []string{"", "*/*", "application/json", "application/vnd.kubernetes.protobuf",
		"application/vnd.kubernetes.protobuf,application/json", "application/yaml", "text/html",
		"application/json;as=Table;v=v1;g=meta.k8s.io,application/json"} {
		for name, tc := range map[string]struct {
			method, target, user string
		}{
			"value":              {"GET", base + "shop/s0-orders" + selector, "hpa"},
			"upper case":         {"GET", base + "shop/S0-ORDERS" + selector, "hpa"},
			"no such metric":     {"GET", base + "shop/s1-orders" + selector, "hpa"},
			"no such object":     {"GET", base + "shop/s0-orders?labelSelector=" + url.QueryEscape(label+"=other"), "hpa"},
			"anonymous":          {"GET", base + "shop/s0-orders" + selector, ""},
			"forbidden":          {"GET", base + "secret/s0-orders" + selector, "hpa"},
			"no selector":        {"GET", base + "shop/s0-orders", "hpa"},
			"two requirements":   {"GET", base + "shop/s0-orders" + selector + url.QueryEscape(",a=b"), "hpa"},
			"a set":              {"GET", base + "shop/s0-orders?labelSelector=" + url.QueryEscape(label+" in (orders)"), "hpa"},
			"malformed selector": {"GET", base + "shop/s0-orders?labelSelector=%28", "hpa"},
			"more parameters":    {"GET", base + "shop/s0-orders" + selector + "&limit=1", "hpa"},
			"post":               {"POST", base + "shop/s0-orders" + selector, "hpa"},
			"deeper":             {"GET", base + "shop/s0-orders/x" + selector, "hpa"},
			"all metrics":        {"GET", base + "shop/" + selector, "hpa"},
		} {
			header := http.Header{}
			if accept != "" {
				header.Set("Accept", accept)
			}
			if tc.user != "" {
				header.Set("X-Remote-User", tc.user)
			}
			want, got := ask(full, tc.method, tc.target, header), ask(quick, tc.method, tc.target, header)
			if got.Code != want.Code || got.Body.String() != want.Body.String() {
				t.Errorf("%s, Accept %q: got %d %q, want %d %q", name, accept, got.Code, got.Body, want.Code, want.Body)
			}
			for _, key := range []string{"Content-Type", "Cache-Control"} {
				if diff := cmp.Diff(want.Header()[key], got.Header()[key]); diff != "" && want.Code == http.StatusOK {
					t.Errorf("%s, Accept %q: header %s (-want +got)\n%s", name, accept, key, diff)
				}
			}
		}
	}
}

// TestQuickValues: numbers and names of all kinds are written as the API
// machinery does.
func TestQuickValues(t *testing.T) {
	w := newWorld(t, 0, "orders")
	full, quick := handler(t, w.Provider, nil), handler(t, w.Provider, metricsadapter.WithQuick(w.Provider))
	target := "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/s0-orders?labelSelector=" + url.QueryEscape(label+"=orders")
	cut := func(w *httptest.ResponseRecorder) string { // the moments differ
		body := w.Body.String()
		if i := strings.Index(body, `"timestamp":"`); i >= 0 {
			body = body[:i] + body[i+35:]
		}
		return body
	}
	for _, v := range []float64{0, 1, 7, 1000, 1234567, 0.001, 1.5, 2.0005, 1e6, 1e12, 1e18, 1e19, 1e30, 123456.789} {
		w.backend.set(v, nil)
		for _, accept := range []string{"application/json", "application/vnd.kubernetes.protobuf"} {
			header := http.Header{"X-Remote-User": {"hpa"}, "Accept": {accept}}
			a, b := ask(full, "GET", target, header), ask(quick, "GET", target, header)
			if accept == "application/json" && cut(a) != cut(b) || a.Body.Len() != b.Body.Len() && accept != "application/json" {
				t.Errorf("%v as %s: got %q, want %q", v, accept, b.Body, a.Body)
			}
		}
	}
	w.backend.set(0, errors.New("down"))
	header := http.Header{"X-Remote-User": {"hpa"}}
	if a, b := ask(full, "GET", target, header), ask(quick, "GET", target, header); a.Code != b.Code || a.Body.String() != b.Body.String() {
		t.Errorf("of a source that is down: got %d %q, want %d %q", b.Code, b.Body, a.Code, a.Body)
	}
}

// TestImpersonationIsNotQuick: who asks in the name of another goes through the
// chain that checks the right to.
func TestImpersonationIsNotQuick(t *testing.T) {
	w := newWorld(t, time.Hour, "orders")
	time.Sleep(100 * time.Millisecond) // the first reading
	full, quick := handler(t, w.Provider, nil), handler(t, w.Provider, metricsadapter.WithQuick(w.Provider))
	target := "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/s0-orders?labelSelector=" + url.QueryEscape(label+"=orders")
	for _, header := range []http.Header{
		{"X-Remote-User": {"hpa"}, "Impersonate-User": {"admin"}},
		{"X-Remote-User": {"hpa"}, "Impersonate-Group": {"system:masters"}},
		{"X-Remote-User": {"hpa"}, "Impersonate-Extra-Scopes": {"view"}},
	} {
		want, got := ask(full, "GET", target, header), ask(quick, "GET", target, header)
		if got.Code != want.Code || got.Body.String() != want.Body.String() {
			t.Errorf("%v: got %d %s, want %d %s", header, got.Code, got.Body, want.Code, want.Body)
		}
	}
}

// TestWhoIsAskedFor: a caller is authenticated and authorized for the first query, and
// remembered for the same query alone. Who may not is asked for each time.
func TestWhoIsAskedFor(t *testing.T) {
	w := newWorld(t, time.Hour, "orders", "more")
	time.Sleep(100 * time.Millisecond) // the first readings
	g := &gate{}
	h := handlerOf(t, w.Provider, metricsadapter.WithQuick(w.Provider), g)
	front, other := &x509.Certificate{NotAfter: time.Now().Add(time.Hour)}, &x509.Certificate{NotAfter: time.Now().Add(time.Hour)}
	query := func(namespace, metric, object string) string {
		return "/apis/external.metrics.k8s.io/v1beta1/namespaces/" + namespace + "/" + metric + "?labelSelector=" + url.QueryEscape(label+"="+object)
	}
	orders := query("shop", "s0-orders", "orders")
	hpa := http.Header{"X-Remote-User": {"hpa"}, "X-Remote-Group": {"a"}}
	for _, tt := range []struct {
		name                            string
		certificate                     *x509.Certificate
		header                          http.Header
		target                          string
		closed                          bool
		code                            int
		authentications, authorizations int
	}{
		{"the first query", front, hpa, orders, false, http.StatusOK, 1, 1},
		{"the same again", front, hpa, orders, false, http.StatusOK, 0, 0},
		{"in protobuf", front, http.Header{"X-Remote-User": {"hpa"}, "X-Remote-Group": {"a"}, "Accept": {"application/vnd.kubernetes.protobuf"}}, orders, false, http.StatusOK, 0, 0},
		{"another object", front, hpa, query("shop", "s0-orders", "more"), false, http.StatusNotFound, 0, 1},
		{"another metric", front, hpa, query("shop", "s1-more", "orders"), false, http.StatusOK, 0, 1},
		{"another namespace", front, hpa, query("secret", "s0-orders", "orders"), false, http.StatusForbidden, 0, 1},
		{"which stays forbidden", front, hpa, query("secret", "s0-orders", "orders"), false, http.StatusForbidden, 0, 1},
		{"another user", front, http.Header{"X-Remote-User": {"eve"}, "X-Remote-Group": {"a"}}, orders, false, http.StatusOK, 1, 1},
		{"other groups", front, http.Header{"X-Remote-User": {"hpa"}}, orders, false, http.StatusOK, 1, 1},
		{"another connection", other, hpa, orders, false, http.StatusOK, 1, 0},
		{"no certificate", nil, hpa, orders, false, http.StatusOK, 1, 0},
		{"a stranger", front, http.Header{}, orders, false, http.StatusUnauthorized, 1, 0},
		{"remembered though the right was taken", front, hpa, orders, true, http.StatusOK, 0, 0},
		{"but not of what is new", front, hpa, query("shop", "s0-new", "orders"), true, http.StatusForbidden, 0, 1},
	} {
		*g = gate{closed: tt.closed}
		got := askOver(h, tt.certificate, http.MethodGet, tt.target, tt.header)
		if got.Code != tt.code || g.authentications != tt.authentications || g.authorizations != tt.authorizations {
			t.Errorf("%s: got %d %s after %d authentications and %d authorizations, want %d after %d and %d",
				tt.name, got.Code, got.Body, g.authentications, g.authorizations, tt.code, tt.authentications, tt.authorizations)
		}
	}
}

// constant is a provider that does nothing, to compare with.
type constant struct{}

func (constant) GetExternalMetric(context.Context, string, labels.Selector, provider.ExternalMetricInfo) (*external_metrics.ExternalMetricValueList, error) {
	return &external_metrics.ExternalMetricValueList{Items: []external_metrics.ExternalMetricValue{{
		MetricName: "s0-orders", Timestamp: metav1.Now(), Value: metricsadapter.Quantity(7),
	}}}, nil
}

func (constant) ListAllExternalMetrics() []provider.ExternalMetricInfo {
	return []provider.ExternalMetricInfo{{Metric: "externalmetrics"}}
}

// BenchmarkAnswer is a query of the HPA through the whole chain but for the
// network, beside that of the library with a provider that does nothing.
func BenchmarkAnswer(b *testing.B) {
	target := "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/s0-orders?labelSelector=" + url.QueryEscape(label+"=orders")
	w := newWorld(b, time.Hour, "orders")
	time.Sleep(100 * time.Millisecond)
	for _, accept := range []string{"application/json", "application/vnd.kubernetes.protobuf,application/json"} {
		for _, tc := range []struct {
			name string
			h    http.Handler
		}{
			{"constant", handler(b, constant{}, nil)},
			{"full", handler(b, w.Provider, nil)},
			{"quick", handler(b, w.Provider, metricsadapter.WithQuick(w.Provider))},
		} {
			b.Run(tc.name+"/"+accept[len("application/"):len("application/")+4], func(b *testing.B) {
				b.ReportAllocs()
				front := &x509.Certificate{NotAfter: time.Now().Add(time.Hour)}
				for b.Loop() {
					if got := askOver(tc.h, front, http.MethodGet, target, http.Header{"X-Remote-User": {"hpa"}, "Accept": {accept}}); got.Code != http.StatusOK {
						b.Fatal(got.Code, got.Body)
					}
				}
			})
		}
	}
}
