package horizontal

import (
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	defaults "k8s.io/kubernetes/pkg/apis/autoscaling/v2"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
	"k8s.io/utils/ptr"

	ours "github.com/freshet-io/freshet/controller/horizontal"
)

// current is the HPA as the controller left it.
func (s *server) current() *autoscalingv2.HorizontalPodAutoscaler {
	return s.hpas.store.List()[0].(*autoscalingv2.HorizontalPodAutoscaler)
}

// respec gives the HPA another spec, with the defaults of the API server.
func (l *life) respec() {
	if l.hpa.Generation > 0 && l.chance(50) { // somebody raises the minimum alone
		l.written.MinReplicas = ptr.To(min(ptr.Deref(l.written.MinReplicas, 1)+int32(l.between(0, 2)), l.written.MaxReplicas))
	} else {
		l.written = l.spec(autoscalingv2.ExternalMetricSourceType, autoscalingv2.ExternalMetricSourceType, autoscalingv2.ObjectMetricSourceType,
			autoscalingv2.PodsMetricSourceType, autoscalingv2.ResourceMetricSourceType, autoscalingv2.ContainerResourceMetricSourceType)
	}
	l.hpa = l.hpa.DeepCopy()
	l.hpa.Generation++
	l.written.DeepCopyInto(&l.hpa.Spec)
	defaults.SetDefaults_HorizontalPodAutoscaler(l.hpa)
	replace(l.server.hpas, l.hpa)
}

// happen is what the world is like in the next sync.
func (l *life) happen() {
	s := l.server
	if l.chance(6) { // somebody scales it
		s.scale.Spec.Replicas = int32(l.between(0, int(l.written.MaxReplicas)+3))
	}
	if s.scale.Status.Replicas = s.scale.Spec.Replicas; l.chance(20) {
		s.scale.Status.Replicas = int32(l.between(0, int(l.written.MaxReplicas)))
	}
	s.scale.Status.Selector = "app=worker"
	l.input = ours.Input{Replicas: s.scale.Spec.Replicas, StatusReplicas: s.scale.Status.Replicas, ScaledToZero: l.told[autoscalingv2.ScaledToZero].Status}
	if l.chance(2) {
		s.scale.Status.Selector = ""
		l.input.Selector = &ours.SelectorFault{Reason: "InvalidSelector", Err: errUnanswered}
	}
	s.scaleErr, s.writeErr = nil, nil
	switch l.IntN(50) {
	case 0:
		s.scaleErr, l.input.ScaleErr = errUnanswered, errUnanswered
	case 1:
		s.writeErr, l.input.WriteErr = errUnanswered, errUnanswered
	}
	if l.chance(15) {
		l.idle = l.chance(40)
	}
	pods := l.populate()
	s.answers, s.asked = nil, 0
	for _, m := range l.written.Metrics {
		a, reading := l.answer(m, pods)
		s.answers, l.input.Readings = append(s.answers, a), append(l.input.Readings, reading)
	}
}

// populate makes pods for about as many replicas as there are.
func (l *life) populate() []*corev1.Pod {
	n := int(min(l.input.StatusReplicas, 30))
	if l.chance(15) {
		n = l.between(0, 6)
	}
	troubled := l.chance(50) // else all are well
	pods := make([]*corev1.Pod, n)
	l.input.Pods = make([]ours.Pod, n)
	for i := range pods {
		pods[i] = l.pod(fmt.Sprintf("worker-%d", i), troubled)
		l.input.Pods[i] = ours.PodOf(pods[i])
	}
	replace(l.server.pods, pods...)
	return pods
}

func (l *life) pod(name string, troubled bool) *corev1.Pod {
	now := time.Now()
	ago := func() *metav1.Time {
		return ptr.To(metav1.NewTime(now.Add(-oneOf(l.dice, time.Hour, 10*time.Minute, 5*time.Minute, 4*time.Minute, 30*time.Second, 10*time.Second))))
	}
	started := ago()
	ready := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: *ago()}
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "test", Labels: map[string]string{"app": "worker"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{l.container("worker"), l.container("helper")}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, StartTime: started},
	}
	sidecar := l.container("sidecar")
	sidecar.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
	p.Spec.InitContainers = []corev1.Container{l.container("early"), sidecar, l.container("late")}
	if l.chance(20) {
		p.Spec.Resources = &corev1.ResourceRequirements{Requests: l.requests(40)}
		p.Spec.Overhead = l.requests(50)
	}
	if !troubled {
		p.Status.StartTime, ready.LastTransitionTime = ptr.To(metav1.NewTime(now.Add(-time.Hour))), metav1.NewTime(now.Add(-time.Hour))
		p.Status.Conditions = []corev1.PodCondition{ready}
		return p
	}
	if l.chance(15) {
		p.DeletionTimestamp = started
	}
	if l.chance(30) {
		p.Status.Phase = oneOf(l.dice, corev1.PodPending, corev1.PodFailed, corev1.PodSucceeded, corev1.PodUnknown)
	}
	if l.chance(40) {
		ready.Status = oneOf(l.dice, corev1.ConditionFalse, corev1.ConditionUnknown)
	}
	if l.chance(10) {
		p.Status.StartTime = nil
	}
	if l.chance(90) {
		p.Status.Conditions = []corev1.PodCondition{ready}
	}
	return p
}

func (l *life) container(name string) corev1.Container {
	return corev1.Container{Name: name, Resources: corev1.ResourceRequirements{Requests: l.requests(1)}}
}

// requests are of cpu and memory, of which some are left out.
func (l *life) requests(without int) corev1.ResourceList {
	list := corev1.ResourceList{}
	if !l.chance(without) {
		list[corev1.ResourceCPU] = *resource.NewMilliQuantity(int64(oneOf(l.dice, 0, 1, 100, 250, 1000)), resource.DecimalSI)
	}
	if !l.chance(without) {
		list[corev1.ResourceMemory] = *resource.NewQuantity(int64(oneOf(l.dice, 1, 1<<20, 1<<28, 1<<31)), resource.BinarySI)
	}
	return list
}

// answer is what a metric's API says, and what we are told of it.
func (l *life) answer(m autoscalingv2.MetricSpec, pods []*corev1.Pod) (answer, ours.Reading) {
	if l.chance(10) {
		return answer{err: errUnanswered}, ours.Reading{Err: errUnanswered}
	}
	switch m.Type {
	case autoscalingv2.ExternalMetricSourceType:
		values := l.series(m.External.Target, l.between(1, 3))
		return answer{values: values}, ours.Reading{Values: values}
	case autoscalingv2.ObjectMetricSourceType:
		values := l.series(m.Object.Target, 1)
		return answer{values: values}, ours.Reading{Values: values}
	case autoscalingv2.PodsMetricSourceType:
		return l.ofPods(m.Pods.Target, pods, "", "")
	case autoscalingv2.ResourceMetricSourceType:
		return l.ofPods(m.Resource.Target, pods, m.Resource.Name, "")
	default:
		return l.ofPods(m.ContainerResource.Target, pods, m.ContainerResource.Name, m.ContainerResource.Container)
	}
}

func (l *life) series(t autoscalingv2.MetricTarget, n int) []int64 {
	values := make([]int64, n)
	for i := range values {
		switch {
		case l.idle:
		case t.Value != nil:
			values[i] = l.usage(t.Value.MilliValue(), 1)
		default:
			values[i] = l.usage(t.AverageValue.MilliValue(), l.input.StatusReplicas)
		}
	}
	return values
}

// ofPods are values of the pods: of some not, and at times of one that is gone.
func (l *life) ofPods(t autoscalingv2.MetricTarget, pods []*corev1.Pod, name corev1.ResourceName, container string) (answer, ours.Reading) {
	var reading ours.Reading
	if name != "" {
		reading.Requests, reading.RequestsErr = ours.RequestsOf(pods, name, container)
	}
	sent := metrics.PodMetricsInfo{}
	reading.Pods = map[string]ours.PodValue{}
	missing := oneOf(l.dice, 0, 0, 20)
	factor := oneOf(l.dice, 0, 0.5, 0.9, 1, 1, 1.1, 1.5, 3)
	if l.idle {
		factor = 0
	}
	names := make([]string, 0, len(pods)+1)
	for _, p := range pods {
		names = append(names, p.Name)
	}
	if l.chance(10) {
		names = append(names, "gone")
	}
	for _, pod := range names {
		if l.chance(missing) {
			continue
		}
		var target int64
		if t.AverageValue != nil {
			target = t.AverageValue.MilliValue()
		} else {
			target = reading.Requests[pod] / 100 * int64(*t.AverageUtilization)
		}
		v := metrics.PodMetric{
			Timestamp: time.Now().Add(-oneOf(l.dice, 0, 20*time.Second, 4*time.Minute)), Window: oneOf(l.dice, 15*time.Second, time.Minute),
			Value: int64(float64(target) * factor * oneOf(l.dice, 1, 1, 0.8, 1.2)),
		}
		sent[pod] = v
		reading.Pods[pod] = ours.PodValue{Milli: v.Value, At: v.Timestamp, Window: v.Window}
	}
	return answer{pods: sent}, reading
}
