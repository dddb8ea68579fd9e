package horizontal

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// RequestsOf are what pods request of a resource, in thousandths, by their names:
// what a Utilization is a share of. With a container it is that one's request. It
// fails when one pod does not request the resource.
func RequestsOf(pods []*corev1.Pod, name corev1.ResourceName, container string) (map[string]int64, error) {
	requests := make(map[string]int64, len(pods))
	for _, pod := range pods {
		var request int64
		var err error
		switch {
		case container != "":
			request, err = containerRequest(pod, name, container)
		case requestsAsPod(pod):
			request, err = podRequest(pod, name)
		default:
			request, err = sumOfRequests(pod, name)
		}
		if err != nil {
			return nil, err
		}
		requests[pod.Name] = request
	}
	return requests, nil
}

// running are the containers that run as long as the pod does.
func running(pod *corev1.Pod) []corev1.Container {
	all := slices.Clone(pod.Spec.Containers)
	for _, c := range pod.Spec.InitContainers {
		if sidecar(&c) {
			all = append(all, c)
		}
	}
	return all
}

func sidecar(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

func containerRequest(pod *corev1.Pod, name corev1.ResourceName, container string) (int64, error) {
	for _, c := range running(pod) {
		if c.Name != container {
			continue
		}
		request, found := c.Resources.Requests[name]
		if !found {
			return 0, fmt.Errorf("container %s of pod %s requests no %s", container, pod.Name, name)
		}
		return request.MilliValue(), nil
	}
	return 0, fmt.Errorf("pod %s has no container %s", pod.Name, container)
}

func sumOfRequests(pod *corev1.Pod, name corev1.ResourceName) (int64, error) {
	sum := int64(0)
	for _, c := range running(pod) {
		request, found := c.Resources.Requests[name]
		if !found {
			return 0, fmt.Errorf("container %s of pod %s requests no %s", c.Name, pod.Name, name)
		}
		sum += request.MilliValue()
	}
	return sum, nil
}

// requestsAsPod tells whether requests are made for the pod as a whole.
func requestsAsPod(pod *corev1.Pod) bool {
	if pod.Spec.Resources == nil {
		return false
	}
	for name := range pod.Spec.Resources.Requests {
		if name == corev1.ResourceCPU || name == corev1.ResourceMemory || strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix) {
			return true
		}
	}
	return false
}

// podRequest is the request of a pod that makes some as a whole. A resource that
// is not among them is what its containers need at the most, at its start or
// later. What the pod itself costs comes on top.
func podRequest(pod *corev1.Pod, name corev1.ResourceName) (int64, error) {
	whole, found := pod.Spec.Resources.Requests[name]
	if !found {
		whole, found = neededByContainers(pod, name)
	}
	if overhead, costs := pod.Spec.Overhead[name]; costs {
		whole.Add(overhead)
		found = true
	}
	if !found {
		return 0, fmt.Errorf("pod %s requests no %s", pod.Name, name)
	}
	return whole.MilliValue(), nil
}

// neededByContainers is the most that containers request at a time: all that stay,
// or one that runs before them beside the sidecars that started earlier.
func neededByContainers(pod *corev1.Pod, name corev1.ResourceName) (resource.Quantity, bool) {
	var stay, early, most resource.Quantity
	found := false
	for _, c := range pod.Spec.Containers {
		if request, asks := c.Resources.Requests[name]; asks {
			stay.Add(request)
			found = true
		}
	}
	for _, c := range pod.Spec.InitContainers {
		request, asks := c.Resources.Requests[name]
		found = found || asks
		if sidecar(&c) {
			stay.Add(request)
			early.Add(request)
			continue
		}
		if request.Add(early); request.Cmp(most) > 0 {
			most = request
		}
	}
	if stay.Cmp(most) > 0 {
		most = stay
	}
	return most, found
}
