package scaledobject

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s.io/client-go/rest"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/e2e/local"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// Without its CRDs, freshet says so and fails.
func TestRunWithoutCRDs(t *testing.T) {
	if withoutCRDs.err == nil || !strings.Contains(withoutCRDs.output, "install the CRDs first") {
		t.Errorf("it said %q and ended with %v", withoutCRDs.output, withoutCRDs.err)
	}
}

// The adapter answers nobody that the cluster does not know.
func TestAdapterAuthenticates(t *testing.T) {
	t.Parallel()
	plain := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // its certificate is self-signed
	}}
	url := world.Freshet.AdapterURL() + "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/s0-x"
	for _, tt := range []struct {
		reason string
		token  string
		want   int
	}{
		{"a stranger may not read", "", http.StatusForbidden},
		{"a wrong token is nobody's", "nonsense", http.StatusUnauthorized},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.token != "" {
			req.Header.Set("Authorization", "Bearer "+tt.token)
		}
		resp, err := plain.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != tt.want {
			t.Errorf("%s: got %s, want %d", tt.reason, resp.Status, tt.want)
		}
	}
}

// Discovery answers whatever objects there are.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	out, err := world.Cluster.Kubectl(s.Ctx, "get", "--raw", "/apis/external.metrics.k8s.io/v1beta1")
	s.Must(err)
	if !strings.Contains(string(out), "ExternalMetricValueList") {
		t.Errorf("it is %s", out)
	}
}

// Manifests written for KEDA apply unchanged, and the API server holds the
// rules of the schema.
func TestManifests(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	files, err := filepath.Glob("../../apis/keda/v1alpha1/testdata/manifests/*.yaml")
	s.Must(err)
	if len(files) < 8 {
		t.Fatalf("there are only %d manifests", len(files))
	}
	for _, file := range files {
		if _, err := world.Cluster.Kubectl(s.Ctx, "apply", "--dry-run=server", "--validate=strict", "-f", file); err != nil &&
			!strings.Contains(err.Error(), "namespaces") { // of a manifest that names one
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
	}
	refused := s.scaledObject(func(so *kedav1alpha1.ScaledObject) {
		low, high := int32(3), int32(5)
		so.Spec.MaxReplicaCount, so.Spec.MinReplicaCount = &low, &high
		so.Namespace = s.Namespace
	})
	if err := world.Client.Create(s.Ctx, refused); err == nil || !strings.Contains(err.Error(), "minReplicaCount") {
		t.Errorf("min above max: got %v", err)
	}
}

// Every field has a sentence that kubectl explain shows.
func TestExplain(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for _, field := range []string{"scaledobject.spec.triggers.useCachedMetrics", "scaledobject.spec.advanced.restoreToOriginalReplicaCount",
		"scaledjob.spec.scalingStrategy.strategy", "triggerauthentication.spec.secretTargetRef.key"} {
		out, err := world.Cluster.Kubectl(s.Ctx, "explain", field)
		s.Must(err)
		_, description, ok := strings.Cut(string(out), "DESCRIPTION:")
		if !ok || len(strings.TrimSpace(description)) < 20 || strings.Contains(description, "<empty>") {
			t.Errorf("kubectl explain %s says %s", field, out)
		}
	}
}

// schema is a part of what the API server publishes, by which kubectl explains.
type schema struct {
	Description string            `json:"description"`
	Properties  map[string]schema `json:"properties"`
	Items       *schema           `json:"items"`
	Additional  json.RawMessage   `json:"additionalProperties"`
}

// silent are the paths below the schema's that have no sentence.
func (s *schema) silent(path string, count *int) []string {
	var all []string
	for name, p := range s.Properties {
		*count++
		if strings.TrimSpace(p.Description) == "" {
			all = append(all, path+"."+name)
		}
		all = append(all, p.silent(path+"."+name, count)...)
	}
	var values schema
	if json.Unmarshal(s.Additional, &values) == nil { // else it is a bool
		all = append(all, values.silent(path+"{}", count)...)
	}
	if s.Items != nil {
		all = append(all, s.Items.silent(path+"[]", count)...)
	}
	return all
}

// So it is for each that kubectl explain --recursive lists.
func TestExplainRecursive(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	raw, err := world.Cluster.Kubectl(s.Ctx, "get", "--raw", "/openapi/v3/apis/keda.sh/v1alpha1")
	s.Must(err)
	var published struct {
		Components struct {
			Schemas map[string]schema `json:"schemas"`
		} `json:"components"`
	}
	s.Must(json.Unmarshal(raw, &published))
	object := published.Components.Schemas["sh.keda.v1alpha1.ScaledObject"]
	for _, part := range []string{"spec", "status"} {
		count := 0
		top := object.Properties[part]
		if silent := top.silent("scaledobject."+part, &count); len(silent) > 0 {
			t.Errorf("no sentence: %q", silent)
		}
		listed, err := world.Cluster.Kubectl(s.Ctx, "explain", "scaledobject."+part, "--recursive")
		s.Must(err)
		_, fields, _ := strings.Cut(string(listed), "FIELDS:")
		if n := strings.Count(fields, "\t<") + strings.Count(fields, "  <"); count < 15 || n < count {
			t.Errorf("of %s kubectl lists %d fields, and %d were looked at:\n%s", part, n, count, listed)
		}
	}
}

// The self-metrics have the names that dashboards know.
func TestSelfMetrics(t *testing.T) {
	t.Parallel()
	s := newScene(t).withRedis(servers.RedisOptions{})
	s.push(12)
	s.Deployment("worker", 0)
	s.Create(s.scaledObject(nil))
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, metav1.ConditionTrue, "ScaledObjectReady")
	text, err := world.Freshet.Metrics(s.Ctx)
	s.Must(err)
	labels := `{metric="s0-redis-orders",namespace="` + s.Namespace + `",scaledObject="worker",scaler="redisScaler",triggerIndex="0",type="scaledobject"}`
	for _, want := range []string{
		"keda_scaler_metrics_value" + labels + " 12", "keda_scaler_active" + labels + " 1",
		"keda_scaler_detail_errors_total" + labels + " 0", "keda_scaler_metrics_latency_seconds" + labels,
		"keda_build_info{", `keda_trigger_registered_total{type="redis"}`,
		`keda_resource_registered_total{namespace="` + s.Namespace + `",type="scaled_object"} 1`,
		`keda_scaled_object_paused{namespace="` + s.Namespace + `",scaledObject="worker"} 0`,
		`keda_internal_scale_loop_latency_seconds{namespace="` + s.Namespace + `"`,
		"controller_runtime_reconcile_total", "workqueue_depth",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the self-metrics lack %s", want)
		}
	}
}

// A replica that does not lead is ready, answers with numbers that it reads
// itself, and writes nothing.
func TestStandbyServes(t *testing.T) {
	t.Parallel()
	s := newScene(t).withRedis(servers.RedisOptions{})
	s.push(8)
	s.Deployment("worker", 0)
	s.Create(s.scaledObject(nil))
	s.ExpectReplicas("worker", 2)

	standby, err := local.New(world.Program, world.Kubeconfig, filepath.Join(t.TempDir(), "standby.log"), world.Client)
	s.Must(err)
	s.Must(standby.Start(s.Ctx))
	t.Cleanup(func() {
		if err := standby.Stop(); err != nil {
			t.Error(err)
		}
	})
	config, err := world.Cluster.RESTConfig()
	s.Must(err)
	config.Insecure = true // its certificate is self-signed
	config.CAFile, config.CAData = "", nil
	admin, err := rest.HTTPClientFor(config)
	s.Must(err)
	req, err := http.NewRequestWithContext(s.Ctx, http.MethodGet, standby.AdapterURL()+"/apis/external.metrics.k8s.io/v1beta1/namespaces/"+
		s.Namespace+"/s0-redis-orders?labelSelector=scaledobject.keda.sh%2Fname%3Dworker", nil)
	s.Must(err)
	s.Eventually("the standby's answer", func() error { // whose word on client certificates it reads after its start
		resp, err := admin.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err == nil && !strings.Contains(string(body), `"value":"8"`) {
			err = fmt.Errorf("%s: %s", resp.Status, body)
		}
		return err
	})
	text, err := standby.Metrics(s.Ctx)
	s.Must(err)
	if !strings.Contains(text, `leader_election_master_status{name="operator.keda.sh"} 0`) {
		t.Error("the standby leads")
	}
}
