package kube

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/freshet-io/freshet/scalers"
)

func init() {
	scalers.Register(scalers.Kind[*clusterConn, *Workload]{
		Types: []string{"kubernetes-workload"}, Category: "kube", Since: "0.1.0", Label: "kubernetesWorkloadScaler",
		Example: map[string]string{"podSelector": "app in (orders, returns)", "value": "2"},
		ReadAll: readWorkloads,
	})
}

// Workload scales on the number of pods of other workloads in its namespace.
// Pods that have ended do not count; those that wait to run or to end do.
type Workload struct {
	// Labels of the pods to count, as kubectl selects by them.
	PodSelector string `param:"podSelector"`
	// Pods, or nodes, that one replica should handle.
	Value float64 `param:"value" min:"0.001" role:"target"`
	// Number of pods, or nodes, above which the workload leaves zero.
	ActivationValue float64 `param:"activationValue,optional" role:"activation"`
	// Count the nodes that the pods are on, each once.
	GroupByNode bool `param:"groupByNode" default:"false"`

	// Namespace is the object's.
	Namespace string

	selector labels.Selector
	reader   client.Reader
}

// Bind keeps the namespace.
func (w *Workload) Bind(s scalers.Setting) error {
	w.Namespace, w.reader = s.Object.Namespace, s.Cluster
	return nil
}

// Validate parses the selector.
func (w *Workload) Validate() error {
	var err error
	if w.selector, err = labels.Parse(w.PodSelector); err != nil {
		return fmt.Errorf("parameter podSelector is %q, which selects nothing: write labels such as app=orders,tier!=web: %w", w.PodSelector, err)
	}
	return nil
}

// Source are the pods of the namespace.
func (w *Workload) Source() scalers.Source[*clusterConn] {
	return cluster{What: "pods", Namespace: w.Namespace, reader: w.reader}
}

// Stem names the namespace.
func (w *Workload) Stem() string { return "workload-" + w.Namespace }

// Read counts the pods or their nodes.
func (w *Workload) Read(ctx context.Context, c *clusterConn) (scalers.Value, error) {
	var out [1]scalers.Result
	if err := readWorkloads(ctx, c, []*Workload{w}, out[:]); err != nil {
		return scalers.Value{}, err
	}
	return out[0].Value, out[0].Err
}

// readWorkloads lists the pods once. The cache makes the first list of all wait
// until it has every pod.
func readWorkloads(ctx context.Context, c *clusterConn, workloads []*Workload, out []scalers.Result) error {
	listed := workloads[0].selector // of one selector only its own pods are copied
	if slices.ContainsFunc(workloads, func(w *Workload) bool { return w.PodSelector != workloads[0].PodSelector }) {
		listed = labels.Everything()
	}
	var pods corev1.PodList
	err := c.List(ctx, &pods, client.InNamespace(workloads[0].Namespace), client.MatchingLabelsSelector{Selector: listed}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return c.explain(err)
	}
	counts := map[string]podCount{}
	for i, w := range workloads {
		count, known := counts[w.PodSelector]
		if !known {
			count = countPods(pods.Items, w.selector)
			counts[w.PodSelector] = count
		}
		out[i].Value = scalers.Number(float64(count.pods))
		if w.GroupByNode {
			out[i].Value = scalers.Number(float64(count.nodes))
		}
	}
	return nil
}

// podCount is how many pods there are, and how many nodes they are on.
type podCount struct{ pods, nodes int }

// countPods counts the pods of a selector that have not ended.
func countPods(pods []corev1.Pod, selector labels.Selector) podCount {
	count := podCount{}
	nodes := map[string]bool{}
	for i := range pods {
		phase := pods[i].Status.Phase
		if phase == corev1.PodSucceeded || phase == corev1.PodFailed || !selector.Matches(labels.Set(pods[i].Labels)) {
			continue
		}
		count.pods++
		if node := pods[i].Spec.NodeName; node != "" {
			nodes[node] = true
		}
	}
	count.nodes = len(nodes)
	return count
}
