package admission

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/e2e/local"
	"github.com/freshet-io/freshet/e2e/suite"
)

// serial is that of the certificate that Freshet serves.
func (s *scene) serial() string {
	s.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it is only looked at
	s.Must(err)
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// Certificates, and then their authority, change under a webhook and external
// metrics that must answer; no call fails meanwhile, and the process stays the same.
func TestRotation(t *testing.T) {
	s := newScene(t)
	s.policy(admissionregistrationv1.Fail)
	t.Cleanup(func() { s.policy(admissionregistrationv1.Ignore) })
	pid := world.Freshet.PID()
	calls := 0
	until := func(what string, done func() bool) {
		t.Helper()
		deadline := time.Now().Add(suite.Patience)
		for !done() {
			if time.Now().After(deadline) {
				t.Fatalf("%s did not change", what)
			}
			if err := s.try(worker("a", "triggers: [{type: redis, metadata: {address: 'a:1'}}]")); err == nil || !strings.Contains(err.Error(), "listName is missing") {
				t.Fatalf("while %s changes the webhook says %v", what, err)
			}
			if err := s.askMetrics(); err != nil {
				t.Fatalf("while %s changes: %v", what, err)
			}
			calls++
			time.Sleep(100 * time.Millisecond)
		}
	}
	first := s.serial()
	until("the certificate", func() bool { return s.serial() != first })

	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: local.Namespace, Name: "kedaorg-certs"}
	s.Must(s.client.Get(s.Ctx, key, secret))
	before := string(secret.Data["ca.crt"])
	delete(secret.Data, "ca.key")
	s.Must(s.client.Update(s.Ctx, secret))
	second := s.serial()
	until("the authority", func() bool { return s.serial() != second })
	settled := calls + 10
	until("nothing more", func() bool { return calls >= settled })
	s.Must(s.client.Get(s.Ctx, key, secret))
	if bundle := s.apiService().Spec.CABundle; !bytes.Equal(bundle, secret.Data["ca.crt"]) {
		t.Error("the API server trusts others for external metrics than for webhooks")
	}
	if after := string(secret.Data["ca.crt"]); after == before || !strings.HasSuffix(after, before) {
		t.Error("the former authority is not trusted beside the new one")
	}
	if calls < 20 || world.Freshet.PID() != pid {
		t.Errorf("%d calls were made, of processes %d and %d", calls, pid, world.Freshet.PID())
	}
}

// While Freshet is down nobody is held up, unless they asked to be. What was
// stored meanwhile can be labelled, changed elsewhere and deleted afterwards; and
// so can what is older than a rule of its definition be told of and deleted.
func TestDown(t *testing.T) {
	s := newScene(t)
	s.Deployment("worker", 1)
	s.Deployment("old", 1)
	s.Must(world.Freshet.Stop())
	s.createOld(worker("old", "scaleTargetRef: {name: old}, minReplicaCount: 3, maxReplicaCount: 2"))
	bad := worker("worker", "triggers: [{type: redis, metadata: {address: '127.0.0.1:1'}}]")
	s.Create(bad)
	s.policy(admissionregistrationv1.Fail)
	s.Eventually("a refusal by Fail", func() error { // once the API server knows
		if err := s.try(worker("another", "")); !apierrors.IsInternalError(err) {
			return fmt.Errorf("the API server says: %w", err)
		}
		return nil
	})
	s.policy(admissionregistrationv1.Ignore)
	s.Must(world.Freshet.Start(s.Ctx))
	s.Eventually("the webhooks answering again", func() error {
		s.warnings()
		if err := s.try(worker("another", "scaleTargetRef: {name: a}, triggers: [{type: redis, metadata: {address: 'a:1'}}]")); err == nil || !strings.Contains(err.Error(), "listName is missing") {
			return fmt.Errorf("they say: %w", err)
		}
		return nil
	})
	change := func(edit func(*unstructured.Unstructured)) {
		t.Helper()
		obj := &unstructured.Unstructured{}
		obj.SetGroupVersionKind(kedav1alpha1.GroupVersion.WithKind("ScaledObject"))
		suite.Change(s.Scene, "worker", obj, edit)
	}
	change(func(obj *unstructured.Unstructured) { obj.SetLabels(map[string]string{"team": "a"}) })
	change(func(obj *unstructured.Unstructured) {
		if err := unstructured.SetNestedField(obj.Object, int64(5), "spec", "maxReplicaCount"); err != nil {
			t.Fatal(err)
		}
	})
	s.ExpectCondition("worker", kedav1alpha1.ConditionReady, "False", "ScaledObjectCheckFailed", "listName is missing")
	s.ExpectCondition("old", kedav1alpha1.ConditionReady, "False", "ScaledObjectCheckFailed", "maxReplicaCount")
	for _, name := range []string{"worker", "old"} {
		obj := worker(name, "")
		obj.SetNamespace(s.Namespace)
		s.Must(s.client.Delete(s.Ctx, obj))
		s.Eventually("the end of "+name, func() error {
			if err := s.client.Get(s.Ctx, client.ObjectKeyFromObject(obj), obj); !apierrors.IsNotFound(err) {
				return fmt.Errorf("it is still there: %w", err)
			}
			return nil
		})
	}
}

// createOld stores an object that breaks a rule of its definition, as one that
// was stored before there was the rule.
func (s *scene) createOld(obj *unstructured.Unstructured) {
	s.Helper()
	_, err := world.Cluster.Kubectl(s.Ctx, "patch", "crd", "scaledobjects.keda.sh", "--type=json", "-p",
		`[{"op": "remove", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/x-kubernetes-validations"}]`)
	s.Must(err)
	s.Eventually("an old object", func() error {
		obj.SetNamespace(s.Namespace)
		return s.client.Create(s.Ctx, obj.DeepCopy())
	})
	_, err = world.Cluster.Kubectl(s.Ctx, "apply", "--server-side", "--force-conflicts", "-f", "../../config/crd/keda.sh_scaledobjects.yaml")
	s.Must(err)
	s.Eventually("the rules being back", func() error {
		if err := s.try(worker("another", "minReplicaCount: 3, maxReplicaCount: 2")); !apierrors.IsInvalid(err) {
			return fmt.Errorf("the API server says: %w", err)
		}
		return nil
	})
}
