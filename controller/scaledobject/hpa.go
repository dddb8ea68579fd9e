package scaledobject

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/activation"
	"github.com/freshet-io/freshet/metricsadapter"
	"github.com/freshet-io/freshet/scalers"
)

// appliedAnnotation holds a hash of what was applied, so that an HPA is applied again
// only when that changes or somebody else changed the HPA.
const appliedAnnotation = "freshet.io/applied"

// newHPA is the HPA of the object, in place of current, which may be nil. Broken
// triggers are among its metrics, so that they keep it from scaling in. With rest it
// holds the workload at its idle replicas.
func newHPA(so *kedav1alpha1.ScaledObject, gvkr kedav1alpha1.GroupVersionKindResource, triggers []*trigger, current *autoscalingv2.HorizontalPodAutoscaler, rest bool, version string) *autoscalingv2.HorizontalPodAutoscaler {
	name := so.HPAName()
	minReplicas, maxReplicas := so.HPAMinReplicas(), so.MaxReplicas()
	if rest {
		minReplicas = *so.IdleReplicas()
		maxReplicas = minReplicas
	}
	hpa := &autoscalingv2.HorizontalPodAutoscaler{
		TypeMeta: metav1.TypeMeta{APIVersion: autoscalingv2.SchemeGroupVersion.String(), Kind: "HorizontalPodAutoscaler"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: so.Namespace,
			Labels: hpaLabels(so, name, version), Annotations: hpaAnnotations(so),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(so, kedav1alpha1.GroupVersion.WithKind(kedav1alpha1.KindScaledObject))},
		},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{
				APIVersion: gvkr.GVK().GroupVersion().String(), Kind: gvkr.Kind, Name: so.Spec.ScaleTargetRef.Name,
			},
			MinReplicas: &minReplicas, MaxReplicas: maxReplicas,
			Behavior: hpaBehavior(so),
		},
	}
	hpa.Spec.Metrics = hpaMetrics(so, triggers, current)
	hash := sha256.New()
	_ = json.NewEncoder(hash).Encode(hpa) // a typed object always encodes
	hpa.Annotations[appliedAnnotation] = hex.EncodeToString(hash.Sum(nil)[:8])
	return hpa
}

// hpaMetrics are the metrics of all triggers. With a formula, its result takes the
// place of those that are read; those that the HPA measures itself stay.
func hpaMetrics(so *kedav1alpha1.ScaledObject, triggers []*trigger, current *autoscalingv2.HorizontalPodAutoscaler) []autoscalingv2.MetricSpec {
	m := so.ScalingModifiers()
	var all []autoscalingv2.MetricSpec
	for _, t := range triggers {
		if m == nil || t.isResource() || t.spec.IsResource() {
			all = append(all, metricsOf(so.Name, t, current)...)
		}
	}
	if m != nil {
		target, _ := m.TargetValue() // checked before
		all = append(all, external(so.Name, kedav1alpha1.CompositeMetricName, target, m.EffectiveMetricType()))
	}
	return all
}

// metricsOf are the metrics of one trigger. Until a source that names its
// metrics did so, they are those that the HPA has.
func metricsOf(object string, t *trigger, current *autoscalingv2.HorizontalPodAutoscaler) []autoscalingv2.MetricSpec {
	switch {
	case t.isResource():
		return []autoscalingv2.MetricSpec{*t.scaler.Resource}
	case t.scaler == nil: // its metric has no value anyway
		return []autoscalingv2.MetricSpec{externalMetric(object, t, t.metric, 1)}
	case !t.scaler.Kind.Named:
		return []autoscalingv2.MetricSpec{externalMetric(object, t, t.metric, t.scaler.Target)}
	}
	var named []autoscalingv2.MetricSpec
	prefix := scalers.MetricPrefix(t.index)
	for _, m := range t.series() {
		named = append(named, externalMetric(object, t, prefix+m.Name, m.Target))
	}
	if len(named) == 0 && current != nil {
		for _, m := range current.Spec.Metrics {
			if m.External != nil && strings.HasPrefix(m.External.Metric.Name, prefix) {
				named = append(named, m)
			}
		}
	}
	if len(named) == 0 {
		return []autoscalingv2.MetricSpec{externalMetric(object, t, t.metric, 1)}
	}
	return named
}

// series are the metrics that the trigger's source named; none before it was
// read.
func (t *trigger) series() []scalers.Series {
	if t.slot == nil {
		return nil
	}
	return t.slot.Series()
}

func externalMetric(object string, t *trigger, name string, target float64) autoscalingv2.MetricSpec {
	return external(object, name, target, t.spec.EffectiveMetricType())
}

func external(object, name string, target float64, kind autoscalingv2.MetricTargetType) autoscalingv2.MetricSpec {
	quantity := metricsadapter.Quantity(target)
	spec := autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: &quantity} // of a broken trigger too
	if kind == autoscalingv2.ValueMetricType {
		spec = autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: &quantity}
	}
	return autoscalingv2.MetricSpec{
		Type: autoscalingv2.ExternalMetricSourceType,
		External: &autoscalingv2.ExternalMetricSource{
			Metric: autoscalingv2.MetricIdentifier{
				Name:     name,
				Selector: &metav1.LabelSelector{MatchLabels: map[string]string{kedav1alpha1.LabelScaledObjectName: object}},
			},
			Target: spec,
		},
	}
}

// hpaLabels are those of the object's HPA.
func hpaLabels(so *kedav1alpha1.ScaledObject, name, version string) map[string]string {
	return OwnedLabels(so, kedav1alpha1.LabelScaledObjectName, name, version, so.HPAExcludedLabels())
}

// hpaAnnotations are the object's own, without what kubectl keeps for itself.
func hpaAnnotations(so *kedav1alpha1.ScaledObject) map[string]string {
	annotations := maps.Clone(so.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	delete(annotations, corev1.LastAppliedConfigAnnotation)
	return annotations
}

// hpaBehavior is the user's, with a direction that is paused disabled.
func hpaBehavior(so *kedav1alpha1.ScaledObject) *autoscalingv2.HorizontalPodAutoscalerBehavior {
	behavior := so.HPABehavior()
	if !so.PausedScaleIn() && !so.PausedScaleOut() {
		return behavior
	}
	if behavior == nil {
		behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{}
	}
	disabled := autoscalingv2.DisabledPolicySelect
	if so.PausedScaleIn() {
		if behavior.ScaleDown == nil {
			behavior.ScaleDown = &autoscalingv2.HPAScalingRules{}
		}
		behavior.ScaleDown.SelectPolicy = &disabled
	}
	if so.PausedScaleOut() {
		if behavior.ScaleUp == nil {
			behavior.ScaleUp = &autoscalingv2.HPAScalingRules{}
		}
		behavior.ScaleUp.SelectPolicy = &disabled
	}
	return behavior
}

// rests tells whether the HPA is to hold the workload at its idle replicas: with its
// own bounds it would raise it to the minimum at once. While it is not known whether
// the workload may rest, the HPA goes on as it does.
func rests(so *kedav1alpha1.ScaledObject, outcome activation.Outcome, replicas int32, current *autoscalingv2.HorizontalPodAutoscaler) bool {
	idle := so.IdleReplicas()
	if idle == nil || *idle == 0 { // at 0 an HPA does nothing
		return false
	}
	switch outcome {
	case activation.Deactivated, activation.Idle:
		return true
	case activation.Activated, activation.Active, activation.Cooling, activation.Raised:
		return false
	case activation.Paused, activation.Waiting, activation.Failing:
	}
	if current == nil {
		return replicas <= *idle
	}
	return current.Spec.MaxReplicas < so.MinReplicas()
}

// ensureHPA writes the HPA when it is not as it should be, and removes the one
// the object had under another name. It returns the HPA as the cache has it,
// which is nil right after its creation.
func (r *Reconciler) ensureHPA(ctx context.Context, so *kedav1alpha1.ScaledObject, gvkr kedav1alpha1.GroupVersionKindResource, triggers []*trigger, outcome activation.Outcome, replicas int32) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	current, err := r.ownHPA(ctx, so, so.HPAName())
	if err != nil {
		return nil, err // the object keeps the HPA it had
	}
	desired := newHPA(so, gvkr, triggers, current, rests(so, outcome, replicas, current), r.Version)
	if old := so.Status.HpaName; old != "" && old != desired.Name {
		if _, err := r.deleteHPA(ctx, so, old); err != nil {
			return nil, err
		}
	}
	if current != nil && upToDate(current, desired) {
		return current, nil
	}
	if current == nil {
		return nil, r.createHPA(ctx, desired)
	}
	if err := r.applyHPA(ctx, desired); err != nil {
		return nil, err
	}
	return current, nil
}

// ownHPA returns the HPA of that name, or nil when there is none. One that
// belongs to somebody else is a fault, unless the object is to take it over.
func (r *Reconciler) ownHPA(ctx context.Context, so *kedav1alpha1.ScaledObject, name string) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	var hpa autoscalingv2.HorizontalPodAutoscaler
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: so.Namespace, Name: name}, &hpa)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading HPA %s: %w", name, err)
	case metav1.IsControlledBy(&hpa, so), so.TransfersHPAOwnership() && metav1.GetControllerOf(&hpa) == nil:
		return &hpa, nil
	case outlives(&hpa, so):
		err := r.Client.Delete(ctx, &hpa, client.Preconditions{UID: &hpa.UID})
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("deleting HPA %s of a former ScaledObject: %w", name, err)
		}
		return nil, nil
	}
	return nil, faultf("HPA %s exists and does not belong to this ScaledObject: delete it, choose another name in "+
		"advanced.horizontalPodAutoscalerConfig.name, or take it over with the annotation %s: \"true\"",
		name, kedav1alpha1.AnnotationTransferHPAOwnership)
}

// outlives tells whether the HPA is of an object that had the name of this one, is gone
// by now, and was followed by this one before its HPA was collected.
func outlives(hpa *autoscalingv2.HorizontalPodAutoscaler, so *kedav1alpha1.ScaledObject) bool {
	owner := metav1.GetControllerOf(hpa)
	return owner != nil && owner.Kind == kedav1alpha1.KindScaledObject && owner.Name == so.Name &&
		owner.APIVersion == kedav1alpha1.GroupVersion.String() && owner.UID != so.UID
}

// upToDate tells whether current is what was applied for desired, and nobody
// changed it since.
func upToDate(current, desired *autoscalingv2.HorizontalPodAutoscaler) bool {
	return current.Annotations[appliedAnnotation] == desired.Annotations[appliedAnnotation] &&
		equality.Semantic.DeepDerivative(desired.Spec, current.Spec) && !addsTo(desired.Spec, current.Spec) &&
		equality.Semantic.DeepDerivative(desired.Labels, current.Labels) &&
		equality.Semantic.DeepDerivative(desired.Annotations, current.Annotations) &&
		equality.Semantic.DeepDerivative(desired.OwnerReferences, current.OwnerReferences)
}

// addsTo tells whether current has a metric or a policy more than desired. Such
// lists are applied as a whole, so that applying desired removes it.
func addsTo(desired, current autoscalingv2.HorizontalPodAutoscalerSpec) bool {
	if len(current.Metrics) > len(desired.Metrics) {
		return true
	}
	if desired.Behavior == nil || current.Behavior == nil {
		return false
	}
	more := func(desired, current *autoscalingv2.HPAScalingRules) bool {
		return desired != nil && current != nil && len(desired.Policies) > 0 && len(current.Policies) > len(desired.Policies)
	}
	return more(desired.Behavior.ScaleUp, current.Behavior.ScaleUp) || more(desired.Behavior.ScaleDown, current.Behavior.ScaleDown)
}

// deleteHPAs deletes the HPA of the object, also under the name that it had before, and
// tells whether there was one.
func (r *Reconciler) deleteHPAs(ctx context.Context, so *kedav1alpha1.ScaledObject) (bool, error) {
	any, err := r.deleteHPA(ctx, so, so.HPAName())
	if old := so.Status.HpaName; err == nil && old != "" && old != so.HPAName() {
		var deleted bool
		deleted, err = r.deleteHPA(ctx, so, old)
		any = any || deleted
	}
	return any, err
}

// deleteHPA deletes the HPA of that name if it is the object's, and tells
// whether it did. The cache may not know yet of one that was just made.
func (r *Reconciler) deleteHPA(ctx context.Context, so *kedav1alpha1.ScaledObject, name string) (bool, error) {
	var hpa autoscalingv2.HorizontalPodAutoscaler
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: so.Namespace, Name: name}, &hpa)
	if apierrors.IsNotFound(err) || (err == nil && !metav1.IsControlledBy(&hpa, so)) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading HPA %s: %w", name, err)
	}
	err = r.Client.Delete(ctx, &hpa, client.Preconditions{UID: &hpa.UID})
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("deleting HPA %s: %w", name, err)
	}
	return err == nil, nil
}
