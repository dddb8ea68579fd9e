package scaledobject

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// references are the Secrets and ConfigMaps that an authentication names.
func references(spec *kedav1alpha1.TriggerAuthenticationSpec) []string {
	var keys []string
	secret := func(name string) { keys = append(keys, "Secret/"+name) }
	credential := func(from *kedav1alpha1.CredentialSource) {
		if from != nil {
			secret(from.ValueFrom.SecretKeyRef.Name)
		}
	}
	for _, ref := range spec.SecretTargetRef {
		secret(ref.Name)
	}
	for _, ref := range spec.ConfigMapTargetRef {
		keys = append(keys, "ConfigMap/"+ref.Name)
	}
	if kv := spec.AzureKeyVault; kv != nil && kv.Credentials != nil {
		credential(&kv.Credentials.ClientSecret)
	}
	if sm := spec.GCPSecretManager; sm != nil && sm.Credentials != nil {
		credential(&sm.Credentials.ClientSecret)
	}
	if sm := spec.AwsSecretManager; sm != nil && sm.Credentials != nil {
		credential(&sm.Credentials.AccessKey)
		credential(&sm.Credentials.AccessSecretKey)
		credential(sm.Credentials.AccessToken)
	}
	if spec.OAuth2 != nil {
		credential(spec.OAuth2.ClientSecret)
	}
	return keys
}

// Environment are the Secrets and ConfigMaps that the containers of a pod template
// take variables from, as keys of [ReferenceIndex].
func Environment(spec *corev1.PodSpec) []string {
	var keys []string
	for i := range spec.Containers {
		for _, from := range spec.Containers[i].EnvFrom {
			if from.SecretRef != nil {
				keys = append(keys, "Secret/"+from.SecretRef.Name)
			}
			if from.ConfigMapRef != nil {
				keys = append(keys, "ConfigMap/"+from.ConfigMapRef.Name)
			}
		}
		for _, v := range spec.Containers[i].Env {
			switch {
			case v.ValueFrom == nil:
			case v.ValueFrom.SecretKeyRef != nil:
				keys = append(keys, "Secret/"+v.ValueFrom.SecretKeyRef.Name)
			case v.ValueFrom.ConfigMapKeyRef != nil:
				keys = append(keys, "ConfigMap/"+v.ValueFrom.ConfigMapKeyRef.Name)
			}
		}
	}
	return keys
}

// indexEnvironments indexes the workloads that are cached. Those of other kinds
// are not seen by a watch either.
func indexEnvironments(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &appsv1.Deployment{}, ReferenceIndex, func(obj client.Object) []string {
		return Environment(&obj.(*appsv1.Deployment).Spec.Template.Spec)
	}); err != nil {
		return err
	}
	return indexer.IndexField(ctx, &appsv1.StatefulSet{}, ReferenceIndex, func(obj client.Object) []string {
		return Environment(&obj.(*appsv1.StatefulSet).Spec.Template.Spec)
	})
}

// byEnvironment finds the objects that may take something from the environment
// of a target that key finds.
func (r *Reconciler) byEnvironment(ctx context.Context, namespace string, key client.MatchingFields) []reconcile.Request {
	var requests []reconcile.Request
	add := func(kind, name string) {
		var list kedav1alpha1.ScaledObjectList
		err := r.Client.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy,
			client.MatchingFields{TargetIndex: TargetKey("apps", kind, name)})
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "listing ScaledObjects that are concerned")
		}
		for i := range list.Items {
			if takesEnvironment(&list.Items[i]) {
				requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
			}
		}
	}
	var deployments appsv1.DeploymentList
	if err := r.Client.List(ctx, &deployments, client.InNamespace(namespace), client.UnsafeDisableDeepCopy, key); err == nil {
		for i := range deployments.Items {
			add("Deployment", deployments.Items[i].Name)
		}
	}
	var sets appsv1.StatefulSetList
	if err := r.Client.List(ctx, &sets, client.InNamespace(namespace), client.UnsafeDisableDeepCopy, key); err == nil {
		for i := range sets.Items {
			add("StatefulSet", sets.Items[i].Name)
		}
	}
	return requests
}

// takesEnvironment tells whether a trigger of the object takes something from
// the environment of the target, or has an authentication, which may.
func takesEnvironment(so *kedav1alpha1.ScaledObject) bool {
	for i := range so.Spec.Triggers {
		if so.Spec.Triggers[i].AuthenticationRef != nil || wantsEnv(so.Spec.Triggers[i].Metadata) {
			return true
		}
	}
	return false
}

// Naming are the authentications that name a Secret or ConfigMap of that kind: those of
// its namespace, and those of the cluster when theirs is its namespace. The cache
// answers, so that an error cannot be but one of the program.
func Naming(ctx context.Context, c client.Reader, kind string, obj client.Object, clusterNamespace string) []client.Object {
	key := client.MatchingFields{ReferenceIndex: kind + "/" + obj.GetName()}
	var all []client.Object
	var local kedav1alpha1.TriggerAuthenticationList
	if err := c.List(ctx, &local, client.InNamespace(obj.GetNamespace()), client.UnsafeDisableDeepCopy, key); err == nil {
		for i := range local.Items {
			all = append(all, &local.Items[i])
		}
	}
	if obj.GetNamespace() != clusterNamespace {
		return all
	}
	var cluster kedav1alpha1.ClusterTriggerAuthenticationList
	if err := c.List(ctx, &cluster, client.UnsafeDisableDeepCopy, key); err == nil {
		for i := range cluster.Items {
			all = append(all, &cluster.Items[i])
		}
	}
	return all
}
