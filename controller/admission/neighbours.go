package admission

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/checks"
	"github.com/freshet-io/freshet/controller/scaledobject"
)

// Indexes of the cache, beside that of ScaledObjects by their targets.
const (
	// hpaNameIndex is of ScaledObjects, by the names of their HPAs.
	hpaNameIndex = "freshet.hpa"
	// hpaTargetIndex is of HPAs, by their targets.
	hpaTargetIndex = "freshet.target"
)

func addIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &kedav1alpha1.ScaledObject{}, hpaNameIndex, func(obj client.Object) []string {
		return []string{obj.(*kedav1alpha1.ScaledObject).HPAName()}
	}); err != nil {
		return err
	}
	return indexer.IndexField(ctx, &autoscalingv2.HorizontalPodAutoscaler{}, hpaTargetIndex, func(obj client.Object) []string {
		ref := &obj.(*autoscalingv2.HorizontalPodAutoscaler).Spec.ScaleTargetRef
		gv, err := schema.ParseGroupVersion(ref.APIVersion)
		if err != nil {
			return nil
		}
		return []string{scaledobject.TargetKey(gv.Group, ref.Kind, ref.Name)}
	})
}

// around knows the authentications of the cluster. err is why one could not be
// looked up.
type around struct {
	checks.Around
	err error
}

func (v *Validator) around(ctx context.Context, namespace string) *around {
	a := &around{}
	a.Around = checks.Around{
		Absent: "does not exist yet",
		Given: func(ref *kedav1alpha1.AuthenticationRef) *checks.Given {
			spec, err := v.authentication(ctx, namespace, ref)
			if err != nil {
				a.err = err
			}
			if spec == nil {
				return nil
			}
			return checks.NewGiven(spec, nil)
		},
	}
	return a
}

// authentication is the one referred to, or nil when there is none. No Secret is
// read: what it holds is not seen here.
func (v *Validator) authentication(ctx context.Context, namespace string, ref *kedav1alpha1.AuthenticationRef) (*kedav1alpha1.TriggerAuthenticationSpec, error) {
	var err error
	var spec *kedav1alpha1.TriggerAuthenticationSpec
	if ref.EffectiveKind() == kedav1alpha1.KindClusterTriggerAuthentication {
		var cta kedav1alpha1.ClusterTriggerAuthentication
		err, spec = v.Reader.Get(ctx, client.ObjectKey{Name: ref.Name}, &cta), &cta.Spec
	} else {
		var ta kedav1alpha1.TriggerAuthentication
		err, spec = v.Reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: ref.Name}, &ta), &ta.Spec
	}
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", ref.EffectiveKind(), ref.Name, err)
	}
	return spec, nil
}

func checkScaledObject(ctx context.Context, v *Validator, obj client.Object) (*checks.Result, error) {
	so := obj.(*kedav1alpha1.ScaledObject)
	a := v.around(ctx, so.Namespace)
	r := checks.ScaledObject(so, a.Around)
	if a.err != nil {
		return nil, a.err
	}
	gvk, err := so.Spec.ScaleTargetRef.GVK()
	if err != nil {
		return r, nil //nolint:nilerr // it is among the faults already
	}
	target := scaledobject.TargetKey(gvk.Group, gvk.Kind, so.Spec.ScaleTargetRef.Name)
	for _, check := range []func(context.Context, *kedav1alpha1.ScaledObject, string, *checks.Result) error{
		v.sameTarget, v.sameHPA, v.otherHPAs,
	} {
		if err := check(ctx, so, target, r); err != nil {
			return nil, err
		}
	}
	return r, v.requests(ctx, so, gvk, r)
}

// sameTarget finds other ScaledObjects on the target.
func (v *Validator) sameTarget(ctx context.Context, so *kedav1alpha1.ScaledObject, target string, r *checks.Result) error {
	return v.others(ctx, so, scaledobject.TargetIndex, target, func(other string) {
		r.Faults = append(r.Faults, checks.Finding{
			Field: "spec.scaleTargetRef", Reason: checks.ReasonOtherScaledObject,
			Message: fmt.Sprintf("%s %s is already scaled by ScaledObject %s: two cannot share a target, so delete one of them",
				so.Spec.ScaleTargetRef.EffectiveKind(), so.Spec.ScaleTargetRef.Name, other),
		})
	})
}

// sameHPA finds other ScaledObjects whose HPA has the same name.
func (v *Validator) sameHPA(ctx context.Context, so *kedav1alpha1.ScaledObject, _ string, r *checks.Result) error {
	return v.others(ctx, so, hpaNameIndex, so.HPAName(), func(other string) {
		r.Faults = append(r.Faults, checks.Finding{
			Field: "spec.advanced.horizontalPodAutoscalerConfig.name", Reason: checks.ReasonOtherScaledObjectHPA,
			Message: fmt.Sprintf("ScaledObject %s has an HPA of the name %s already: choose another name", other, so.HPAName()),
		})
	})
}

// others tells of the other ScaledObjects of the namespace that an index finds,
// but for those that are being deleted.
func (v *Validator) others(ctx context.Context, so *kedav1alpha1.ScaledObject, index, key string, tell func(name string)) error {
	var list kedav1alpha1.ScaledObjectList
	if err := v.Reader.List(ctx, &list, client.InNamespace(so.Namespace), client.MatchingFields{index: key}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing ScaledObjects: %w", err)
	}
	for i := range list.Items {
		if other := &list.Items[i]; other.Name != so.Name && other.DeletionTimestamp == nil {
			tell(other.Name)
		}
	}
	return nil
}

// otherHPAs finds HPAs on the target that are no ScaledObject's and that the
// object does not take over.
func (v *Validator) otherHPAs(ctx context.Context, so *kedav1alpha1.ScaledObject, target string, r *checks.Result) error {
	var list autoscalingv2.HorizontalPodAutoscalerList
	if err := v.Reader.List(ctx, &list, client.InNamespace(so.Namespace), client.MatchingFields{hpaTargetIndex: target}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing HPAs: %w", err)
	}
	for i := range list.Items {
		hpa := &list.Items[i]
		switch owner := metav1.GetControllerOf(hpa); {
		case owner != nil && owner.Kind == kedav1alpha1.KindScaledObject: // ours, or another's, which was told
		case hpa.DeletionTimestamp != nil:
		case hpa.Annotations[kedav1alpha1.AnnotationHPAOwnership] == "false":
		case so.TransfersHPAOwnership() && hpa.Name == so.HPAName():
		default:
			r.Faults = append(r.Faults, checks.Finding{
				Field: "spec.scaleTargetRef", Reason: checks.ReasonOtherHPA,
				Message: fmt.Sprintf("%s %s is already scaled by HorizontalPodAutoscaler %s: delete it, or name it in "+
					"spec.advanced.horizontalPodAutoscalerConfig.name and take it over with the annotation %s: \"true\"",
					so.Spec.ScaleTargetRef.EffectiveKind(), so.Spec.ScaleTargetRef.Name, hpa.Name, kedav1alpha1.AnnotationTransferHPAOwnership),
			})
		}
	}
	return nil
}
