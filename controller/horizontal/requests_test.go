package horizontal

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func cpu(text string) corev1.ResourceList {
	if text == "" {
		return nil
	}
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(text)}
}

func container(name, request string) corev1.Container {
	return corev1.Container{Name: name, Resources: corev1.ResourceRequirements{Requests: cpu(request)}}
}

// TestRequestsOf: what a share of the request is a share of.
func TestRequestsOf(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	sidecar := func(name, request string) corev1.Container {
		c := container(name, request)
		c.RestartPolicy = &always
		return c
	}
	pod := func(init []corev1.Container, containers ...corev1.Container) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "worker-0"}, Spec: corev1.PodSpec{InitContainers: init, Containers: containers}}
	}
	whole := func(p *corev1.Pod, request, overhead string) *corev1.Pod {
		p.Spec.Resources = &corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}}
		for name, q := range cpu(request) {
			p.Spec.Resources.Requests[name] = q
		}
		p.Spec.Overhead = cpu(overhead)
		return p
	}
	early := []corev1.Container{container("early", "900m"), sidecar("proxy", "50m"), container("late", "800m")}
	for _, tc := range []struct {
		reason    string
		pod       *corev1.Pod
		container string
		want      int64
		err       string
	}{
		{"containers add up", pod(nil, container("a", "100m"), container("b", "1")), "", 1100, ""},
		{"a sidecar counts, what runs before does not", pod(early, container("a", "100m")), "", 150, ""},
		{"one container that requests nothing fails all", pod(nil, container("a", "100m"), container("b", "")), "", 0, "container b of pod worker-0 requests no cpu"},
		{"of a container it is that one's", pod(nil, container("a", "100m"), container("b", "")), "a", 100, ""},
		{"also of a sidecar", pod(early, container("a", "100m")), "proxy", 50, ""},
		{"what runs before is not there to be measured", pod(early, container("a", "100m")), "early", 0, "pod worker-0 has no container early"},
		{"a container that requests nothing", pod(nil, container("a", "")), "a", 0, "container a of pod worker-0 requests no cpu"},
		{"a request of the pod counts instead", whole(pod(nil, container("a", "")), "2", ""), "", 2000, ""},
		{"and so does what the pod itself costs", whole(pod(nil, container("a", "1")), "2", "250m"), "", 2250, ""},
		{"without one of this resource it is the most that runs at a time", whole(pod(early, container("a", "100m")), "", ""), "", 900, ""},
		{"with the sidecars that started before", whole(pod(early[1:], container("a", "100m")), "", ""), "", 850, ""},
		{"and what stays, when that is more", whole(pod(early, container("a", "2")), "", ""), "", 2050, ""},
		{"but nothing at all fails", whole(pod(nil, container("a", "")), "", ""), "", 0, "pod worker-0 requests no cpu"},
		{"with a container the pod's request does not count", whole(pod(nil, container("a", "100m")), "2", "1"), "a", 100, ""},
	} {
		got, err := RequestsOf([]*corev1.Pod{tc.pod}, corev1.ResourceCPU, tc.container)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != tc.err || got["worker-0"] != tc.want {
			t.Errorf("%s: %v, %q; want %d, %q", tc.reason, got, text, tc.want, tc.err)
		}
	}
}
