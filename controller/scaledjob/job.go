package scaledjob

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"maps"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/scaledobject"
)

// batchAnnotation is on every Job: the sequence of its batch and its place in it.
const batchAnnotation = "freshet.io/batch"

// newJob is the Job at a place of a batch.
func newJob(sj *kedav1alpha1.ScaledJob, version string, sequence int64, place int32) *batchv1.Job {
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: sj.Namespace, Name: jobName(sj, sequence, place),
			Labels:      scaledobject.OwnedLabels(sj, kedav1alpha1.LabelScaledJobName, sj.Name, version, sj.JobExcludedLabels()),
			Annotations: jobAnnotations(sj, sequence, place),
			OwnerReferences: []metav1.OwnerReference{
				*metav1.NewControllerRef(sj, kedav1alpha1.GroupVersion.WithKind(kedav1alpha1.KindScaledJob)),
			},
		},
		Spec: *sj.Spec.JobTargetRef.DeepCopy(),
	}
	template := &job.Spec.Template
	if template.Labels == nil {
		template.Labels = map[string]string{}
	}
	template.Labels[kedav1alpha1.LabelScaledJobName] = sj.Name
	template.Spec.RestartPolicy = sj.PodRestartPolicy()
	return job
}

// jobName is the name of the Job at a place of a batch: the same whoever asks, so
// that it is made once.
func jobName(sj *kedav1alpha1.ScaledJob, sequence int64, place int32) string {
	const longest, digits = 63, 10 // of the label that pods have it in
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%d", sj.UID, sequence, place))
	end := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:digits])
	room := longest - digits - 1
	if job := sj.Spec.JobTargetRef; job.CompletionMode != nil && *job.CompletionMode == batchv1.IndexedCompletion && job.Completions != nil {
		room -= 1 + len(strconv.Itoa(int(max(0, *job.Completions-1)))) // pods are named by their index too
	}
	return strings.TrimRight(sj.Name[:min(len(sj.Name), room)], "-.") + "-" + end
}

// jobAnnotations are the object's own, without what kubectl keeps for itself, and
// what the Job was made from.
func jobAnnotations(sj *kedav1alpha1.ScaledJob, sequence int64, place int32) map[string]string {
	annotations := map[string]string{}
	maps.Copy(annotations, sj.Annotations)
	delete(annotations, corev1.LastAppliedConfigAnnotation)
	annotations[kedav1alpha1.AnnotationScaledJobGeneration] = generation(sj)
	annotations[batchAnnotation] = fmt.Sprintf("%d/%d", sequence, place)
	return annotations
}

// generation is that of the object as Jobs have it.
func generation(sj *kedav1alpha1.ScaledJob) string { return strconv.FormatInt(sj.Generation, 10) }
