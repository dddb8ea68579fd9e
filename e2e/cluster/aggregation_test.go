package cluster

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// testAggregatedAPI serves an API from this very process: the API server
// reaches it through a Service of type ExternalName, shows the front proxy's
// certificate and says who asks.
func testAggregatedAPI(t *testing.T, c *Cluster) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path != "/apis/adapter.example.com/v1/who" {
			_, _ = w.Write(mustJSON(t, metav1.APIResourceList{
				TypeMeta:     metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"},
				GroupVersion: "adapter.example.com/v1",
			}))
			return
		}
		_, _ = fmt.Fprintf(w, "%s for %s in %s", r.TLS.PeerCertificates[0].Subject.CommonName,
			r.Header.Get("X-Remote-User"), r.Header.Get("X-Remote-Group"))
	}))
	server.TLS = &tls.Config{
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool(t, c.Dir(), proxyCAName), MinVersion: tls.VersionTLS12,
	}
	server.StartTLS()
	defer server.Close()
	port := server.Listener.Addr().(*net.TCPAddr).Port

	kubectl(t, c, fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: adapter, namespace: default}
spec:
  type: ExternalName
  externalName: localhost
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.adapter.example.com}
spec:
  group: adapter.example.com
  version: v1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: {namespace: default, name: adapter, port: %d}
`, port), "apply", "-f", "-")
	kubectl(t, c, "", "wait", "--for=condition=Available", "--timeout=30s", "apiservice/v1.adapter.example.com")
	got := kubectl(t, c, "", "get", "--raw", "/apis/adapter.example.com/v1/who")
	if want := "front-proxy-client for admin in system:masters"; got != want {
		t.Errorf("the adapter was asked by %q, want %q", got, want)
	}
	kubectl(t, c, "", "delete", "apiservice/v1.adapter.example.com", "service/adapter")
}
