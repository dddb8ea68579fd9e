package horizontal

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/freshet-io/freshet/e2e/local"
)

// adapter serves external metrics whose values the trials make up as they are asked.
type adapter struct {
	trials map[string]*trial // by the namespace and name of what is scaled
}

// serve has the cluster ask the trials for external metrics.
func (a *adapter) serve(t *testing.T, ground *ground) {
	t.Helper()
	server := httptest.NewTLSServer(a)
	t.Cleanup(server.Close)
	ground.must(ground.client.Create(ground.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: local.Namespace}}))
	ground.must(local.RouteTo(ground.ctx, ground.client, int32(server.Listener.Addr().(*net.TCPAddr).Port), false))
}

// ServeHTTP answers /apis/external.metrics.k8s.io/v1beta1/namespaces/NAMESPACE/TRIAL-METRIC.
func (a *adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, path, queried := strings.Cut(r.URL.Path, "/namespaces/")
	if !queried {
		_ = json.NewEncoder(w).Encode(metav1.APIResourceList{
			TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: v1beta1.SchemeGroupVersion.String(),
		})
		return
	}
	_, metric, _ := strings.Cut(path, "/")
	name, number, _ := strings.Cut(metric, "-")
	values, err := []int64(nil), errors.New("nobody knows of it")
	if one := a.trials[name]; one != nil {
		values, err = one.asked(r.Context(), number)
	}
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
			Message: fmt.Sprintf("reading %s: %v", metric, err), Code: http.StatusInternalServerError,
		})
		return
	}
	list := v1beta1.ExternalMetricValueList{TypeMeta: metav1.TypeMeta{Kind: "ExternalMetricValueList", APIVersion: v1beta1.SchemeGroupVersion.String()}}
	for _, v := range values {
		list.Items = append(list.Items, v1beta1.ExternalMetricValue{
			MetricName: metric, Timestamp: metav1.Now(), Value: *resource.NewMilliQuantity(v, resource.DecimalSI),
		})
	}
	_ = json.NewEncoder(w).Encode(list)
}
