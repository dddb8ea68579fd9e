package scaledobject

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fieldOwner is who writes HPAs.
const fieldOwner = client.FieldOwner("freshet")

// plainWriters are those whose fields of an HPA are ours, however they were written:
// Freshet, which creates HPAs, and the operator that made them before.
var plainWriters = sets.New(string(fieldOwner), "keda")

// createHPA makes a new HPA, which costs the API server two thirds of what it does to
// apply one. One that the cache does not know yet is a conflict: to look again.
func (r *Reconciler) createHPA(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler) error {
	err := r.Client.Create(ctx, hpa, fieldOwner)
	if apierrors.IsAlreadyExists(err) {
		err = otherwise(hpa.Name, err)
	}
	if err != nil {
		return fmt.Errorf("creating HPA %s: %w", hpa.Name, err)
	}
	return nil
}

// otherwise is the conflict that an HPA is not as the cache has it.
func otherwise(name string, err error) error {
	return apierrors.NewConflict(autoscalingv2.Resource("horizontalpodautoscalers"), name, err)
}

// applyHPA changes an HPA: what the object does not ask for any more goes, and what
// others set beside it stays.
func (r *Reconciler) applyHPA(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler) error {
	if err := r.takeFields(ctx, client.ObjectKeyFromObject(hpa)); err != nil {
		return err
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(hpa)
	if err != nil {
		return fmt.Errorf("encoding HPA %s: %w", hpa.Name, err)
	}
	unstructured.RemoveNestedField(fields, "status")
	unstructured.RemoveNestedField(fields, "metadata", "creationTimestamp")
	apply := client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: fields})
	if err := r.Client.Apply(ctx, apply, fieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("applying HPA %s: %w", hpa.Name, err)
	}
	return nil
}

// takeFields makes the fields that an HPA was created with fields that were applied:
// the API server has both kinds apart, and would otherwise keep one that is no longer
// applied, because it was created. The cache does not hold whose fields are.
func (r *Reconciler) takeFields(ctx context.Context, name client.ObjectKey) error {
	var hpa autoscalingv2.HorizontalPodAutoscaler
	err := r.Live.Get(ctx, name, &hpa)
	if apierrors.IsNotFound(err) {
		err = otherwise(name.Name, err)
	}
	if err != nil {
		return fmt.Errorf("reading HPA %s: %w", name.Name, err)
	}
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(&hpa, plainWriters, string(fieldOwner))
	if err != nil {
		return fmt.Errorf("reading whose the fields of HPA %s are: %w", name.Name, err)
	}
	if patch == nil {
		return nil
	}
	if err := r.Client.Patch(ctx, &hpa, client.RawPatch(types.JSONPatchType, patch)); err != nil {
		return fmt.Errorf("taking over the fields of HPA %s: %w", name.Name, err)
	}
	return nil
}
