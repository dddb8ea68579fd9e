package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// startTest starts a cluster that ends with the test.
func startTest(t *testing.T, o Options) *Cluster {
	t.Helper()
	o.Log = t.Output()
	c, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// One cluster for all that does not end it.
func TestCluster(t *testing.T) {
	c := startTest(t, Options{})
	t.Run("version", func(t *testing.T) { testVersion(t, c) })
	t.Run("check", func(t *testing.T) {
		if err := c.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("deployment", func(t *testing.T) { testDeployment(t, c) })
	t.Run("jobs", func(t *testing.T) { testJobs(t, c) })
	t.Run("service account", func(t *testing.T) { testServiceAccount(t, c) })
	t.Run("aggregated API", func(t *testing.T) { testAggregatedAPI(t, c) })
	t.Run("kubectl", func(t *testing.T) {
		out, err := c.Kubectl(t.Context(), "get", "pod", "none")
		if err == nil || !strings.Contains(err.Error(), `pods "none" not found`) || len(out) > 0 {
			t.Errorf("output %q, error %v, want kubectl's complaint in the error", out, err)
		}
	})
}

func testVersion(t *testing.T, c *Cluster) {
	client, err := c.client()
	if err != nil {
		t.Fatal(err)
	}
	v, err := client.Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if v.GitVersion != KubernetesVersion || v.Major+"."+v.Minor != "1.37" {
		t.Errorf("version %s (%s.%s), want %s", v.GitVersion, v.Major, v.Minor, KubernetesVersion)
	}
}

func testDeployment(t *testing.T, c *Cluster) {
	const manifest = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: example.com/web}]}
`
	kubectl(t, c, manifest, "apply", "-f", "-")
	eventually(t, "three pods are ready", func() error {
		ready := kubectl(t, c, "", "get", "deployment", "web", "-o", "jsonpath={.status.readyReplicas}")
		if ready != "3" {
			return fmt.Errorf("ready: %q", ready)
		}
		return nil
	})
	kubectl(t, c, "", "scale", "deployment", "web", "--replicas=0")
	eventually(t, "all pods are gone", func() error {
		if names := kubectl(t, c, "", "get", "pods", "-l", "app=web", "-o", "name"); names != "" {
			return errors.New(names)
		}
		return nil
	})
}

func testJobs(t *testing.T, c *Cluster) {
	const manifest = `
apiVersion: batch/v1
kind: Job
metadata: {name: short}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: example.com/job}]}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: long}
spec:
  template:
    metadata: {annotations: {freshet.io/run-for: 1h}}
    spec: {restartPolicy: Never, containers: [{name: main, image: example.com/job}]}
`
	kubectl(t, c, manifest, "apply", "-f", "-")
	eventually(t, "the short job is complete and the long one runs", func() error {
		got := kubectl(t, c, "", "get", "jobs", "-o",
			"jsonpath={range .items[*]}{.metadata.name}:{.status.ready}/{.status.succeeded} {end}")
		if got != "long:1/ short:0/1 " {
			return fmt.Errorf("ready/succeeded: %q", got)
		}
		return nil
	})
	kubectl(t, c, "", "delete", "jobs", "--all")
}

func testServiceAccount(t *testing.T, c *Cluster) {
	ctx := t.Context()
	path, err := c.ServiceAccountKubeconfig(ctx, "default", "default")
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	if len(config.CertData)+len(config.KeyData) > 0 || config.CertFile != "" {
		t.Error("the kubeconfig has another credential than the token")
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := review.Status.UserInfo.Username, "system:serviceaccount:default:default"; got != want {
		t.Errorf("the API knows it as %q, want %q", got, want)
	}
	if _, err := client.CoreV1().Secrets("default").List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("listing secrets: %v, want forbidden", err)
	}
	if _, err := c.ServiceAccountKubeconfig(ctx, "default", "none"); !apierrors.IsNotFound(err) {
		t.Errorf("for a missing ServiceAccount: %v, want not found", err)
	}
}

func kubectl(t *testing.T, c *Cluster, stdin string, args ...string) string {
	t.Helper()
	out, err := c.KubectlStdin(t.Context(), stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// eventually waits until check succeeds.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waiting until %s: %v", what, err)
		}
		time.Sleep(pollInterval)
	}
}

func mustJSON(t *testing.T, object any) []byte {
	t.Helper()
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
