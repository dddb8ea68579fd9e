package v1alpha1

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestScaledObjectAnnotations(t *testing.T) {
	type asked struct {
		Paused, PausedIn, PausedOut, Forced, Transfers bool
		Replicas                                       *int32
		ReplicasFail                                   bool
		Excluded                                       []string
	}
	cases := map[string]struct {
		reason      string
		annotations map[string]string
		want        asked
	}{
		"None": {reason: "nothing is asked for"},
		"Paused": {
			reason:      "paused",
			annotations: map[string]string{AnnotationPaused: "true"},
			want:        asked{Paused: true},
		},
		"NotPaused": {reason: "not paused", annotations: map[string]string{AnnotationPaused: "false"}},
		"OddlyPaused": {
			reason:      "anything but a bool is true",
			annotations: map[string]string{AnnotationPaused: "please"},
			want:        asked{Paused: true},
		},
		"EmptyPaused": {
			reason:      "so is nothing",
			annotations: map[string]string{AnnotationPaused: ""},
			want:        asked{Paused: true},
		},
		"At": {
			reason:      "a number counts for more than the switch",
			annotations: map[string]string{AnnotationPaused: "false", AnnotationPausedReplicas: "0"},
			want:        asked{Paused: true, Replicas: new(int32(0))},
		},
		"AtText": {
			reason:      "text is no number, and pauses",
			annotations: map[string]string{AnnotationPausedReplicas: "x"},
			want:        asked{Paused: true, ReplicasFail: true},
		},
		"AtNegative": {
			reason:      "less than nothing is no number of replicas",
			annotations: map[string]string{AnnotationPausedReplicas: "-1"},
			want:        asked{Paused: true, ReplicasFail: true},
		},
		"AtHuge": {
			reason:      "neither is more than the API can hold",
			annotations: map[string]string{AnnotationPausedReplicas: "3000000000"},
			want:        asked{Paused: true, ReplicasFail: true},
		},
		"Directions": {
			reason:      "each direction is paused by itself",
			annotations: map[string]string{AnnotationPausedScaleIn: "1", AnnotationPausedScaleOut: "yes", AnnotationForceActivation: "true"},
			want:        asked{PausedIn: true, PausedOut: true, Forced: true},
		},
		"DirectionsOff": {
			reason:      "a switch can be off",
			annotations: map[string]string{AnnotationPausedScaleIn: "0", AnnotationPausedScaleOut: "false", AnnotationForceActivation: "F"},
		},
		"Transfer": {
			reason:      "taking over is asked for in one word",
			annotations: map[string]string{AnnotationTransferHPAOwnership: "true"},
			want:        asked{Transfers: true},
		},
		"NoTransfer": {reason: "and by no other", annotations: map[string]string{AnnotationTransferHPAOwnership: "yes"}},
		"Excluded": {
			reason:      "blanks and empty entries do not count",
			annotations: map[string]string{AnnotationHPAExcludedLabels: "a, b.io/c,,"},
			want:        asked{Excluded: []string{"a", "b.io/c"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			so := &ScaledObject{ObjectMeta: metav1.ObjectMeta{Annotations: tc.annotations}}
			got := asked{
				Paused: so.Paused(), PausedIn: so.PausedScaleIn(), PausedOut: so.PausedScaleOut(), Forced: so.ForceActivation(),
				Transfers: so.TransfersHPAOwnership(), Excluded: so.HPAExcludedLabels(),
			}
			var err error
			got.Replicas, err = so.PausedReplicas()
			got.ReplicasFail = err != nil
			if diff := gocmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestScaledJobAnnotations(t *testing.T) {
	sj := &ScaledJob{}
	if sj.Paused() || sj.JobExcludedLabels() != nil {
		t.Error("without annotations nothing is asked for")
	}
	sj.Annotations = map[string]string{AnnotationPaused: "true", AnnotationJobExcludedLabels: "team"}
	if !sj.Paused() {
		t.Error("the annotation pauses a ScaledJob")
	}
	if diff := gocmp.Diff([]string{"team"}, sj.JobExcludedLabels()); diff != "" {
		t.Errorf("labels left out of Jobs (-want +got):\n%s", diff)
	}
}
