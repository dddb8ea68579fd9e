package scaledobject

// TargetIndex is the index of ScaledObjects by the workload that they scale: its
// keys are [TargetKey].
const TargetIndex = targetIndex

// TargetKey is the key of a workload in indexes by target. Versions of one group
// serve the same workloads.
func TargetKey(group, kind, name string) string { return targetKey(group, kind, name) }
