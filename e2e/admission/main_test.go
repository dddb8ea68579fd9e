// Package admission holds the end-to-end tests of the admission webhooks: a real
// API server asks Freshet, by the configuration of config/webhooks, which is
// changed only in where Freshet is.
package admission

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/freshet-io/freshet/e2e/cluster"
	"github.com/freshet-io/freshet/e2e/suite"
)

// address is where Freshet serves webhooks.
var address string

// world is what all tests share. Certificates live as long as the longest call
// of a test may take. Objects with the label shard=another are not looked after.
var world suite.World

func TestMain(m *testing.M) {
	port, err := cluster.FreePort()
	if err != nil {
		panic(err)
	}
	address = "127.0.0.1:" + strconv.Itoa(port)
	world.Args = []string{
		"--webhook-port", strconv.Itoa(port), "--cert-validity", "15s",
		"--watch-label-selector", "shard notin (another)", "--watch-label-selector-for-triggerauth", "shard notin (another)",
	}
	os.Exit(world.Main(m))
}

// scene is the place of one test.
type scene struct {
	*suite.Scene
	client client.Client
	mu     sync.Mutex
	warned []string
}

// newScene makes one, with the webhooks in place and answering.
func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{Scene: world.NewScene(t)}
	config, err := world.Cluster.RESTConfig()
	s.Must(err)
	config.WarningHandlerWithContext = s
	s.client, err = client.New(config, client.Options{Scheme: world.Client.Scheme()})
	s.Must(err)
	installed.Do(func() { s.install() })
	s.Eventually("the webhooks answering", func() error {
		if err := s.try(worker("probe", `minReplicaCount: 1, pollingInterval: 5`)); err != nil {
			return err
		}
		if len(s.warnings()) == 0 {
			return errors.New("they do not")
		}
		return nil
	})
	return s
}

// in is the scene for a part of its test.
func (s *scene) in(t *testing.T) *suite.Scene {
	return &suite.Scene{T: t, World: s.World, Namespace: s.Namespace, Ctx: s.Ctx}
}

var installed sync.Once

// install applies the configuration of the tree, with a URL in place of the
// Service.
func (s *scene) install() {
	s.Helper()
	text, err := os.ReadFile("../../config/webhooks/webhooks.yaml")
	s.Must(err)
	var config admissionregistrationv1.ValidatingWebhookConfiguration
	s.Must(yaml.UnmarshalStrict(text, &config))
	for i := range config.Webhooks {
		c := &config.Webhooks[i].ClientConfig
		url := "https://" + address + *c.Service.Path
		c.Service, c.URL = nil, &url
	}
	s.Must(s.client.Create(s.Ctx, &config))
}

// HandleWarningHeaderWithContext keeps a warning of the API server.
func (s *scene) HandleWarningHeaderWithContext(_ context.Context, _ int, _ string, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warned = append(s.warned, text)
}

var _ rest.WarningHandlerWithContext = (*scene)(nil)

// warnings are those since the last call.
func (s *scene) warnings() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.warned = nil }()
	return s.warned
}

// policy says what becomes of objects while Freshet does not answer.
func (s *scene) policy(p admissionregistrationv1.FailurePolicyType) {
	s.Helper()
	s.Eventually("the failurePolicy "+string(p), func() error {
		var config admissionregistrationv1.ValidatingWebhookConfiguration
		if err := s.client.Get(s.Ctx, client.ObjectKey{Name: "keda-admission"}, &config); err != nil {
			return err
		}
		for i := range config.Webhooks {
			config.Webhooks[i].FailurePolicy = &p
		}
		return s.client.Update(s.Ctx, &config)
	})
}

// object is an object of Freshet's of YAML.
func object(kind, name, spec string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{}
	text := fmt.Sprintf("{apiVersion: keda.sh/v1alpha1, kind: %s, metadata: {name: %s}, spec: {%s}}", kind, name, spec)
	if err := yaml.Unmarshal([]byte(text), &obj.Object); err != nil {
		panic(err)
	}
	return obj
}

// worker is a ScaledObject on Deployment worker with one trigger, unless spec
// says otherwise.
func worker(name, spec string) *unstructured.Unstructured {
	if !strings.Contains(spec, "triggers:") {
		spec = strings.TrimSuffix("triggers: [{type: redis, name: a, metadata: {address: '127.0.0.1:1', listName: a}}], "+spec, ", ")
	}
	if !strings.Contains(spec, "scaleTargetRef:") {
		spec = "scaleTargetRef: {name: worker}, " + spec
	}
	return object("ScaledObject", name, spec)
}

// try asks whether an object might be created.
func (s *scene) try(obj *unstructured.Unstructured) error {
	obj = obj.DeepCopy()
	if obj.GetKind() != "ClusterTriggerAuthentication" {
		obj.SetNamespace(s.Namespace)
	}
	return s.client.Create(s.Ctx, obj, client.DryRunAll)
}
