package admission

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/checks"
)

// requests finds triggers that compare with what containers request where they
// request nothing: the HPA cannot compute a share of it. A target that is not
// there yet is a warning, for manifests may come in any order.
func (v *Validator) requests(ctx context.Context, so *kedav1alpha1.ScaledObject, gvk schema.GroupVersionKind, r *checks.Result) error {
	var triggers []int
	for i := range so.Spec.Triggers {
		if t := &so.Spec.Triggers[i]; t.IsResource() && t.MetricType == autoscalingv2.UtilizationMetricType {
			triggers = append(triggers, i)
		}
	}
	if len(triggers) == 0 {
		return nil
	}
	pods, err := v.template(ctx, so, gvk)
	if apierrors.IsNotFound(err) {
		r.Warnings = append(r.Warnings, checks.Finding{Field: "spec.scaleTargetRef", Message: fmt.Sprintf(
			"%s %s does not exist yet: whether its containers request what the triggers measure could not be checked",
			gvk.Kind, so.Spec.ScaleTargetRef.Name)})
		return nil
	}
	if err != nil || pods == nil {
		return err
	}
	for _, i := range triggers {
		t := &so.Spec.Triggers[i]
		lacking := without(pods, corev1.ResourceName(t.Type), t.Metadata["containerName"])
		if len(lacking) == 0 {
			continue
		}
		byDefault, err := v.requestedByDefault(ctx, so.Namespace, corev1.ResourceName(t.Type))
		if err != nil {
			return err
		}
		for _, container := range lacking {
			if byDefault {
				break
			}
			r.Faults = append(r.Faults, checks.Finding{
				Field: fmt.Sprintf("spec.triggers[%d]", i), Reason: checks.ReasonMissingRequests,
				Message: fmt.Sprintf("container %s of %s %s does not request %s, which Utilization is a share of: give it a request, or use the metricType AverageValue",
					container, gvk.Kind, so.Spec.ScaleTargetRef.Name, t.Type),
			})
		}
	}
	return nil
}

// template is the pods of the target, or nil for a kind that is not cached.
func (v *Validator) template(ctx context.Context, so *kedav1alpha1.ScaledObject, gvk schema.GroupVersionKind) (*corev1.PodSpec, error) {
	key := client.ObjectKey{Namespace: so.Namespace, Name: so.Spec.ScaleTargetRef.Name}
	switch gvk.GroupKind() {
	case schema.GroupKind{Group: appsv1.GroupName, Kind: "Deployment"}:
		var d appsv1.Deployment
		if err := v.Reader.Get(ctx, key, &d); err != nil {
			return nil, fmt.Errorf("reading the target: %w", err)
		}
		return &d.Spec.Template.Spec, nil
	case schema.GroupKind{Group: appsv1.GroupName, Kind: "StatefulSet"}:
		var s appsv1.StatefulSet
		if err := v.Reader.Get(ctx, key, &s); err != nil {
			return nil, fmt.Errorf("reading the target: %w", err)
		}
		return &s.Spec.Template.Spec, nil
	}
	return nil, nil
}

// without are the containers that request nothing of a resource: all of them
// count, or the one that is named. What pods request as a whole counts for all.
func without(pods *corev1.PodSpec, resource corev1.ResourceName, name string) []string {
	if name == "" && pods.Resources != nil && requests(pods.Resources, resource) {
		return nil
	}
	var lacking []string
	for i := range pods.Containers {
		c := &pods.Containers[i]
		if (name == "" || name == c.Name) && !requests(&c.Resources, resource) {
			lacking = append(lacking, c.Name)
		}
	}
	return lacking
}

// requests tells whether a resource is requested: a limit alone is a request too.
func requests(r *corev1.ResourceRequirements, resource corev1.ResourceName) bool {
	_, requested := r.Requests[resource]
	_, limited := r.Limits[resource]
	return requested || limited
}

// requestedByDefault tells whether a LimitRange gives containers that request
// nothing of a resource a request.
func (v *Validator) requestedByDefault(ctx context.Context, namespace string, resource corev1.ResourceName) (bool, error) {
	var ranges corev1.LimitRangeList
	if err := v.Reader.List(ctx, &ranges, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return false, fmt.Errorf("listing LimitRanges: %w", err)
	}
	for i := range ranges.Items {
		for _, l := range ranges.Items[i].Spec.Limits {
			_, request := l.DefaultRequest[resource]
			_, limit := l.Default[resource]
			if l.Type == corev1.LimitTypeContainer && (request || limit) {
				return true, nil
			}
		}
	}
	return false, nil
}
