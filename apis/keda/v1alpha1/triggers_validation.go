package v1alpha1

import (
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateTriggers lists the faults that triggers have in objects of either kind.
func validateTriggers(triggers []ScaleTriggers) field.ErrorList {
	if len(triggers) == 0 {
		return field.ErrorList{field.Required(triggersPath, "add at least one trigger")}
	}
	var faults field.ErrorList
	first := map[string]int{}
	for i := range triggers {
		t, at := &triggers[i], triggersPath.Index(i)
		if t.Type == "" {
			faults = append(faults, field.Required(at.Child("type"), "name the type of the trigger"))
		}
		if j, taken := first[t.Name]; taken && t.Name != "" {
			faults = append(faults, field.Invalid(at.Child("name"), t.Name, fmt.Sprintf(
				"choose another name, %s has this one", triggersPath.Index(j))))
		} else {
			first[t.Name] = i
		}
		if t.UseCachedMetrics && !cacheable(t.Type) {
			faults = append(faults, field.Forbidden(at.Child("useCachedMetrics"), fmt.Sprintf(
				"remove it, a trigger of type %s is never cached", t.Type)))
		}
		faults = append(faults, validateAuthenticationRef(at.Child("authenticationRef"), t.AuthenticationRef)...)
	}
	return faults
}

func validateAuthenticationRef(at *field.Path, ref *AuthenticationRef) field.ErrorList {
	if ref == nil {
		return nil
	}
	switch ref.EffectiveKind() {
	case KindTriggerAuthentication, KindClusterTriggerAuthentication:
		return nil
	}
	return field.ErrorList{field.NotSupported(at.Child("kind"), ref.Kind,
		[]string{KindTriggerAuthentication, KindClusterTriggerAuthentication})}
}

// cacheable reports whether useCachedMetrics is allowed on triggers of a type.
func cacheable(triggerType string) bool {
	switch triggerType {
	case TriggerTypeCPU, TriggerTypeMemory, TriggerTypeCron:
		return false
	}
	return true
}

func validateModifiersMetricType(m *ScalingModifiers) field.ErrorList {
	switch m.EffectiveMetricType() {
	case autoscalingv2.AverageValueMetricType, autoscalingv2.ValueMetricType:
		return nil
	}
	return field.ErrorList{field.NotSupported(modifiersPath.Child("metricType"), m.MetricType,
		[]autoscalingv2.MetricTargetType{autoscalingv2.AverageValueMetricType, autoscalingv2.ValueMetricType})}
}

// validateName holds the name of an object to what fits into the label that leads back to the object.
func validateName(name string) field.ErrorList {
	if len(name) <= maxNameLength {
		return nil
	}
	return field.ErrorList{field.Invalid(namePath, name, fmt.Sprintf(
		"the name has %d characters, choose one of at most %d", len(name), maxNameLength))}
}

// validateAtLeast holds an optional number to a lower bound.
func validateAtLeast(at *field.Path, have *int32, bound int32) field.ErrorList {
	if have == nil || *have >= bound {
		return nil
	}
	return field.ErrorList{field.Invalid(at, *have, fmt.Sprintf("set it to %d or more", bound))}
}
