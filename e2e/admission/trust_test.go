package admission

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/discovery"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

const metricsAPI = "v1beta1.external.metrics.k8s.io"

// apiService is that of external metrics.
func (s *scene) apiService() *apiregistrationv1.APIService {
	s.Helper()
	api := &apiregistrationv1.APIService{}
	s.Must(s.client.Get(s.Ctx, client.ObjectKey{Name: metricsAPI}, api))
	return api
}

// askMetrics asks the API server for what Freshet serves it.
func (s *scene) askMetrics() error {
	s.Helper()
	config, err := world.Cluster.RESTConfig()
	s.Must(err)
	asks, err := discovery.NewDiscoveryClientForConfig(config)
	s.Must(err)
	if _, err = asks.ServerResourcesForGroupVersion("external.metrics.k8s.io/v1beta1"); err != nil {
		return fmt.Errorf("asking for external metrics: %w", err)
	}
	return nil
}

// expectAvailable waits until the API server says that it reaches external metrics,
// or does not, for a reason that holds all words.
func (s *scene) expectAvailable(want apiregistrationv1.ConditionStatus, words ...string) {
	s.Helper()
	s.Within(90*time.Second, "availability "+string(want), func() error {
		for _, c := range s.apiService().Status.Conditions {
			if c.Type != apiregistrationv1.Available {
				continue
			}
			if c.Status == want && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(c.Message, w) }) {
				return nil
			}
			return fmt.Errorf("it is %s: %s", c.Status, c.Message)
		}
		return fmt.Errorf("nothing is said")
	})
}

// The API server verifies who serves external metrics.
func TestVerified(t *testing.T) {
	s := newScene(t)
	api := s.apiService()
	if api.Spec.InsecureSkipTLSVerify || len(api.Spec.CABundle) == 0 {
		t.Errorf("the API server is told to pass over verification: %t, and to trust %d bytes", api.Spec.InsecureSkipTLSVerify, len(api.Spec.CABundle))
	}
	s.Must(s.askMetrics())
}

// The certificate of external metrics may be in files. The API server is then told
// by somebody else whom to trust, and does not reach Freshet before it was.
func TestMetricsFromFiles(t *testing.T) {
	s := newScene(t)
	ours, others := newAuthority(t), newAuthority(t)
	files, err := ours.WriteServer(t.TempDir(), "freshet.freshet.svc")
	s.Must(err)
	args := world.Freshet.Args
	s.Must(world.Freshet.Stop())
	t.Cleanup(func() {
		s.Must(world.Freshet.Stop())
		world.Freshet.Args = args
		s.Must(world.Freshet.Start(context.Background()))
		s.Must(s.askMetrics())
	})
	s.trust(ours.PEM)
	world.Freshet.Args = append(slices.Clone(args), "--tls-cert-file", files.Cert, "--tls-private-key-file", files.Key)
	s.Must(world.Freshet.Start(s.Ctx))
	s.Must(s.askMetrics())
	conn, err := tls.Dial("tcp", strings.TrimPrefix(world.Freshet.AdapterURL(), "https://"), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it is only looked at
	s.Must(err)
	defer func() { _ = conn.Close() }()
	if name := conn.ConnectionState().PeerCertificates[0].Subject.CommonName; name != "server" {
		t.Errorf("the certificate is of %q, and not the one of the files", name)
	}
	s.trust(others.PEM)
	s.expectAvailable(apiregistrationv1.ConditionFalse, "x509")
	s.trust(ours.PEM)
	s.expectAvailable(apiregistrationv1.ConditionTrue)
	if bundle := string(s.apiService().Spec.CABundle); bundle != ours.PEM {
		t.Error("Freshet told the API server to trust somebody else than who signed the files")
	}
}

// trust has the API server trust an authority for external metrics.
func (s *scene) trust(authority string) {
	s.Helper()
	s.Eventually("another authority", func() error {
		api := s.apiService()
		api.Spec.CABundle, api.Spec.InsecureSkipTLSVerify = []byte(authority), false
		return s.client.Update(s.Ctx, api)
	})
}

func newAuthority(t *testing.T) *servers.Authority {
	t.Helper()
	authority, err := servers.NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	return authority
}
