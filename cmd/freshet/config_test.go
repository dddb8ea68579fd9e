package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// TestManifests: what Freshet trusts, serves and writes by default is what config
// names, so that it works as it is applied.
func TestManifests(t *testing.T) {
	o := parse(t, nil, "--namespace=freshet")
	names := o.certificateNames()
	var served []string
	for _, text := range documents(t, "manager/apiservice.yaml") {
		var api struct {
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
			Spec struct {
				InsecureSkipTLSVerify bool `json:"insecureSkipTLSVerify"`
				Service               struct {
					Name, Namespace string
				} `json:"service"`
			} `json:"spec"`
		}
		if err := yaml.Unmarshal([]byte(text), &api); err != nil {
			t.Fatal(err)
		}
		served = append(served, api.Metadata.Name)
		host := api.Spec.Service.Name + "." + api.Spec.Service.Namespace + ".svc"
		if api.Spec.InsecureSkipTLSVerify || !slices.Contains(names, host) {
			t.Errorf("APIService %s leads to %s, unverified: %t; the certificate is for %q", api.Metadata.Name, host, api.Spec.InsecureSkipTLSVerify, names)
		}
	}
	if !slices.Equal(served, apiServices) {
		t.Errorf("the APIServices are %q; those that are told to trust the certificate are %q", served, apiServices)
	}
	named := map[string]bool{}
	for _, text := range documents(t, "rbac/role.yaml") {
		var role rbacv1.Role // a ClusterRole has the same rules
		if err := yaml.Unmarshal([]byte(text), &role); err != nil {
			t.Fatal(err)
		}
		for _, rule := range role.Rules {
			for _, name := range rule.ResourceNames {
				named[name] = slices.Contains(rule.Verbs, "update")
			}
		}
	}
	want := append([]string{o.certificates.secret, o.webhooks.configuration}, apiServices...)
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(named)); !slices.Equal(got, want) {
		t.Errorf("single objects that may be written are %q, want %q", got, want)
	}
}

func documents(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(text), "\n---\n")
}

// TestAdapterFiles: where the certificate of external metrics comes from.
func TestAdapterFiles(t *testing.T) {
	filled, empty := t.TempDir(), t.TempDir()
	for _, name := range []string{"tls.crt", "tls.key"} {
		if err := os.WriteFile(filepath.Join(filled, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for reason, tc := range map[string]struct {
		args []string
		want string
	}{
		"Freshet makes it":                      {nil, ""},
		"Freshet makes it, whatever is there":   {[]string{"--cert-dir=" + filled}, ""},
		"files for external metrics alone":      {[]string{"--tls-cert-file=a", "--tls-private-key-file=b", "--cert-dir=" + filled}, "a b"},
		"files for all":                         {[]string{"--enable-cert-rotation=false", "--cert-dir=" + filled}, filled + "/tls.crt " + filled + "/tls.key"},
		"nobody gives one: it is made at start": {[]string{"--enable-cert-rotation=false", "--cert-dir=" + empty}, ""},
	} {
		certificate, key := parse(t, nil, tc.args...).adapterFiles()
		if got := strings.TrimSpace(certificate + " " + key); got != tc.want {
			t.Errorf("%s: got %q, want %q", reason, got, tc.want)
		}
	}
}
