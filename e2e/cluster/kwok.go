package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	nodefast "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	"sigs.k8s.io/kwok/kustomize/stage/node/heartbeat"
	podfast "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
)

// startKwok starts kwok with its fast stages, in which nodes and pods are ready
// at once, and waits until the nodes are.
func (c *Cluster) startKwok(ctx context.Context, o Options) error {
	stages := strings.Join([]string{
		nodefast.DefaultNodeInit, heartbeat.DefaultNodeHeartbeat,
		podfast.DefaultPodReady, podfast.DefaultPodComplete, podfast.DefaultPodDelete,
	}, "\n---\n")
	config := filepath.Join(c.Folder, "kwok.yaml")
	if err := os.WriteFile(config, []byte(stages), 0o600); err != nil {
		return fmt.Errorf("writing the stages of kwok: %w", err)
	}
	if err := c.run("kwok", o.Detached, "--kubeconfig="+c.Kubeconfig(), "--config="+config,
		"--manage-all-nodes=false", "--manage-nodes-with-annotation-selector="+fakeNode+"=fake", "--node-ip=127.0.0.1"); err != nil {
		return err
	}
	set, err := c.clientset()
	if err != nil {
		return err
	}
	for i := range o.Nodes {
		if _, err := set.CoreV1().Nodes().Create(ctx, newNode(i), metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("making a node: %w", err)
		}
	}
	return poll(ctx, "nodes", c.Processes, func(ctx context.Context) error {
		nodes, err := set.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for i := range nodes.Items {
			if !nodeReady(&nodes.Items[i]) {
				return errors.New("not ready yet")
			}
		}
		return nil
	})
}

// fakeNode is the annotation of nodes that kwok plays.
const fakeNode = "kwok.x-k8s.io/node"

func newNode(i int) *corev1.Node {
	name := fmt.Sprintf("kwok-%d", i)
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("1000"), corev1.ResourceMemory: resource.MustParse("4Ti"), corev1.ResourcePods: resource.MustParse("10000"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Annotations: map[string]string{fakeNode: "fake"},
			Labels: map[string]string{"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "type": "kwok"},
		},
		Status: corev1.NodeStatus{Allocatable: room, Capacity: room},
	}
}

func nodeReady(node *corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
