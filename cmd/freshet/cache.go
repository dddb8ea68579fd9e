package main

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// cacheOptions keep the cache small: of workloads and pods only what decisions
// need, and no Helm releases among the Secrets. Where only some namespaces are looked
// after, that of cluster-scoped authentications is read too. Where Secrets are
// restricted, those of Freshet's own namespace are all that is read. Objects that are
// not selected are as good as not there.
func cacheOptions(opts *options) cache.Options {
	namespaces, cluster := opts.watch.namespaces, opts.clusterObjects()
	o := cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&appsv1.Deployment{}:  {Transform: slim},
			&appsv1.StatefulSet{}: {Transform: slim},
			&corev1.Pod{}:         {Transform: slim}, // cached when a trigger counts them first
			&corev1.Secret{}:      {Field: fields.OneTermNotEqualSelector("type", "helm.sh/release.v1")},
		},
	}
	for kind, obj := range map[string]client.Object{
		kedav1alpha1.KindScaledObject: &kedav1alpha1.ScaledObject{}, kedav1alpha1.KindScaledJob: &kedav1alpha1.ScaledJob{},
		kedav1alpha1.KindTriggerAuthentication:        &kedav1alpha1.TriggerAuthentication{},
		kedav1alpha1.KindClusterTriggerAuthentication: &kedav1alpha1.ClusterTriggerAuthentication{},
	} {
		if text := opts.watch.textOf(kind); text != "" {
			o.ByObject[obj] = cache.ByObject{Label: selector(text)}
		}
	}
	if len(namespaces) > 0 {
		o.DefaultNamespaces = configs(namespaces)
		o.ByObject[&corev1.ConfigMap{}] = cache.ByObject{Namespaces: configs(namespaces, cluster)}
	}
	for obj, by := range o.ByObject {
		if _, ok := obj.(*corev1.Secret); !ok {
			continue
		}
		switch {
		case opts.restrictSecrets:
			by.Namespaces = configs(nil, opts.namespace)
		case len(namespaces) > 0:
			by.Namespaces = configs(namespaces, cluster)
		}
		o.ByObject[obj] = by
	}
	return o
}

// jobCacheOptions are those of the cache of Jobs and pods that belong to ScaledJobs,
// and of nothing else. It is one of its own, since triggers may read any Job or pod.
func jobCacheOptions(opts *options) cache.Options {
	ours, err := labels.NewRequirement(kedav1alpha1.LabelScaledJobName, selection.Exists, nil)
	utilruntime.Must(err)
	o := cache.Options{
		DefaultTransform:     slimJobs,
		DefaultLabelSelector: labels.NewSelector().Add(*ours),
	}
	if len(opts.watch.namespaces) > 0 {
		o.DefaultNamespaces = configs(opts.watch.namespaces)
	}
	return o
}

// slimJobs keeps of a Job its identity, what it was made from and its conditions, and
// of a pod its identity, the Job it is of, its phase and its conditions.
func slimJobs(obj any) (any, error) {
	switch o := obj.(type) {
	case *batchv1.Job:
		meta := o.ObjectMeta
		slimOwned(&o.ObjectMeta)
		o.OwnerReferences, o.DeletionTimestamp = meta.OwnerReferences, meta.DeletionTimestamp
		if generation, ok := meta.Annotations[kedav1alpha1.AnnotationScaledJobGeneration]; ok {
			o.Annotations = map[string]string{kedav1alpha1.AnnotationScaledJobGeneration: generation}
		}
		o.Spec, o.Status = batchv1.JobSpec{}, batchv1.JobStatus{Conditions: o.Status.Conditions}
	case *corev1.Pod:
		slimOwned(&o.ObjectMeta)
		o.Spec, o.Status = corev1.PodSpec{}, corev1.PodStatus{Phase: o.Status.Phase, Conditions: slimConditions(o.Status.Conditions)}
	}
	return obj, nil
}

// slimOwned keeps the labels that tell what an object belongs to.
func slimOwned(m *metav1.ObjectMeta) {
	kept := map[string]string{}
	for _, key := range []string{kedav1alpha1.LabelScaledJobName, kedav1alpha1.LabelJobName} {
		if value, ok := m.Labels[key]; ok {
			kept[key] = value
		}
	}
	slimMeta(m)
	m.Labels = kept
}

// slimConditions keeps which conditions hold.
func slimConditions(conditions []corev1.PodCondition) []corev1.PodCondition {
	var kept []corev1.PodCondition
	for i := range conditions {
		if c := &conditions[i]; c.Status == corev1.ConditionTrue {
			kept = append(kept, corev1.PodCondition{Type: c.Type, Status: c.Status})
		}
	}
	return kept
}

func configs(namespaces []string, more ...string) map[string]cache.Config {
	all := map[string]cache.Config{}
	for _, ns := range slices.Concat(namespaces, more) {
		all[ns] = cache.Config{}
	}
	return all
}

// slim keeps of a workload its identity, replicas, how many are ready, ServiceAccount,
// and of its containers the environment and what they request, and of a pod its
// identity, labels, phase, node, whether it is ready, and whether it is to end.
func slim(obj any) (any, error) {
	switch w := obj.(type) {
	case *appsv1.Deployment:
		slimMeta(&w.ObjectMeta)
		w.Spec = appsv1.DeploymentSpec{Replicas: w.Spec.Replicas, Template: slimTemplate(&w.Spec.Template)}
		w.Status = appsv1.DeploymentStatus{ReadyReplicas: w.Status.ReadyReplicas}
	case *appsv1.StatefulSet:
		slimMeta(&w.ObjectMeta)
		w.Spec = appsv1.StatefulSetSpec{Replicas: w.Spec.Replicas, Template: slimTemplate(&w.Spec.Template)}
		w.Status = appsv1.StatefulSetStatus{ReadyReplicas: w.Status.ReadyReplicas}
	case *corev1.Pod:
		labels, deleted := w.Labels, w.DeletionTimestamp
		slimMeta(&w.ObjectMeta)
		w.Labels, w.DeletionTimestamp = labels, deleted
		w.Spec = corev1.PodSpec{NodeName: w.Spec.NodeName}
		w.Status = corev1.PodStatus{Phase: w.Status.Phase, Conditions: slimReadiness(w.Status.Conditions)}
	}
	return obj, nil
}

// slimReadiness keeps whether a pod is ready.
func slimReadiness(conditions []corev1.PodCondition) []corev1.PodCondition {
	for i := range conditions {
		if c := &conditions[i]; c.Type == corev1.PodReady {
			return []corev1.PodCondition{{Type: c.Type, Status: c.Status}}
		}
	}
	return nil
}

func slimMeta(m *metav1.ObjectMeta) {
	*m = metav1.ObjectMeta{
		Name: m.Name, Namespace: m.Namespace, UID: m.UID,
		ResourceVersion: m.ResourceVersion, Generation: m.Generation,
	}
}

func slimTemplate(t *corev1.PodTemplateSpec) corev1.PodTemplateSpec {
	slimmed := corev1.PodTemplateSpec{Spec: corev1.PodSpec{ServiceAccountName: t.Spec.ServiceAccountName}}
	if t.Spec.Resources != nil {
		slimmed.Spec.Resources = new(slimResources(t.Spec.Resources))
	}
	for i := range t.Spec.Containers {
		c := &t.Spec.Containers[i]
		slimmed.Spec.Containers = append(slimmed.Spec.Containers, corev1.Container{
			Name: c.Name, Env: c.Env, EnvFrom: c.EnvFrom, Resources: slimResources(&c.Resources),
		})
	}
	return slimmed
}

// slimResources keeps what an HPA can measure.
func slimResources(r *corev1.ResourceRequirements) corev1.ResourceRequirements {
	keep := func(list corev1.ResourceList) corev1.ResourceList {
		var kept corev1.ResourceList
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			if quantity, ok := list[name]; ok {
				if kept == nil {
					kept = corev1.ResourceList{}
				}
				kept[name] = quantity
			}
		}
		return kept
	}
	return corev1.ResourceRequirements{Requests: keep(r.Requests), Limits: keep(r.Limits)}
}
