package target

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/scale"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

var rollout = schema.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout"}

var podSpec = corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Env: []corev1.EnvVar{{Name: "SHEETS", Value: "7"}}}}}

func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "shop", Name: name, ResourceVersion: "7"}
}

func newRollout(name string, spec map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	u.SetGroupVersionKind(rollout)
	u.SetNamespace("shop")
	u.SetName(name)
	return u
}

// newClient returns a client of a cluster with a few workloads.
func newClient(t *testing.T, s *scales) *Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, gvk := range []schema.GroupVersionKind{
		appsv1.SchemeGroupVersion.WithKind("Deployment"), appsv1.SchemeGroupVersion.WithKind("StatefulSet"), rollout,
	} {
		mapper.Add(gvk, meta.RESTScopeNamespace)
	}
	pods := map[string]any{"spec": map[string]any{"containers": []any{
		map[string]any{"name": "app", "env": []any{map[string]any{"name": "SHEETS", "value": "7"}}},
	}}}
	c := fake.NewClientBuilder().WithScheme(scheme).WithRESTMapper(mapper).WithObjects(
		&appsv1.Deployment{
			ObjectMeta: named("orders"), Spec: appsv1.DeploymentSpec{Replicas: new(int32(3)), Template: corev1.PodTemplateSpec{Spec: podSpec}},
			Status: appsv1.DeploymentStatus{ReadyReplicas: 2},
		},
		&appsv1.StatefulSet{
			ObjectMeta: named("orders"), Spec: appsv1.StatefulSetSpec{Replicas: new(int32(4)), Template: corev1.PodTemplateSpec{Spec: podSpec}},
			Status: appsv1.StatefulSetStatus{ReadyReplicas: 3},
		},
		&appsv1.Deployment{ObjectMeta: named("unset")},
		&appsv1.StatefulSet{ObjectMeta: named("unset")},
		newRollout("orders", map[string]any{"template": pods}),
		newRollout("unset", map[string]any{"size": int64(3)}),
		newRollout("odd", map[string]any{"template": "none"}),
	).Build()
	return &Client{Client: c, Scales: s}
}

// scales answer every scale subresource with the same.
type scales struct {
	replicas int32
	selector string
	err      error
	written  *autoscalingv1.Scale
	reads    int
}

// Scales returns those of a namespace.
func (s *scales) Scales(string) scale.ScaleInterface { return scalesOf{scales: s} }

type scalesOf struct {
	scale.ScaleInterface // patches are not made
	*scales
}

// Get reads one.
func (s scalesOf) Get(context.Context, schema.GroupResource, string, metav1.GetOptions) (*autoscalingv1.Scale, error) {
	s.reads++
	return &autoscalingv1.Scale{
		ObjectMeta: named("orders"), Spec: autoscalingv1.ScaleSpec{Replicas: s.replicas}, Status: autoscalingv1.ScaleStatus{Selector: s.selector},
	}, s.err
}

// Update keeps what is written.
func (s scalesOf) Update(_ context.Context, _ schema.GroupResource, next *autoscalingv1.Scale, _ metav1.UpdateOptions) (*autoscalingv1.Scale, error) {
	s.written = next
	return next, s.err
}

func resolve(t *testing.T, c *Client, kind, name string) *Target {
	t.Helper()
	ref := &kedav1alpha1.ScaleTarget{Kind: kind, Name: name}
	if kind == rollout.Kind {
		ref.APIVersion = rollout.GroupVersion().String()
	}
	tgt, err := c.Resolve("shop", ref)
	if err != nil {
		t.Fatal(err)
	}
	return tgt
}

func TestResolve(t *testing.T) {
	c := newClient(t, &scales{})
	cases := []struct {
		reason string
		ref    kedav1alpha1.ScaleTarget
		want   string
		fault  bool
	}{
		{"by default a Deployment", kedav1alpha1.ScaleTarget{Name: "orders"}, "apps/v1.Deployment shop/orders", false},
		{"another kind of apps/v1", kedav1alpha1.ScaleTarget{Kind: "StatefulSet", Name: "orders"}, "apps/v1.StatefulSet shop/orders", false},
		{"a custom resource", kedav1alpha1.ScaleTarget{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Name: "a"}, "argoproj.io/v1alpha1.Rollout shop/a", false},
		{"an unknown kind", kedav1alpha1.ScaleTarget{Kind: "Rollout", Name: "a"}, "", true},
		{"an unknown version", kedav1alpha1.ScaleTarget{APIVersion: "apps/v2", Name: "a"}, "", true},
		{"no version at all", kedav1alpha1.ScaleTarget{APIVersion: "a/b/c", Name: "a"}, "", true},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			got, err := c.Resolve("shop", &tc.ref)
			var fault *Error
			if errors.As(err, &fault) != tc.fault || (err != nil) != tc.fault {
				t.Fatalf("error %v, want one for the user: %t", err, tc.fault)
			}
			if err == nil && got.String() != tc.want {
				t.Errorf("resolved to %s, want %s", got, tc.want)
			}
		})
	}
}

func TestReplicas(t *testing.T) {
	cases := []struct {
		reason     string
		kind, name string
		want       int32
		watched    bool
	}{
		{"a Deployment, from the cache", "Deployment", "orders", 3, true},
		{"a StatefulSet, from the cache", "StatefulSet", "orders", 4, true},
		{"an absent count is 1", "Deployment", "unset", 1, true},
		{"an absent count of a StatefulSet is 1", "StatefulSet", "unset", 1, true},
		{"any other, from its scale subresource", "Rollout", "orders", 9, false},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			tgt := resolve(t, newClient(t, &scales{replicas: 9}), tc.kind, tc.name)
			got, err := tgt.Replicas(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("%d replicas, want %d", got, tc.want)
			}
			if tgt.Watched() != tc.watched {
				t.Errorf("watched: %t, want %t", tgt.Watched(), tc.watched)
			}
		})
	}
}

func TestPodSpec(t *testing.T) {
	cases := []struct {
		reason     string
		kind, name string
		want       *corev1.PodSpec
		err        bool
	}{
		{"of a Deployment", "Deployment", "orders", &podSpec, false},
		{"of a StatefulSet", "StatefulSet", "orders", &podSpec, false},
		{"of a custom resource", "Rollout", "orders", &podSpec, false},
		{"a custom resource without one", "Rollout", "unset", nil, false},
		{"a custom resource with something else in its place", "Rollout", "odd", nil, false},
		{"a Deployment that does not exist", "Deployment", "nothing", nil, true},
		{"a custom resource that does not exist", "Rollout", "nothing", nil, true},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			got, err := resolve(t, newClient(t, &scales{}), tc.kind, tc.name).PodSpec(t.Context())
			var fault *Error
			if errors.As(err, &fault) != tc.err {
				t.Fatalf("error %v, want one for the user: %t", err, tc.err)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("pod spec (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSetScale: the count is written for the workload as it was read, and what
// was read stays as it is.
func TestSetScale(t *testing.T) {
	s := &scales{replicas: 2}
	tgt := resolve(t, newClient(t, s), "Deployment", "orders")
	live, err := tgt.Scale(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := tgt.SetScale(t.Context(), live, 5); err != nil {
		t.Fatal(err)
	}
	want := &autoscalingv1.Scale{ObjectMeta: named("orders"), Spec: autoscalingv1.ScaleSpec{Replicas: 5}}
	if diff := cmp.Diff(want, s.written); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	if live.Spec.Replicas != 2 {
		t.Errorf("what was read says %d replicas by now", live.Spec.Replicas)
	}
}

// TestErrors: what the user can mend is an *Error, a conflict stays one, and
// the rest keeps its cause.
func TestErrors(t *testing.T) {
	resource := schema.GroupResource{Group: "apps", Resource: "deployments"}
	down := errors.New("the server is down")
	cases := []struct {
		reason string
		err    error
		fault  string
		keeps  func(error) bool
	}{
		{"it does not exist", apierrors.NewNotFound(resource, "orders"),
			"the target apps/v1.Deployment shop/orders does not exist or has no scale subresource: create it or correct scaleTargetRef", nil},
		{"it is forbidden", apierrors.NewForbidden(resource, "orders", down),
			"Freshet may not read or scale the target apps/v1.Deployment shop/orders: grant its ServiceAccount get and update on deployments/scale", nil},
		{"it changed meanwhile", apierrors.NewConflict(resource, "orders", down), "", apierrors.IsConflict},
		{"an outage", down, "", func(err error) bool { return errors.Is(err, down) }},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			tgt := resolve(t, newClient(t, &scales{err: tc.err}), "Deployment", "orders")
			for verb, err := range map[string]error{
				"reading": second(tgt.Scale(t.Context())),
				"writing": tgt.SetScale(t.Context(), &autoscalingv1.Scale{}, 1),
			} {
				var fault *Error
				text := ""
				if errors.As(err, &fault) {
					text = fault.Error()
				}
				if diff := cmp.Diff(tc.fault, text); diff != "" {
					t.Errorf("%s: fault (-want +got):\n%s", verb, diff)
				}
				if tc.keeps != nil && !tc.keeps(err) {
					t.Errorf("%s: the cause is lost: %v", verb, err)
				}
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

// TestLookIntoTheCache: the status of a cached kind tells how many pods are ready, and
// nothing is read live.
func TestLookIntoTheCache(t *testing.T) {
	for _, kind := range []string{"Deployment", "StatefulSet"} {
		s := &scales{err: errors.New("read live")}
		replicas, ready, err := resolve(t, newClient(t, s), kind, "orders").Look(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		n, err := ready(t.Context())
		if replicas != map[string]int32{"Deployment": 3, "StatefulSet": 4}[kind] || n != replicas-1 || err != nil {
			t.Errorf("%s: %d replicas, %d ready, %v", kind, replicas, n, err)
		}
	}
}

// TestLookAtPods counts what the HPA counts: pods of the selector that run and are
// ready. The scale subresource is read once.
func TestLookAtPods(t *testing.T) {
	pod := func(name, app string, phase corev1.PodPhase, ready corev1.ConditionStatus) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{"app": app}},
			Status:     corev1.PodStatus{Phase: phase, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}},
		}
	}
	far := pod("far", "orders", corev1.PodRunning, corev1.ConditionTrue)
	far.Namespace = "bank"
	unknown := pod("unknown", "orders", corev1.PodRunning, corev1.ConditionTrue)
	unknown.Status.Conditions = nil
	pods := fake.NewClientBuilder().WithObjects(
		pod("a", "orders", corev1.PodRunning, corev1.ConditionTrue), pod("b", "orders", corev1.PodRunning, corev1.ConditionTrue),
		pod("starting", "orders", corev1.PodRunning, corev1.ConditionFalse), pod("pending", "orders", corev1.PodPending, corev1.ConditionTrue),
		pod("other", "parcels", corev1.PodRunning, corev1.ConditionTrue), far, unknown,
	).Build()
	look := func(selector string) (replicas, ready int32, reads int, err error) {
		s := &scales{replicas: 5, selector: selector}
		replicas, count, err := resolve(t, newClient(t, s), "Rollout", "orders").Look(t.Context(), pods)
		if err != nil {
			t.Fatal(err)
		}
		ready, err = count(t.Context())
		return replicas, ready, s.reads, err
	}
	for selector, want := range map[string]int32{"app=orders": 2, "app=nobody": 0} {
		if replicas, got, reads, err := look(selector); err != nil || got != want || replicas != 5 || reads != 1 {
			t.Errorf("%s: %d of %d pods are ready after %d reads, %v; want %d", selector, got, replicas, reads, err, want)
		}
	}
	for _, selector := range []string{"", "app in"} {
		var e *Error
		if _, got, _, err := look(selector); !errors.As(err, &e) {
			t.Errorf("the selector %q is an error that the user can mend: got %d, %v", selector, got, err)
		}
	}
}
