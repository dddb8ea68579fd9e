package checks

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// Reasons that an object is refused for, as self-metrics count them. The first
// are KEDA's, the last two are of what KEDA does not check or does not count.
const (
	ReasonOtherScaledObject    = "other-scaled-object"
	ReasonOtherScaledObjectHPA = "other-scaled-object-hpa"
	ReasonOtherHPA             = "other-hpa"
	ReasonMissingRequests      = "missing-requests"
	ReasonModifiers            = "scaling-modifiers"
	ReasonModifiersFallback    = "scaling-modifiers-fallback"
	ReasonScaleToZero          = "scale-to-zero-requirements-not-met"
	ReasonTransferName         = "transfer-ownership-missing-hpa-name"
	ReasonReplicas             = "incorrect-replicas"
	ReasonFallback             = "incorrect-fallback"
	ReasonName                 = "name-too-long"
	ReasonHPAName              = "hpa-name-too-long"
	ReasonTriggers             = "incorrect-triggers"
	ReasonTriggerMetadata      = "incorrect-trigger-metadata"
	ReasonAuthentication       = "incorrect-authentication"
	// ReasonSpec is of every other field.
	ReasonSpec = "incorrect-spec"
)

const (
	modifiersField = "spec.advanced.scalingModifiers"
	formulaField   = modifiersField + ".formula"
	minField       = "spec.minReplicaCount"
	hpaNameField   = "spec.advanced.horizontalPodAutoscalerConfig.name"
)

// reasonOf is the reason that goes with a fault of a kind's own rules. so is nil
// for a ScaledJob.
func reasonOf(so *kedav1alpha1.ScaledObject, f *field.Error) string {
	switch {
	case f.Field == "metadata.name":
		return ReasonName
	case f.Field == hpaNameField && f.Type == field.ErrorTypeRequired:
		return ReasonTransferName
	case f.Field == hpaNameField:
		return ReasonHPAName
	case strings.HasPrefix(f.Field, modifiersField):
		return ReasonModifiers
	case f.Field == "spec.fallback.behavior" && f.Type == field.ErrorTypeInvalid:
		return ReasonModifiersFallback
	case strings.HasPrefix(f.Field, "spec.fallback"):
		return ReasonFallback
	case f.Field == minField && so != nil && so.OnlyResourceTriggers() && so.MinReplicas() == 0:
		return ReasonScaleToZero
	case f.Field == minField, f.Field == "spec.maxReplicaCount", f.Field == "spec.idleReplicaCount":
		return ReasonReplicas
	case strings.HasPrefix(f.Field, "spec.triggers"):
		return ReasonTriggers
	}
	return ReasonSpec
}

func (r *Result) fault(f *field.Error, reason string) {
	path := f.Field
	if path == "<nil>" {
		path = ""
	}
	r.Faults = append(r.Faults, Finding{Field: path, Message: f.ErrorBody(), Reason: reason})
}
