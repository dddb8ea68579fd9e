package certificates

import (
	"encoding/base64"
	"log/slog"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

const metricsAPI = "v1beta1.external.metrics.k8s.io"

// apiService is one that is served by a Service.
func apiService(t *testing.T, service string) *unstructured.Unstructured {
	t.Helper()
	api := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte("{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: "+metricsAPI+"}, "+
		"spec: {group: external.metrics.k8s.io, version: v1beta1, insecureSkipTLSVerify: true, service: {namespace: freshet, name: "+service+"}}}"), &api.Object); err != nil {
		t.Fatal(err)
	}
	return api
}

// specOf is the APIService's spec as the cluster has it.
func specOf(t *testing.T, c client.Client) map[string]any {
	t.Helper()
	api := &unstructured.Unstructured{}
	api.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIService"})
	if err := c.Get(t.Context(), client.ObjectKey{Name: metricsAPI}, api); err != nil {
		t.Fatal(err)
	}
	return api.Object["spec"].(map[string]any)
}

// TestAPIServiceTrusts: the API server verifies who serves an APIService, also once
// the authority is another one, and the rest of the APIService stays.
func TestAPIServiceTrusts(t *testing.T) {
	c := newClient(t, webhooks(), apiService(t, "webhooks"))
	k := newKeeper(c)
	k.APIServices = []string{metricsAPI, "v1.not.there"}
	for _, at := range []time.Time{start, start.Add(7 * life)} {
		if err := k.tend(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		spec := specOf(t, c)
		if _, blind := spec["insecureSkipTLSVerify"]; blind || spec["group"] != "external.metrics.k8s.io" {
			t.Errorf("the spec is %v", spec)
		}
		bundle, err := base64.StdEncoding.DecodeString(spec["caBundle"].(string))
		if err != nil {
			t.Fatal(err)
		}
		serving, _ := k.Certificate(nil)
		if err := verifies(bundle, serving, at); err != nil {
			t.Error(err)
		}
		if string(bundle) != string(trusted(t, c)) {
			t.Error("webhooks and APIServices trust different authorities")
		}
	}
}

// TestAnothersAPIService: an APIService that another program serves is left alone,
// which is told once, until it leads here.
func TestAnothersAPIService(t *testing.T) {
	c := newClient(t, apiService(t, "another"))
	k := newKeeper(c)
	var log strings.Builder
	k.Log, k.APIServices = slog.New(slog.NewTextHandler(&log, nil)), []string{metricsAPI}
	for range 3 {
		if err := k.tend(t.Context(), start); err != nil {
			t.Fatal(err)
		}
	}
	if spec := specOf(t, c); spec["caBundle"] != nil || spec["insecureSkipTLSVerify"] != true {
		t.Errorf("another's spec is %v", spec)
	}
	if n := strings.Count(log.String(), "freshet/another"); n != 1 {
		t.Errorf("it is told %d times:\n%s", n, log.String())
	}
	if err := c.Delete(t.Context(), apiService(t, "another")); err != nil {
		t.Fatal(err)
	}
	if err := c.Create(t.Context(), apiService(t, "webhooks")); err != nil {
		t.Fatal(err)
	}
	if err := k.tend(t.Context(), start); err != nil || specOf(t, c)["caBundle"] == nil {
		t.Errorf("once it leads here: %v, %v", specOf(t, c), err)
	}
}

// bell counts how often it is told.
type bell int

// Enqueue counts.
func (b *bell) Enqueue() { *b++ }

// TestServersAreTold: a server gets the certificate as PEM, and is told of each new
// one.
func TestServersAreTold(t *testing.T) {
	k := newKeeper(newClient(t))
	var told bell
	k.AddListener(&told)
	if certificate, key := k.CurrentCertKeyContent(); certificate != nil || key != nil {
		t.Error("there is a certificate before there is one")
	}
	for i, at := range []time.Time{start, start, start.Add(life * 7 / 10)} {
		if err := k.tend(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		certificate, key := k.CurrentCertKeyContent()
		pair, err := parse(certificate, key)
		if err != nil {
			t.Fatal(err)
		}
		if served, _ := k.Certificate(nil); !pair.leaf.Equal(served.Leaf) {
			t.Error("it is another one than webhooks are served with")
		}
		if want := []bell{1, 1, 2}[i]; told != want {
			t.Errorf("look %d: servers were told %d times, want %d", i, told, want)
		}
	}
}
