package v1alpha1

import (
	"fmt"
	"strconv"
	"strings"
)

// Annotations that users put on a ScaledObject, and the first of them on a ScaledJob too.
const (
	// AnnotationPaused stops all scaling and leaves the replicas as they are. Any text that is not a bool is true.
	AnnotationPaused = "autoscaling.keda.sh/paused"
	// AnnotationPausedReplicas stops all scaling at this number of replicas. It counts for more than AnnotationPaused.
	AnnotationPausedReplicas = "autoscaling.keda.sh/paused-replicas"
	// AnnotationPausedScaleIn lets the workload grow but never shrink.
	AnnotationPausedScaleIn = "autoscaling.keda.sh/paused-scale-in"
	// AnnotationPausedScaleOut lets the workload shrink but never grow.
	AnnotationPausedScaleOut = "autoscaling.keda.sh/paused-scale-out"
	// AnnotationForceActivation has the object count as active whatever its triggers read.
	AnnotationForceActivation = "autoscaling.keda.sh/force-activation"
	// AnnotationTransferHPAOwnership, when "true", takes over a HorizontalPodAutoscaler that exists under the name the
	// ScaledObject gives.
	AnnotationTransferHPAOwnership = "scaledobject.keda.sh/transfer-hpa-ownership"
	// AnnotationHPAExcludedLabels lists the keys of labels, separated by commas, that are not copied to the
	// HorizontalPodAutoscaler.
	AnnotationHPAExcludedLabels = "scaledobject.keda.sh/hpa-excluded-labels"
)

// Annotations on objects of other kinds.
const (
	// AnnotationJobExcludedLabels lists, on a ScaledJob, the keys of labels, separated by commas, that are not copied to
	// its Jobs.
	AnnotationJobExcludedLabels = "scaledjob.keda.sh/job-excluded-labels"
	// AnnotationScaledJobGeneration holds, on a Job, the generation of the ScaledJob that it was made from.
	AnnotationScaledJobGeneration = "scaledjob.keda.sh/generation"
	// AnnotationHPAOwnership, when "false" on a HorizontalPodAutoscaler, lets a ScaledObject scale the workload that the
	// HorizontalPodAutoscaler scales already.
	AnnotationHPAOwnership = "validations.keda.sh/hpa-ownership"
	// AnnotationEKSRoleARN names, on a ServiceAccount, the AWS role of the workload.
	AnnotationEKSRoleARN = "eks.amazonaws.com/role-arn"
)

// Labels that are written, or read to find objects by.
const (
	// LabelScaledObjectName is on the HorizontalPodAutoscaler of every ScaledObject, and it is the selector of every
	// external metric.
	LabelScaledObjectName = "scaledobject.keda.sh/name"
	// LabelScaledJobName is on every Job of a ScaledJob and on its pods.
	LabelScaledJobName = "scaledjob.keda.sh/name"
	// LabelJobName is what Kubernetes labels the pods of a Job with.
	LabelJobName = "job-name"

	// LabelAppName, LabelAppVersion, LabelAppPartOf and LabelAppManagedBy are the recommended labels of Kubernetes. They
	// are put on HorizontalPodAutoscalers and Jobs, and the user's own labels override them.
	LabelAppName      = "app.kubernetes.io/name"
	LabelAppVersion   = "app.kubernetes.io/version"
	LabelAppPartOf    = "app.kubernetes.io/part-of"
	LabelAppManagedBy = "app.kubernetes.io/managed-by"

	// ManagedBy is the value of LabelAppManagedBy.
	ManagedBy = "keda-operator"
)

// Finalizer holds back the deletion of an object until what belongs to it is cleaned up.
const Finalizer = "finalizer.keda.sh"

// Paused reports whether annotations stop all scaling of the object.
func (so *ScaledObject) Paused() bool {
	_, atReplicas := so.Annotations[AnnotationPausedReplicas]
	return atReplicas || isOn(so.Annotations, AnnotationPaused)
}

// PausedReplicas is the number of replicas that the object is paused at, or nil when it is not paused at a number. It
// fails when the annotation holds anything but a number of replicas; Paused is true nevertheless.
func (so *ScaledObject) PausedReplicas() (*int32, error) {
	text, ok := so.Annotations[AnnotationPausedReplicas]
	if !ok {
		return nil, nil
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
	if err != nil {
		return nil, fmt.Errorf("reading annotation %s: %w", AnnotationPausedReplicas, err)
	}
	if n < 0 {
		return nil, fmt.Errorf("reading annotation %s: %d is below 0", AnnotationPausedReplicas, n)
	}
	return new(int32(n)), nil
}

// PausedScaleIn reports whether the workload must not shrink.
func (so *ScaledObject) PausedScaleIn() bool { return isOn(so.Annotations, AnnotationPausedScaleIn) }

// PausedScaleOut reports whether the workload must not grow.
func (so *ScaledObject) PausedScaleOut() bool { return isOn(so.Annotations, AnnotationPausedScaleOut) }

// ForceActivation reports whether the object counts as active whatever its triggers read.
func (so *ScaledObject) ForceActivation() bool {
	return isOn(so.Annotations, AnnotationForceActivation)
}

// TransfersHPAOwnership reports whether the object takes over a HorizontalPodAutoscaler that exists.
func (so *ScaledObject) TransfersHPAOwnership() bool {
	return so.Annotations[AnnotationTransferHPAOwnership] == "true"
}

// HPAExcludedLabels are the keys of the labels that are not copied to the HorizontalPodAutoscaler.
func (so *ScaledObject) HPAExcludedLabels() []string {
	return listOf(so.Annotations, AnnotationHPAExcludedLabels)
}

// Paused reports whether an annotation stops the making of Jobs.
func (sj *ScaledJob) Paused() bool { return isOn(sj.Annotations, AnnotationPaused) }

// JobExcludedLabels are the keys of the labels that are not copied to Jobs.
func (sj *ScaledJob) JobExcludedLabels() []string {
	return listOf(sj.Annotations, AnnotationJobExcludedLabels)
}

// isOn reads a switch: absent is off, and present is on unless it is a bool that says otherwise.
func isOn(annotations map[string]string, key string) bool {
	text, ok := annotations[key]
	if !ok {
		return false
	}
	on, err := strconv.ParseBool(text)
	return err != nil || on
}

// listOf reads a list separated by commas, without blanks and empty entries.
func listOf(annotations map[string]string, key string) []string {
	var list []string
	for entry := range strings.SplitSeq(annotations[key], ",") {
		if entry = strings.TrimSpace(entry); entry != "" {
			list = append(list, entry)
		}
	}
	return list
}
