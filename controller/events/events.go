// Package events holds every event that Freshet records: reasons and constructors.
package events

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientevents "k8s.io/client-go/tools/events"
)

// Reasons of events, as users alert on them.
const (
	ScaledObjectReady        = "ScaledObjectReady"
	ScaledObjectCheckFailed  = "ScaledObjectCheckFailed"
	ScaledObjectUpdateFailed = "ScaledObjectUpdateFailed"
	ScaledObjectDeleted      = "ScaledObjectDeleted"
	ScaledObjectPaused       = "ScaledObjectPaused"
	ScaledObjectUnpaused     = "ScaledObjectUnpaused"
	FallbackActivated        = "ScaledObjectFallbackActivated"
	FallbackDeactivated      = "ScaledObjectFallbackDeactivated"
	ScalersStarted           = "KEDAScalersStarted"
	ScalersStopped           = "KEDAScalersStopped"
	ScalerFailed             = "KEDAScalerFailed"
	MetricSourceFailed       = "KEDAMetricSourceFailed"
	ScalerInfo               = "KEDAScalerInfo"
	TargetActivated          = "KEDAScaleTargetActivated"
	TargetActivationFailed   = "KEDAScaleTargetActivationFailed"
	TargetDeactivated        = "KEDAScaleTargetDeactivated"
	TargetDeactivationFailed = "KEDAScaleTargetDeactivationFailed"
	ScaledJobReady           = "ScaledJobReady"
	ScaledJobCheckFailed     = "ScaledJobCheckFailed"
	ScaledJobUpdateFailed    = "ScaledJobUpdateFailed"
	ScaledJobDeleted         = "ScaledJobDeleted"
	ScaledJobPaused          = "ScaledJobPaused"
	ScaledJobUnpaused        = "ScaledJobUnpaused"
	ScaledJobActive          = "ScaledJobActive"
	ScaledJobInactive        = "ScaledJobInactive"
	RolloutCleanupStarted    = "ScaledJobRolloutCleanupStarted"
	RolloutCleanupCompleted  = "ScaledJobRolloutCleanupCompleted"
	RolloutCleanupFailed     = "ScaledJobRolloutCleanupFailed"
	JobsCreated              = "KEDAJobsCreated"
	JobCreateFailed          = "KEDAJobCreateFailed"
)

// Reasons of events on authentications.
const (
	TriggerAuthenticationAdded          = "TriggerAuthenticationAdded"
	TriggerAuthenticationUpdated        = "TriggerAuthenticationUpdated"
	TriggerAuthenticationDeleted        = "TriggerAuthenticationDeleted"
	TriggerAuthenticationFailed         = "TriggerAuthenticationFailed"
	ClusterTriggerAuthenticationAdded   = "ClusterTriggerAuthenticationAdded"
	ClusterTriggerAuthenticationUpdated = "ClusterTriggerAuthenticationUpdated"
	ClusterTriggerAuthenticationDeleted = "ClusterTriggerAuthenticationDeleted"
	ClusterTriggerAuthenticationFailed  = "ClusterTriggerAuthenticationFailed"
)

// Actions of events: what Freshet was doing.
const (
	actionReconcile = "Reconcile"
	actionScale     = "Scale"
	actionStart     = "ScalersWatchStarted"
	actionStop      = "ScalersWatchStopped"
)

// Recorder records events on objects.
type Recorder struct {
	// Sink sends them; it merges repetitions.
	Sink clientevents.EventRecorder
}

// Note records that something went as it should while reconciling obj.
func (r Recorder) Note(obj runtime.Object, reason, message string) {
	r.Sink.Eventf(obj, nil, corev1.EventTypeNormal, reason, actionReconcile, "%s", message)
}

// Warn records that something is wrong with obj.
func (r Recorder) Warn(obj runtime.Object, reason, message string) {
	r.Sink.Eventf(obj, nil, corev1.EventTypeWarning, reason, actionReconcile, "%s", message)
}

// Scaled records that the target of obj was scaled.
func (r Recorder) Scaled(obj runtime.Object, reason, message string) {
	r.Sink.Eventf(obj, nil, corev1.EventTypeNormal, reason, actionScale, "%s", message)
}

// ScaleFailed records that the target of obj could not be scaled.
func (r Recorder) ScaleFailed(obj runtime.Object, reason, message string) {
	r.Sink.Eventf(obj, nil, corev1.EventTypeWarning, reason, actionScale, "%s", message)
}

// Started records that the triggers of obj begin to be read.
func (r Recorder) Started(obj runtime.Object, message string) {
	r.Sink.Eventf(obj, nil, corev1.EventTypeNormal, ScalersStarted, actionStart, "%s", message)
}

// Stopped records that the triggers of obj are not read any more.
func (r Recorder) Stopped(obj runtime.Object, message string) {
	r.Sink.Eventf(obj, nil, corev1.EventTypeNormal, ScalersStopped, actionStop, "%s", message)
}
