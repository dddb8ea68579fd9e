package cluster

import (
	"fmt"
	"strings"

	nodefast "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	"sigs.k8s.io/kwok/kustomize/stage/node/heartbeat"
	podfast "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
)

// RunForAnnotation on a Job's pod says how long it runs before it completes, as
// a duration like "30s". Without it the pod completes at once.
const RunForAnnotation = "freshet.io/run-for"

// stages is kwok's configuration: what happens to a node or a pod, and when.
func stages() (string, error) {
	complete, err := delayedBy(podfast.DefaultPodComplete, RunForAnnotation)
	if err != nil {
		return "", fmt.Errorf("delaying the completion of pods: %w", err)
	}
	return strings.Join([]string{
		nodefast.DefaultNodeInit,
		heartbeat.DefaultNodeHeartbeat,
		podfast.DefaultPodReady,
		complete,
		podfast.DefaultPodDelete,
	}, "\n---\n"), nil
}

// delayedBy makes a stage wait for the duration in an annotation of its object.
func delayedBy(stage, annotation string) (string, error) {
	const next = "\n  next:\n"
	if strings.Count(stage, next) != 1 || strings.Contains(stage, "\n  delay:") {
		return "", fmt.Errorf("not a stage without delay: %q", stage)
	}
	delay := fmt.Sprintf(`
  delay:
    durationMilliseconds: 0
    durationFrom:
      expressionFrom: '.metadata.annotations[%q]'`, annotation)
	return strings.Replace(stage, next, delay+next, 1), nil
}
