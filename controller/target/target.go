// Package target reads and writes what is scaled: anything with a scale
// subresource.
package target

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/scale"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// Client reads and scales targets.
type Client struct {
	// Client reads Deployments and StatefulSets from its cache, and every other
	// kind live.
	Client client.Client
	// Scales reads and writes scale subresources, live.
	Scales scale.ScalesGetter
}

// Target is one workload.
type Target struct {
	client client.Client
	scales scale.ScalesGetter
	// Namespace and Name are the workload's.
	Namespace, Name string
	// GVKR is its kind and resource.
	GVKR kedav1alpha1.GroupVersionKindResource
}

// String names the target as messages do: group/version.Kind namespace/name.
func (t *Target) String() string {
	return fmt.Sprintf("%s %s/%s", t.GVKR, t.Namespace, t.Name)
}

// Error is something wrong with a target that the user can mend.
type Error struct{ message string }

// Error says what to change.
func (e *Error) Error() string { return e.message }

// Resolve finds the kind that ref names. An unknown kind is an *Error. It does
// not look whether the target exists.
func (c *Client) Resolve(namespace string, ref *kedav1alpha1.ScaleTarget) (*Target, error) {
	gvk, err := ref.GVK()
	if err != nil {
		return nil, &Error{err.Error()}
	}
	mapping, err := c.Client.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
	switch {
	case meta.IsNoMatchError(err):
		return nil, &Error{fmt.Sprintf("scaleTargetRef names the kind %s of %s, which the cluster does not know: correct kind and apiVersion",
			gvk.Kind, gvk.GroupVersion())}
	case err != nil:
		return nil, fmt.Errorf("looking up kind %s: %w", gvk, err)
	}
	return c.At(namespace, ref.Name, kedav1alpha1.GroupVersionKindResource{
		Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Resource: mapping.Resource.Resource,
	}), nil
}

// At is the target of that name whose kind was resolved before.
func (c *Client) At(namespace, name string, gvkr kedav1alpha1.GroupVersionKindResource) *Target {
	return &Target{client: c.Client, scales: c.Scales, Namespace: namespace, Name: name, GVKR: gvkr}
}

// Replicas returns the count that the target is asked to have, as the cache
// knows it where there is one.
func (t *Target) Replicas(ctx context.Context) (int32, error) {
	replicas, _, err := t.Look(ctx, nil)
	return replicas, err
}

// PodSpec returns the target's pod template, or nil when it has none.
func (t *Target) PodSpec(ctx context.Context) (*corev1.PodSpec, error) {
	key := client.ObjectKey{Namespace: t.Namespace, Name: t.Name}
	switch obj := t.cached().(type) {
	case *appsv1.Deployment:
		err := t.client.Get(ctx, key, obj)
		return &obj.Spec.Template.Spec, t.explain(err)
	case *appsv1.StatefulSet:
		err := t.client.Get(ctx, key, obj)
		return &obj.Spec.Template.Spec, t.explain(err)
	}
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(t.GVKR.GVK())
	if err := t.client.Get(ctx, key, obj); err != nil {
		return nil, t.explain(err)
	}
	fields, found, err := unstructured.NestedMap(obj.Object, "spec", "template", "spec")
	if err != nil || !found {
		return nil, nil //nolint:nilerr // another shape than a pod template is none
	}
	var spec corev1.PodSpec
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(fields, &spec); err != nil {
		return nil, nil //nolint:nilerr // as above
	}
	return &spec, nil
}

// Scale reads the scale subresource, live. A target that is missing or cannot
// be scaled is an *Error.
func (t *Target) Scale(ctx context.Context) (*autoscalingv1.Scale, error) {
	s, err := t.scales.Scales(t.Namespace).Get(ctx, t.GVKR.GroupResource(), t.Name, metav1.GetOptions{})
	if err != nil {
		return nil, t.explain(err)
	}
	return s, nil
}

// Look finds the count that the target is asked to have, as Replicas does, and how to
// count those of its pods that are ready without looking at the target again: the
// status of a kind that is cached tells, of any other kind they are read from pods.
func (t *Target) Look(ctx context.Context, pods client.Reader) (replicas int32, ready func(context.Context) (int32, error), err error) {
	obj := t.cached()
	if obj == nil {
		scale, err := t.Scale(ctx)
		if err != nil {
			return 0, nil, err
		}
		return scale.Spec.Replicas, func(ctx context.Context) (int32, error) { return t.ready(ctx, scale.Status.Selector, pods) }, nil
	}
	if err := t.client.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: t.Name}, obj); err != nil {
		return 0, nil, t.explain(err)
	}
	replicas, running := counts(obj)
	return replicas, func(context.Context) (int32, error) { return running, nil }, nil
}

// counts are the replicas that a workload of a cached kind is asked to have, and those
// that are ready.
func counts(obj client.Object) (replicas, ready int32) {
	var asked *int32
	switch obj := obj.(type) {
	case *appsv1.Deployment:
		asked, ready = obj.Spec.Replicas, obj.Status.ReadyReplicas
	case *appsv1.StatefulSet:
		asked, ready = obj.Spec.Replicas, obj.Status.ReadyReplicas
	}
	if asked == nil {
		return 1, ready // what Kubernetes makes of an absent count
	}
	return *asked, ready
}

// ready counts the pods of the selector that run and are ready, as the HPA does.
func (t *Target) ready(ctx context.Context, selection string, pods client.Reader) (int32, error) {
	selector, err := labels.Parse(selection)
	if err != nil || selector.Empty() {
		return 0, &Error{fmt.Sprintf("the target %s does not say how its pods are selected: its scale subresource needs a status.selector", t)}
	}
	var list corev1.PodList
	if err := pods.List(ctx, &list, client.InNamespace(t.Namespace), client.MatchingLabelsSelector{Selector: selector}, client.UnsafeDisableDeepCopy); err != nil {
		return 0, fmt.Errorf("listing pods of %s: %w", t, err)
	}
	ready := int32(0)
	for i := range list.Items {
		if list.Items[i].Status.Phase == corev1.PodRunning && isReady(&list.Items[i]) {
			ready++
		}
	}
	return ready, nil
}

func isReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// SetScale writes the count, if the target is still as scale was read. A
// conflict (apierrors.IsConflict) means that it is not.
func (t *Target) SetScale(ctx context.Context, scale *autoscalingv1.Scale, replicas int32) error {
	next := scale.DeepCopy()
	next.Spec.Replicas = replicas
	_, err := t.scales.Scales(t.Namespace).Update(ctx, t.GVKR.GroupResource(), next, metav1.UpdateOptions{})
	return t.explain(err)
}

// cached is an empty object of the target's kind when that kind is cached.
func (t *Target) cached() client.Object {
	switch t.GVKR.GVK() {
	case appsv1.SchemeGroupVersion.WithKind("Deployment"):
		return &appsv1.Deployment{}
	case appsv1.SchemeGroupVersion.WithKind("StatefulSet"):
		return &appsv1.StatefulSet{}
	}
	return nil
}

func (t *Target) explain(err error) error {
	switch {
	case err == nil, apierrors.IsConflict(err):
		return err
	case apierrors.IsNotFound(err):
		return &Error{fmt.Sprintf("the target %s does not exist or has no scale subresource: create it or correct scaleTargetRef", t)}
	case apierrors.IsForbidden(err):
		return &Error{fmt.Sprintf("Freshet may not read or scale the target %s: grant its ServiceAccount get and update on %s/scale", t, t.GVKR.Resource)}
	default:
		return fmt.Errorf("scaling %s: %w", t, err)
	}
}

// Watched tells whether a change of the target's replicas is seen by a watch.
func (t *Target) Watched() bool { return t.cached() != nil }
