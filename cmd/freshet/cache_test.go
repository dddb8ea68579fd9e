package main

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

var (
	fullMeta = metav1.ObjectMeta{
		Name: "orders", Namespace: "shop", UID: "a", ResourceVersion: "7", Generation: 3,
		Labels: map[string]string{"app": "orders"}, Annotations: map[string]string{"note": "long"},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}, OwnerReferences: []metav1.OwnerReference{{Name: "b"}},
	}
	endingMeta = func() metav1.ObjectMeta {
		ending := *fullMeta.DeepCopy()
		ending.DeletionTimestamp = &metav1.Time{Time: time.Unix(7, 0)}
		return ending
	}()
	slimmedMeta = metav1.ObjectMeta{Name: "orders", Namespace: "shop", UID: "a", ResourceVersion: "7", Generation: 3}

	half         = resource.MustParse("500m")
	env          = []corev1.EnvVar{{Name: "SHEETS", Value: "7"}}
	envFrom      = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}}
	fullTemplate = corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "orders"}},
		Spec: corev1.PodSpec{
			ServiceAccountName: "orders",
			Volumes:            []corev1.Volume{{Name: "data"}},
			InitContainers:     []corev1.Container{{Name: "prepare"}},
			Resources:          &corev1.ResourceRequirements{Limits: corev1.ResourceList{"memory": half}, Claims: []corev1.ResourceClaim{{Name: "gpu"}}},
			Containers: []corev1.Container{
				{
					Name: "app", Image: "orders:1", Env: env, EnvFrom: envFrom, Args: []string{"serve"},
					Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": half, "ephemeral-storage": half}},
				},
				{Name: "proxy", Image: "proxy:1", Ports: []corev1.ContainerPort{{ContainerPort: 80}}},
			},
		},
	}
	slimmedTemplate = corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		ServiceAccountName: "orders", Resources: &corev1.ResourceRequirements{Limits: corev1.ResourceList{"memory": half}},
		Containers: []corev1.Container{
			{Name: "app", Env: env, EnvFrom: envFrom, Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": half}}},
			{Name: "proxy"},
		},
	}}
)

// TestSlim: of a workload the cache keeps its identity, the replicas, and of its
// containers the environment and what they request; of a pod what it is counted by.
func TestSlim(t *testing.T) {
	replicas := int32(3)
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "orders"}}
	cases := []struct {
		reason   string
		in, want any
	}{
		{
			"a Deployment",
			&appsv1.Deployment{
				ObjectMeta: fullMeta, Spec: appsv1.DeploymentSpec{Replicas: &replicas, Selector: selector, Template: fullTemplate},
				Status: appsv1.DeploymentStatus{Replicas: 3, ReadyReplicas: 2},
			},
			&appsv1.Deployment{
				ObjectMeta: slimmedMeta, Spec: appsv1.DeploymentSpec{Replicas: &replicas, Template: slimmedTemplate},
				Status: appsv1.DeploymentStatus{ReadyReplicas: 2},
			},
		},
		{
			"a StatefulSet",
			&appsv1.StatefulSet{
				ObjectMeta: fullMeta, Spec: appsv1.StatefulSetSpec{Replicas: &replicas, Selector: selector, Template: fullTemplate, ServiceName: "orders"},
				Status: appsv1.StatefulSetStatus{Replicas: 3, ReadyReplicas: 2},
			},
			&appsv1.StatefulSet{
				ObjectMeta: slimmedMeta, Spec: appsv1.StatefulSetSpec{Replicas: &replicas, Template: slimmedTemplate},
				Status: appsv1.StatefulSetStatus{ReadyReplicas: 2},
			},
		},
		{
			"replicas that are not set stay so",
			&appsv1.Deployment{ObjectMeta: fullMeta},
			&appsv1.Deployment{ObjectMeta: slimmedMeta},
		},
		{
			"a pod",
			&corev1.Pod{
				ObjectMeta: endingMeta, Spec: corev1.PodSpec{NodeName: "one", Containers: fullTemplate.Spec.Containers},
				Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.0.0.1", Conditions: []corev1.PodCondition{
					{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, {Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "Slow"},
				}},
			},
			&corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{
					Name: "orders", Namespace: "shop", UID: "a", ResourceVersion: "7", Generation: 3,
					Labels: fullMeta.Labels, DeletionTimestamp: endingMeta.DeletionTimestamp,
				},
				Spec: corev1.PodSpec{NodeName: "one"}, Status: corev1.PodStatus{
					Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}},
				},
			},
		},
		{
			"what is no workload stays as it is",
			&corev1.ConfigMap{ObjectMeta: fullMeta, Data: map[string]string{"a": "b"}},
			&corev1.ConfigMap{ObjectMeta: fullMeta, Data: map[string]string{"a": "b"}},
		},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			got, err := slim(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("slimmed (-want +got):\n%s", diff)
			}
		})
	}
}

// TestJobCache: only Jobs and pods of ScaledJobs are kept, and of them only what they
// are counted by.
func TestJobCache(t *testing.T) {
	o := jobCacheOptions(&options{watch: watchOptions{namespaces: []string{"shop"}}})
	if o.DefaultLabelSelector.Matches(labels.Set{"app": "orders"}) || !o.DefaultLabelSelector.Matches(labels.Set{"scaledjob.keda.sh/name": "x"}) {
		t.Errorf("what is kept are objects with %s", o.DefaultLabelSelector)
	}
	if _, ok := o.DefaultNamespaces["shop"]; !ok || len(o.DefaultNamespaces) != 1 {
		t.Errorf("namespaces are %v", o.DefaultNamespaces)
	}
	meta := endingMeta
	meta.Labels = map[string]string{"app": "orders", "scaledjob.keda.sh/name": "orders", "job-name": "orders-a"}
	meta.Annotations = map[string]string{"note": "long", "scaledjob.keda.sh/generation": "4"}
	kept := slimmedMeta
	kept.Labels = map[string]string{"scaledjob.keda.sh/name": "orders", "job-name": "orders-a"}
	keptJob := kept
	keptJob.Annotations = map[string]string{"scaledjob.keda.sh/generation": "4"}
	keptJob.OwnerReferences, keptJob.DeletionTimestamp = meta.OwnerReferences, meta.DeletionTimestamp
	failed := []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionTrue}}
	for _, tc := range []struct{ in, want any }{
		{
			&batchv1.Job{ObjectMeta: meta, Spec: batchv1.JobSpec{Template: fullTemplate}, Status: batchv1.JobStatus{Active: 3, Conditions: failed}},
			&batchv1.Job{ObjectMeta: keptJob, Status: batchv1.JobStatus{Conditions: failed}},
		},
		{
			&corev1.Pod{ObjectMeta: meta, Spec: fullTemplate.Spec, Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.0.0.1", Conditions: []corev1.PodCondition{
				{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, Reason: "Here"}, {Type: corev1.PodReady, Status: corev1.ConditionFalse},
			}}},
			&corev1.Pod{ObjectMeta: kept, Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{
				{Type: corev1.PodScheduled, Status: corev1.ConditionTrue},
			}}},
		},
	} {
		got, err := o.DefaultTransform(tc.in)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("slimmed (-want +got):\n%s", diff)
		}
	}
}

func TestCacheOptions(t *testing.T) {
	all := cacheOptions(&options{namespace: "freshet"})
	if all.DefaultNamespaces != nil {
		t.Errorf("without namespaces only %v are watched, want all", all.DefaultNamespaces)
	}
	some := cacheOptions(&options{namespace: "freshet", watch: watchOptions{namespaces: []string{"shop", "lab"}}})
	if diff := cmp.Diff([]string{"lab", "shop"}, slices.Sorted(maps.Keys(some.DefaultNamespaces))); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
	for obj, by := range some.ByObject {
		var want []string
		switch obj.(type) {
		case *corev1.Secret, *corev1.ConfigMap: // of cluster-scoped authentications too
			want = []string{"freshet", "lab", "shop"}
		}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(by.Namespaces))); diff != "" {
			t.Errorf("namespaces of %T (-want +got):\n%s", obj, diff)
		}
	}
	kinds := map[string]bool{}
	for obj, by := range all.ByObject {
		switch obj.(type) {
		case *appsv1.Deployment, *appsv1.StatefulSet:
			expectSlims(t, obj, by)
		case *corev1.Pod:
			expectKeepsLabels(t, obj, by)
		case *corev1.Secret:
			expectNoHelm(t, by)
		default:
			t.Errorf("%T has options of its own, which no test knows", obj)
		}
		kinds[fmt.Sprintf("%T", obj)] = true
	}
	if len(kinds) != 4 {
		t.Errorf("options of their own have %v, want Deployment, StatefulSet, Pod and Secret", kinds)
	}
}

// TestCacheOfSecrets: which namespaces' Secrets are read.
func TestCacheOfSecrets(t *testing.T) {
	watched := []string{"shop", "lab"}
	for reason, tc := range map[string]struct {
		o       options
		secrets []string
		maps    []string
	}{
		"all of them":                        {options{namespace: "freshet"}, nil, nil},
		"those that are looked after":        {options{namespace: "freshet", watch: watchOptions{namespaces: watched}}, []string{"freshet", "lab", "shop"}, []string{"freshet", "lab", "shop"}},
		"those of cluster-scoped objects":    {options{namespace: "freshet", clusterNamespace: "keys", watch: watchOptions{namespaces: watched}}, []string{"keys", "lab", "shop"}, []string{"keys", "lab", "shop"}},
		"Freshet's own":                      {options{namespace: "freshet", restrictSecrets: true}, []string{"freshet"}, nil},
		"Freshet's own, whatever is watched": {options{namespace: "freshet", restrictSecrets: true, watch: watchOptions{namespaces: watched}}, []string{"freshet"}, []string{"freshet", "lab", "shop"}},
	} {
		t.Run(reason, func(t *testing.T) {
			var secrets, configMaps []string
			for obj, by := range cacheOptions(&tc.o).ByObject {
				switch obj.(type) {
				case *corev1.Secret:
					secrets = slices.Sorted(maps.Keys(by.Namespaces))
					expectNoHelm(t, by)
				case *corev1.ConfigMap:
					configMaps = slices.Sorted(maps.Keys(by.Namespaces))
				}
			}
			if diff := cmp.Diff([][]string{tc.secrets, tc.maps}, [][]string{secrets, configMaps}); diff != "" {
				t.Errorf("namespaces of Secrets and ConfigMaps (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCacheOfSelected: labels select what is looked after, of objects and of
// authentications each for itself.
func TestCacheOfSelected(t *testing.T) {
	o := &options{namespace: "freshet", watch: watchOptions{objects: "shard=a", auths: "shard in (a, all)"}}
	selected := 0
	for obj, by := range cacheOptions(o).ByObject {
		want := ""
		switch obj.(type) {
		case *kedav1alpha1.ScaledObject, *kedav1alpha1.ScaledJob:
			want = "shard=a"
		case *kedav1alpha1.TriggerAuthentication, *kedav1alpha1.ClusterTriggerAuthentication:
			want = "shard in (a,all)"
		}
		if by.Label == nil && want != "" || by.Label != nil && by.Label.String() != want {
			t.Errorf("%T is selected by %v, want %q", obj, by.Label, want)
		}
		if want != "" {
			selected++
		}
	}
	if selected != 4 {
		t.Errorf("%d kinds are selected, want 4", selected)
	}
}

// TestWatches: what webhooks review is what is looked after.
func TestWatches(t *testing.T) {
	w := &watchOptions{namespaces: []string{"shop"}, objects: "shard=a"}
	for _, tc := range []struct {
		kind, namespace, shard string
		want                   bool
	}{
		{kedav1alpha1.KindScaledObject, "shop", "a", true},
		{kedav1alpha1.KindScaledObject, "shop", "b", false},
		{kedav1alpha1.KindScaledJob, "lab", "a", false},
		{kedav1alpha1.KindTriggerAuthentication, "shop", "b", true},
		{kedav1alpha1.KindClusterTriggerAuthentication, "", "b", true},
	} {
		if got := w.watches(tc.kind, tc.namespace, map[string]string{"shard": tc.shard}); got != tc.want {
			t.Errorf("%+v: got %t", tc, got)
		}
	}
	if w.all() || !(&watchOptions{}).all() {
		t.Error("what watches all is mistaken")
	}
}

func expectSlims(t *testing.T, obj client.Object, by cache.ByObject) {
	t.Helper()
	obj.SetLabels(map[string]string{"app": "orders"})
	if by.Transform == nil {
		t.Fatalf("%T is kept whole", obj)
	}
	if _, err := by.Transform(obj); err != nil {
		t.Fatal(err)
	}
	if len(obj.GetLabels()) > 0 {
		t.Errorf("%T is not slimmed", obj)
	}
}

// expectKeepsLabels: pods are counted by their labels.
func expectKeepsLabels(t *testing.T, obj client.Object, by cache.ByObject) {
	t.Helper()
	obj.SetLabels(map[string]string{"app": "orders"})
	obj.SetAnnotations(map[string]string{"note": "long"})
	if by.Transform == nil {
		t.Fatalf("%T is kept whole", obj)
	}
	if _, err := by.Transform(obj); err != nil {
		t.Fatal(err)
	}
	if len(obj.GetLabels()) == 0 || len(obj.GetAnnotations()) > 0 {
		t.Errorf("of %T there are left the labels %v and the annotations %v", obj, obj.GetLabels(), obj.GetAnnotations())
	}
}

func expectNoHelm(t *testing.T, by cache.ByObject) {
	t.Helper()
	for secretType, want := range map[string]bool{"helm.sh/release.v1": false, "Opaque": true, "kubernetes.io/tls": true} {
		if got := by.Field != nil && by.Field.Matches(fields.Set{"type": secretType}); got != want {
			t.Errorf("Secrets of type %s are kept: %t, want %t", secretType, got, want)
		}
	}
}
