package scaledobject

import corev1 "k8s.io/api/core/v1"

// TargetIndex is the index of ScaledObjects by the workload that they scale: its
// keys are [TargetKey].
const TargetIndex = targetIndex

// TargetKey is the key of a workload in indexes by target. Versions of one group
// serve the same workloads.
func TargetKey(group, kind, name string) string { return targetKey(group, kind, name) }

// ReferenceIndex is the index of authentications, by the Secrets and ConfigMaps that
// they name as "kind/name".
const ReferenceIndex = refIndex

// Environment are the Secrets and ConfigMaps that the containers of a pod template
// take variables from, as keys of [ReferenceIndex].
func Environment(spec *corev1.PodSpec) []string { return environment(spec) }

// LabelValue is text as far as a label may hold it.
func LabelValue(text string) string { return labelValue(text) }
