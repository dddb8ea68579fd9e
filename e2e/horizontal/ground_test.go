package horizontal

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	ours "github.com/freshet-io/freshet/controller/horizontal"

	"github.com/freshet-io/freshet/e2e/cluster"
	"github.com/freshet-io/freshet/e2e/local"
)

const (
	trialNamespace = "trials"
	targetAPI      = "example.dev/v1"
	targetKind     = "Target"
)

// targetCRD is of what the HPAs scale: it has the replicas that a trial says.
const targetCRD = `{
  "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "targets.example.dev"},
  "spec": {
    "group": "example.dev", "scope": "Namespaced", "names": {"kind": "Target", "plural": "targets", "singular": "target"},
    "versions": [{
      "name": "v1", "served": true, "storage": true,
      "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
      "subresources": {"scale": {
        "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector"
      }}
    }]
  }
}`

// ground is the cluster that trials are in.
type ground struct {
	t      *testing.T
	ctx    context.Context
	client client.WithWatch
	config *rest.Config
}

// newGround makes the namespace of the trials and the kind that they scale.
func newGround(ctx context.Context, t *testing.T, c *cluster.Cluster) *ground {
	t.Helper()
	g := &ground{t: t, ctx: ctx}
	var err error
	g.config, err = c.RESTConfig()
	g.must(err)
	g.client, err = local.NewClient(g.config)
	g.must(err)
	g.must(g.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: trialNamespace}}))
	crd := &unstructured.Unstructured{}
	g.must(crd.UnmarshalJSON([]byte(targetCRD)))
	g.must(g.client.Create(ctx, crd))
	g.eventually("the kind of targets", func() error {
		targets := &unstructured.UnstructuredList{}
		targets.SetAPIVersion(targetAPI)
		targets.SetKind(targetKind + "List")
		return g.client.List(ctx, targets)
	})
	g.eventually("the default ServiceAccount", func() error {
		return g.client.Get(ctx, client.ObjectKey{Namespace: trialNamespace, Name: "default"}, &corev1.ServiceAccount{})
	})
	return g
}

func (g *ground) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// eventually waits until check has nothing to complain about.
func (g *ground) eventually(what string, check func() error) {
	g.t.Helper()
	g.must(g.await(g.ctx, what, check))
}

func (g *ground) await(ctx context.Context, what string, check func() error) error {
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w: %w", what, ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// awaitAdapter waits until the API server hands external metrics on.
func (g *ground) awaitAdapter() {
	g.t.Helper()
	set, err := kubernetes.NewForConfig(g.config)
	g.must(err)
	g.eventually("the adapter", func() error {
		return set.RESTClient().Get().AbsPath("/apis/external.metrics.k8s.io/v1beta1").Do(g.ctx).Error()
	})
}

func newTarget(name string) *unstructured.Unstructured {
	target := &unstructured.Unstructured{}
	target.SetAPIVersion(targetAPI)
	target.SetKind(targetKind)
	target.SetNamespace(trialNamespace)
	target.SetName(name)
	return target
}

// populate makes a target of that many replicas and, for metrics that count them,
// pods that are ready.
func (g *ground) populate(ctx context.Context, name string, replicas int32, pods int) error {
	target := newTarget(name)
	target.Object["spec"] = map[string]any{"replicas": int64(replicas)}
	target.Object["status"] = map[string]any{"replicas": int64(replicas), "selector": "app=" + name}
	if err := g.client.Create(ctx, target); err != nil {
		return fmt.Errorf("creating target %s: %w", name, err)
	}
	for i := range pods {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: trialNamespace, Name: fmt.Sprintf("%s-%d", name, i), Labels: map[string]string{"app": name}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "worker", Image: "worker"}}},
		}
		if err := g.client.Create(ctx, pod); err != nil {
			return fmt.Errorf("creating pod %s: %w", pod.Name, err)
		}
	}
	return g.await(ctx, "pods of "+name, func() error {
		var list corev1.PodList
		if err := g.client.List(ctx, &list, client.InNamespace(trialNamespace), client.MatchingLabels{"app": name}); err != nil {
			return fmt.Errorf("listing them: %w", err)
		}
		for i := range list.Items {
			if p := ours.PodOf(&list.Items[i]); p.Phase != corev1.PodRunning || p.Ready != corev1.ConditionTrue {
				return fmt.Errorf("pod %s is %s", p.Name, p.Phase)
			}
		}
		return nil
	})
}

// ready are so many pods as populate makes.
func (g *ground) ready(pods int) []ours.Pod {
	all := make([]ours.Pod, pods)
	for i := range all {
		all[i] = ours.Pod{Phase: corev1.PodRunning, Ready: corev1.ConditionTrue}
	}
	return all
}

// setStatus sets how many replicas the target has, and setReplicas how many it is
// to have.
func (g *ground) setStatus(ctx context.Context, name string, replicas int32) error {
	return g.patch(ctx, name, "status", replicas)
}

func (g *ground) setReplicas(ctx context.Context, name string, replicas int32) error {
	return g.patch(ctx, name, "spec", replicas)
}

func (g *ground) patch(ctx context.Context, name, part string, replicas int32) error {
	patch := fmt.Sprintf(`{%q: {"replicas": %d}}`, part, replicas)
	if err := g.client.Patch(ctx, newTarget(name), client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		return fmt.Errorf("changing the %s of target %s: %w", part, name, err)
	}
	return nil
}
