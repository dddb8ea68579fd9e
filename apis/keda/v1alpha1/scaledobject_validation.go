package v1alpha1

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

var (
	specPath       = field.NewPath("spec")
	triggersPath   = specPath.Child("triggers")
	advancedPath   = specPath.Child("advanced")
	modifiersPath  = advancedPath.Child("scalingModifiers")
	fallbackPath   = specPath.Child("fallback")
	namePath       = field.NewPath("metadata", "name")
	annotationPath = field.NewPath("metadata", "annotations")
)

// Validate lists every fault that keeps the object from being scaled as written, as far as the object alone shows it.
// An object without one may still name a workload that does not exist, or hold metadata that its triggers refuse. What
// the formula says is not looked at, only that it is there.
func (so *ScaledObject) Validate() field.ErrorList {
	faults := validateName(so.Name)
	faults = append(faults, so.validatePausedReplicas()...)
	faults = append(faults, so.validateTarget()...)
	faults = append(faults, so.validateReplicas()...)
	faults = append(faults, so.validateFallback()...)
	faults = append(faults, so.validateModifiers()...)
	return append(faults, validateTriggers(so.Spec.Triggers)...)
}

// ValidateAdmission lists the faults of Validate, and after them what a new or changed object is refused for although
// an old one that has it goes on working in part.
func (so *ScaledObject) ValidateAdmission() field.ErrorList {
	faults := so.Validate()
	if name := so.HPAName(); len(name) > maxNameLength {
		faults = append(faults, field.Invalid(advancedPath.Child("horizontalPodAutoscalerConfig", "name"), name, fmt.Sprintf(
			"the HorizontalPodAutoscaler's name has %d characters, give it one of at most %d", len(name), maxNameLength)))
	}
	if hpa := so.hpaConfig(); so.TransfersHPAOwnership() && (hpa == nil || hpa.Name == "") {
		faults = append(faults, field.Required(advancedPath.Child("horizontalPodAutoscalerConfig", "name"),
			"name the HorizontalPodAutoscaler to take over, or remove the annotation "+AnnotationTransferHPAOwnership))
	}
	if so.OnlyResourceTriggers() {
		if so.MinReplicas() == 0 {
			faults = append(faults, field.Invalid(specPath.Child("minReplicaCount"), so.MinReplicas(),
				"set it to 1 or more, or add a trigger that is neither cpu nor memory: those two cannot wake a workload from zero"))
		}
		if so.Spec.Fallback != nil {
			faults = append(faults, field.Forbidden(fallbackPath,
				"remove it, or add a trigger that is neither cpu nor memory: a fallback never applies to those two"))
		}
	}
	return faults
}

// Warnings are sentences about settings that have no effect as they stand. The object works nevertheless.
func (so *ScaledObject) Warnings() []string {
	var warnings []string
	leavesMin := so.MinReplicas() == 0 || so.Spec.IdleReplicaCount != nil
	cached := false
	for i := range so.Spec.Triggers {
		t := &so.Spec.Triggers[i]
		cached = cached || t.UseCachedMetrics
		if so.ScalingModifiers() != nil && !t.IsResource() && t.Name == "" {
			warnings = append(warnings, fmt.Sprintf(
				"%s has no name, so the formula of scalingModifiers cannot use its value: give it a name", triggersPath.Index(i)))
		}
	}
	if so.Spec.PollingInterval != nil && !leavesMin && !cached {
		warnings = append(warnings, "spec.pollingInterval decides only how soon the workload leaves 0 or idleReplicaCount, "+
			"and this one never goes there: remove it, lower minReplicaCount to 0, or set useCachedMetrics on a trigger")
	}
	if so.Spec.CooldownPeriod != nil && !leavesMin {
		warnings = append(warnings, "spec.cooldownPeriod decides only how late the workload goes down to 0 or idleReplicaCount, "+
			"and this one never goes there: remove it, or lower minReplicaCount to 0; to slow scaling down between minReplicaCount "+
			"and maxReplicaCount use spec.advanced.horizontalPodAutoscalerConfig.behavior")
	}
	return warnings
}

func (so *ScaledObject) validatePausedReplicas() field.ErrorList {
	if _, err := so.PausedReplicas(); err != nil {
		return field.ErrorList{field.Invalid(annotationPath.Key(AnnotationPausedReplicas),
			so.Annotations[AnnotationPausedReplicas], "set it to the number of replicas to pause at, or remove it")}
	}
	return nil
}

func (so *ScaledObject) validateTarget() field.ErrorList {
	var faults field.ErrorList
	at := specPath.Child("scaleTargetRef")
	target := &so.Spec.ScaleTargetRef
	if target.Name == "" {
		faults = append(faults, field.Required(at.Child("name"), "name the workload to scale"))
	}
	if _, err := target.GVK(); err != nil {
		faults = append(faults, field.Invalid(at.Child("apiVersion"), target.APIVersion,
			"write it as group/version, for example apps/v1"))
	}
	return faults
}

func (so *ScaledObject) validateReplicas() field.ErrorList {
	var faults field.ErrorList
	minimum, maximum := so.MinReplicas(), so.MaxReplicas()
	if minimum > maximum {
		faults = append(faults, field.Invalid(specPath.Child("minReplicaCount"), minimum, fmt.Sprintf(
			"lower it to maxReplicaCount, which is %d, or raise maxReplicaCount", maximum)))
	}
	if idle := so.IdleReplicas(); idle != nil && *idle >= minimum {
		faults = append(faults, field.Invalid(specPath.Child("idleReplicaCount"), *idle, fmt.Sprintf(
			"lower it to less than minReplicaCount, which is %d, or raise minReplicaCount", minimum)))
	}
	faults = append(faults, validateAtLeast(specPath.Child("pollingInterval"), so.Spec.PollingInterval, 1)...)
	faults = append(faults, validateAtLeast(specPath.Child("cooldownPeriod"), so.Spec.CooldownPeriod, 0)...)
	faults = append(faults, validateAtLeast(specPath.Child("initialCooldownPeriod"), so.Spec.InitialCooldownPeriod, 0)...)
	faults = append(faults, validateAtLeast(specPath.Child("idleReplicaCount"), so.Spec.IdleReplicaCount, 0)...)
	faults = append(faults, validateAtLeast(specPath.Child("minReplicaCount"), so.Spec.MinReplicaCount, 0)...)
	return append(faults, validateAtLeast(specPath.Child("maxReplicaCount"), so.Spec.MaxReplicaCount, 1)...)
}

func (so *ScaledObject) validateFallback() field.ErrorList {
	f := so.Spec.Fallback
	if f == nil {
		return nil
	}
	faults := validateAtLeast(fallbackPath.Child("failureThreshold"), &f.FailureThreshold, 0)
	faults = append(faults, validateAtLeast(fallbackPath.Child("replicas"), &f.Replicas, 0)...)
	switch f.EffectiveBehavior() {
	case FallbackBehaviorStatic, FallbackBehaviorCurrentReplicas,
		FallbackBehaviorCurrentReplicasIfHigher, FallbackBehaviorCurrentReplicasIfLower:
	case FallbackBehaviorScalingModifiers:
		if m := so.ScalingModifiers(); m == nil || m.Formula == "" {
			faults = append(faults, field.Invalid(fallbackPath.Child("behavior"), f.Behavior,
				"give spec.advanced.scalingModifiers a formula, or choose another behavior"))
		}
	default:
		faults = append(faults, field.NotSupported(fallbackPath.Child("behavior"), f.Behavior, []FallbackBehavior{
			FallbackBehaviorStatic, FallbackBehaviorCurrentReplicas, FallbackBehaviorCurrentReplicasIfHigher,
			FallbackBehaviorCurrentReplicasIfLower, FallbackBehaviorScalingModifiers,
		}))
	}
	return faults
}

func (so *ScaledObject) validateModifiers() field.ErrorList {
	m := so.ScalingModifiers()
	if m == nil {
		return nil
	}
	var faults field.ErrorList
	if m.Formula == "" {
		faults = append(faults, field.Required(modifiersPath.Child("formula"),
			"write a formula over the names of the triggers, or remove scalingModifiers"))
	}
	if m.Target == "" {
		faults = append(faults, field.Required(modifiersPath.Child("target"),
			"say which result of the formula to scale to, or remove scalingModifiers"))
	} else if _, err := m.TargetValue(); err != nil {
		faults = append(faults, field.Invalid(modifiersPath.Child("target"), m.Target, "set it to a number above 0"))
	}
	if _, err := m.ActivationTargetValue(); err != nil {
		faults = append(faults, field.Invalid(modifiersPath.Child("activationTarget"), m.ActivationTarget,
			"set it to a number, or remove it to mean 0"))
	}
	return append(faults, validateModifiersMetricType(m)...)
}
