package scaledobject

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// newQueue is a queue as a controller's.
func newQueue(t *testing.T) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	t.Helper()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	t.Cleanup(queue.ShutDown)
	return queue
}

// drain takes the requests out of the queue, sorted, as namespace/name.
func drain(queue workqueue.TypedRateLimitingInterface[reconcile.Request]) []string {
	var names []string
	for queue.Len() > 0 {
		request, _ := queue.Get()
		names = append(names, request.String())
		queue.Done(request)
	}
	slices.Sort(names)
	return names
}

func requestNames(requests []reconcile.Request) []string {
	var names []string
	for _, r := range requests {
		names = append(names, r.String())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func in(namespace string) func(*kedav1alpha1.ScaledObject) {
	return func(so *kedav1alpha1.ScaledObject) { so.Namespace = namespace }
}

func withAuth(kind, name string) func(*kedav1alpha1.ScaledObject) {
	return func(so *kedav1alpha1.ScaledObject) {
		so.Spec.Triggers[0].AuthenticationRef = &kedav1alpha1.AuthenticationRef{Kind: kind, Name: name}
	}
}

// TestByTarget: a workload concerns the objects that scale it, by kind and namespace.
func TestByTarget(t *testing.T) {
	onOrders := func(kind, apiVersion string) func(*kedav1alpha1.ScaledObject) {
		return func(so *kedav1alpha1.ScaledObject) {
			so.Spec.ScaleTargetRef = kedav1alpha1.ScaleTarget{Name: "orders", Kind: kind, APIVersion: apiVersion}
		}
	}
	w := newWorld(t,
		newObject("by-default", onOrders("", "")),
		newObject("in-full", onOrders("Deployment", "apps/v1")),
		newObject("stateful", onOrders("StatefulSet", "")),
		newObject("malformed", onOrders("", "a/b/c")),
		newObject("another"),
		newObject("elsewhere", onOrders("", ""), in("elsewhere")))
	queue := newQueue(t)
	w.r.byTarget("apps", "Deployment").Create(t.Context(), event.CreateEvent{Object: newDeployment("orders", 1)}, queue)
	if diff := cmp.Diff([]string{"shop/by-default", "shop/in-full"}, drain(queue)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// TestByAuthenticationAndReference: a credential that is rotated concerns the
// objects that use it, through their authentication.
func TestByAuthenticationAndReference(t *testing.T) {
	meta := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name}
	}
	spec := func(secret, configMap string) kedav1alpha1.TriggerAuthenticationSpec {
		return kedav1alpha1.TriggerAuthenticationSpec{
			SecretTargetRef:    []kedav1alpha1.AuthSecretTargetRef{{Parameter: "password", Name: secret, Key: "password"}},
			ConfigMapTargetRef: []kedav1alpha1.AuthConfigMapTargetRef{{Parameter: "user", Name: configMap, Key: "user"}},
		}
	}
	local, cluster := kedav1alpha1.KindTriggerAuthentication, kedav1alpha1.KindClusterTriggerAuthentication
	keys := &kedav1alpha1.TriggerAuthentication{ObjectMeta: meta("shop", "keys"), Spec: spec("redis", "settings")}
	all := &kedav1alpha1.ClusterTriggerAuthentication{ObjectMeta: meta("", "keys"), Spec: spec("redis", "settings")}
	w := newWorld(t, keys, all,
		&kedav1alpha1.TriggerAuthentication{ObjectMeta: meta("shop", "unused"), Spec: spec("redis", "settings")},
		newObject("local", withAuth(local, "keys")),
		newObject("by-default", withAuth("", "keys")),
		newObject("cluster", withAuth(cluster, "keys")),
		newObject("cluster-elsewhere", in("elsewhere"), withAuth(cluster, "keys")),
		newObject("elsewhere", in("elsewhere"), withAuth(local, "keys")),
		newObject("none"))
	w.r.Auth.ClusterNamespace = "keda"
	secret := func(namespace, name string) client.Object { return &corev1.Secret{ObjectMeta: meta(namespace, name)} }
	configMap := func(namespace, name string) client.Object {
		return &corev1.ConfigMap{ObjectMeta: meta(namespace, name)}
	}
	inShop, inCluster := []string{"shop/by-default", "shop/local"}, []string{"elsewhere/cluster-elsewhere", "shop/cluster"}
	cases := []struct {
		reason string
		find   func(context.Context, client.Object) []reconcile.Request
		obj    client.Object
		want   []string
	}{
		{"a TriggerAuthentication, in its namespace", w.r.byAuthentication, keys, inShop},
		{"a ClusterTriggerAuthentication, everywhere", w.r.byAuthentication, all, inCluster},
		{"a Secret, in its namespace", w.r.byReference("Secret"), secret("shop", "redis"), inShop},
		{"a ConfigMap, in its namespace", w.r.byReference("ConfigMap"), configMap("shop", "settings"), inShop},
		{"a Secret of Freshet's own namespace, everywhere", w.r.byReference("Secret"), secret("keda", "redis"), inCluster},
		{"a Secret of another name", w.r.byReference("Secret"), secret("shop", "settings"), nil},
		{"a Secret of another namespace", w.r.byReference("Secret"), secret("elsewhere", "redis"), nil},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, requestNames(tc.find(t.Context(), tc.obj))); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// TestReferences: every Secret and ConfigMap that a source names is watched.
func TestReferences(t *testing.T) {
	from := func(name string) kedav1alpha1.CredentialSource {
		return kedav1alpha1.CredentialSource{ValueFrom: kedav1alpha1.ValueFromSecret{SecretKeyRef: kedav1alpha1.SecretKeyRef{Name: name, Key: "k"}}}
	}
	token, client := from("aws-token"), from("oauth2")
	spec := kedav1alpha1.TriggerAuthenticationSpec{
		SecretTargetRef:    []kedav1alpha1.AuthSecretTargetRef{{Name: "secret"}},
		ConfigMapTargetRef: []kedav1alpha1.AuthConfigMapTargetRef{{Name: "map"}},
		AzureKeyVault:      &kedav1alpha1.AzureKeyVault{Credentials: &kedav1alpha1.AzureKeyVaultCredentials{ClientSecret: from("azure")}},
		GCPSecretManager:   &kedav1alpha1.GCPSecretManager{Credentials: &kedav1alpha1.GCPCredentials{ClientSecret: from("gcp")}},
		AwsSecretManager: &kedav1alpha1.AwsSecretManager{Credentials: &kedav1alpha1.AwsSecretManagerCredentials{
			AccessKey: from("aws-key"), AccessSecretKey: from("aws-secret"), AccessToken: &token,
		}},
		OAuth2: &kedav1alpha1.OAuth2{ClientSecret: &client},
	}
	want := []string{
		"Secret/secret", "ConfigMap/map", "Secret/azure", "Secret/gcp", "Secret/aws-key", "Secret/aws-secret", "Secret/aws-token", "Secret/oauth2",
	}
	if diff := cmp.Diff(want, references(&spec)); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
	spec = kedav1alpha1.TriggerAuthenticationSpec{
		AzureKeyVault: &kedav1alpha1.AzureKeyVault{}, GCPSecretManager: &kedav1alpha1.GCPSecretManager{},
		AwsSecretManager: &kedav1alpha1.AwsSecretManager{}, OAuth2: &kedav1alpha1.OAuth2{}, HashiCorpVault: &kedav1alpha1.HashiCorpVault{},
	}
	if got := references(&spec); got != nil {
		t.Errorf("sources that name no Secret refer to %q", got)
	}
}

// TestByEnvironment: a Secret or ConfigMap that only a target's containers name
// concerns the objects that take something from their environment.
func TestByEnvironment(t *testing.T) {
	named := func(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }
	d := newDeployment("orders", 1)
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "proxy"}, {Name: "app", Env: []corev1.EnvVar{
		{Name: "A", Value: "1"}, {Name: "B", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{}}},
		{Name: "C", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: named("secret")}}},
		{Name: "D", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: named("map")}}},
	}}}
	s := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders"}}
	s.Spec.Template.Spec.Containers = []corev1.Container{{Name: "app", EnvFrom: []corev1.EnvFromSource{
		{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: named("all-secret")}},
		{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: named("all-map")}},
	}}}
	onOrders := func(kind string) func(*kedav1alpha1.ScaledObject) {
		return func(so *kedav1alpha1.ScaledObject) {
			so.Spec.ScaleTargetRef = kedav1alpha1.ScaleTarget{Name: "orders", Kind: kind}
		}
	}
	fromEnv := func(so *kedav1alpha1.ScaledObject) { so.Spec.Triggers[0].Metadata["sheetsFromEnv"] = "C" }
	w := newWorld(t, d, s,
		newObject("of-deployment", onOrders(""), fromEnv), newObject("by-authentication", onOrders(""), withAuth("", "keys")),
		newObject("takes-nothing", onOrders("")), newObject("of-set", onOrders("StatefulSet"), fromEnv), newObject("other", fromEnv))
	deployment, set := []string{"shop/by-authentication", "shop/of-deployment"}, []string{"shop/of-set"}
	for _, tc := range []struct {
		kind, namespace, name string
		want                  []string
	}{
		{"Secret", "shop", "secret", deployment}, {"ConfigMap", "shop", "map", deployment},
		{"Secret", "shop", "all-secret", set}, {"ConfigMap", "shop", "all-map", set},
		{"Secret", "shop", "map", nil}, {"ConfigMap", "shop", "secret", nil}, {"Secret", "elsewhere", "secret", nil},
	} {
		obj := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: tc.namespace, Name: tc.name}}
		if diff := cmp.Diff(tc.want, requestNames(w.r.byReference(tc.kind)(t.Context(), obj))); diff != "" {
			t.Errorf("requests for %s %s/%s (-want +got):\n%s", tc.kind, tc.namespace, tc.name, diff)
		}
	}
}

// TestHPAChanged: which changes of an HPA cause a reconcile.
func TestHPAChanged(t *testing.T) {
	type HPA = autoscalingv2.HorizontalPodAutoscaler
	active := func(status corev1.ConditionStatus, reason, message string) func(*HPA) {
		return func(h *HPA) {
			h.Status.Conditions = []autoscalingv2.HorizontalPodAutoscalerCondition{{
				Type: autoscalingv2.ScalingActive, Status: status, Reason: reason, Message: message,
			}}
		}
	}
	before := hpaOf(t, newObject("orders"))
	active(corev1.ConditionTrue, "ValidMetricFound", "computed 3")(before)
	cases := []struct {
		reason string
		edit   func(*HPA)
		want   bool
	}{
		{"nothing", func(*HPA) {}, false},
		{"the controller's bookkeeping", func(h *HPA) {
			h.ResourceVersion, h.Status.DesiredReplicas = "8", 4
			h.Status.LastScaleTime = &metav1.Time{}
			h.Status.CurrentMetrics = []autoscalingv2.MetricStatus{{Type: autoscalingv2.ExternalMetricSourceType}}
		}, false},
		{"the text of the condition", active(corev1.ConditionTrue, "ValidMetricFound", "computed 4"), false},
		{"whether it is able to scale", active(corev1.ConditionFalse, "FailedGetExternalMetric", ""), true},
		{"why it is not", active(corev1.ConditionTrue, "Other", "computed 3"), true},
		{"the replicas", func(h *HPA) { h.Status.CurrentReplicas = 4 }, true},
		{"the spec", func(h *HPA) { h.Spec.MaxReplicas = 3 }, true},
		{"a label", func(h *HPA) { delete(h.Labels, kedav1alpha1.LabelScaledObjectName) }, true},
		{"an annotation", func(h *HPA) { h.Annotations["team"] = "mine" }, true},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			after := before.DeepCopy()
			tc.edit(after)
			if got := hpaChanged.Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after}); got != tc.want {
				t.Errorf("causes a reconcile: %t, want %t", got, tc.want)
			}
		})
	}
	if hpaChanged.Create(event.CreateEvent{Object: before}) {
		t.Error("an HPA that Freshet made causes a reconcile")
	}
	if !hpaChanged.Delete(event.DeleteEvent{Object: before}) {
		t.Error("an HPA that is deleted does not cause a reconcile")
	}
}

// TestHPAWaits: a change of an HPA's status lets everything else go first, and one by
// hand does not.
func TestHPAWaits(t *testing.T) {
	type HPA = autoscalingv2.HorizontalPodAutoscaler
	for reason, tc := range map[string]struct {
		edit     func(*HPA)
		priority int
	}{
		"the status": {func(h *HPA) { h.Status.CurrentReplicas = 4 }, handler.LowPriority},
		"the spec":   {func(h *HPA) { h.Spec.MaxReplicas = 3 }, 0},
	} {
		t.Run(reason, func(t *testing.T) {
			queue := priorityqueue.New[reconcile.Request](reason)
			defer queue.ShutDown()
			before := hpaOf(t, newObject("orders"))
			after := before.DeepCopy()
			after.ResourceVersion = "8"
			tc.edit(after)
			byOwner := handler.EnqueueRequestForOwner(scheme, newMapper(), &kedav1alpha1.ScaledObject{}, handler.OnlyControllerOwner())
			ownerOfHPA{byOwner}.Update(t.Context(), event.UpdateEvent{ObjectOld: before, ObjectNew: after}, queue)
			request, priority, _ := queue.GetWithPriority()
			if request.String() != "shop/orders" || priority != tc.priority {
				t.Errorf("%s is reconciled with the priority %d, want shop/orders with %d", request, priority, tc.priority)
			}
		})
	}
}

// TestWakeups: what is woken before the controller starts is not lost, and an
// object that is woken twice is looked at once.
func TestWakeups(t *testing.T) {
	name := func(n string) types.NamespacedName { return types.NamespacedName{Namespace: "shop", Name: n} }
	var w Wakeups
	w.Wake(name("early"))
	w.Wake(name("early"))
	queue := newQueue(t)
	if err := w.Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	w.Wake(name("late"))
	w.Wake(name("late"))
	if diff := cmp.Diff([]string{"shop/early", "shop/late"}, drain(queue)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}
