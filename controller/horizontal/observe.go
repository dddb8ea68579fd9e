package horizontal

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// PodOf is what the controller wants to know of a pod.
func PodOf(pod *corev1.Pod) Pod {
	p := Pod{Name: pod.Name, Phase: pod.Status.Phase, Deleting: pod.DeletionTimestamp != nil}
	if pod.Status.StartTime != nil {
		p.Start = pod.Status.StartTime.Time
	}
	ready := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady })
	if ready >= 0 {
		p.Ready = pod.Status.Conditions[ready].Status
		p.ReadySince = pod.Status.Conditions[ready].LastTransitionTime.Time
	}
	return p
}
