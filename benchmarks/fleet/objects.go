package main

import (
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// setLabel tells the objects of one set, by their prefix, from others.
const setLabel = "fleet-benchmark"

// set is a number of objects that are alike but for their names: prefix0,
// prefix1, … Each has a Deployment and a Redis list of its own name.
type set struct {
	prefix   string
	objects  int
	items    int // in each list; 0 makes the objects idle
	interval time.Duration
	sources  []string // addresses of Redis, in turn
}

func (s set) name(i int) string { return s.prefix + strconv.Itoa(i) }

func (s set) names() []string {
	names := make([]string, s.objects)
	for i := range names {
		names[i] = s.name(i)
	}
	return names
}

// source is the Redis of an object.
func (s set) source(i int) string { return s.sources[i%len(s.sources)] }

// least is the objects' lower bound, and the replicas they are made with.
func (s set) least() int32 {
	if s.items == 0 {
		return 0
	}
	return 1
}

// demanded is how many replicas that many items ask for.
func demanded(items int) int32 {
	return int32(min((items+targetItems-1)/targetItems, mostReplicas))
}

func (s set) meta(i int, namespace string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: s.name(i), Namespace: namespace, Labels: map[string]string{setLabel: s.prefix}}
}

func (s set) deployment(i int, namespace string) *appsv1.Deployment {
	replicas := s.least()
	labels := map[string]string{"app": s.name(i)}
	podLabels := map[string]string{"app": s.name(i), setLabel: s.prefix}
	return &appsv1.Deployment{
		ObjectMeta: s.meta(i, namespace),
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: podLabels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "worker", Image: "worker"}}},
			},
		},
	}
}

func (s set) scaledObject(i int, namespace string) *kedav1alpha1.ScaledObject {
	least, most, interval := s.least(), int32(mostReplicas), int32(s.interval/time.Second)
	return &kedav1alpha1.ScaledObject{
		ObjectMeta: s.meta(i, namespace),
		Spec: kedav1alpha1.ScaledObjectSpec{
			ScaleTargetRef:  kedav1alpha1.ScaleTarget{Name: s.name(i)},
			MinReplicaCount: &least, MaxReplicaCount: &most, PollingInterval: &interval,
			Triggers: []kedav1alpha1.ScaleTriggers{{
				Type: "redis",
				Metadata: map[string]string{
					"address": s.source(i), "listName": s.name(i), "listLength": strconv.Itoa(targetItems),
				},
			}},
		},
	}
}

// active are the objects that most figures are about.
func (b *bench) active() set {
	s := set{b.options.prefix, b.options.objects, b.options.items, b.options.interval, []string{b.options.redisForTriggers()}}
	if b.options.idleObjects {
		s.items = 0
	}
	return s
}

// idleSet is the same with empty lists.
func (b *bench) idleSet() set {
	s := b.active()
	s.items = 0
	return s
}
