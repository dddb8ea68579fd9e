package why

import (
	"encoding/json"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
)

// The names that Freshet and the HPA controller go by in managed fields.
const (
	ownManager = "freshet"
	hpaManager = "kube-controller-manager"
)

// ReplicasWriter is who wrote spec.replicas last, as the managed fields of the
// workload have it; nil when they do not tell. Of writes through the scale subresource
// they do not have the time; whoever wrote so and is still there was the last.
func ReplicasWriter(fields []metav1.ManagedFieldsEntry) *whyv1alpha1.Writer {
	var last *whyv1alpha1.Writer
	for i := range fields {
		m := &fields[i]
		if !slices.Contains(specPaths(m), "spec.replicas") {
			continue
		}
		w := writer(m)
		w.Fields = []string{"spec.replicas"}
		if last == nil || w.At.IsZero() || !last.At.IsZero() && last.At.Before(&w.At) {
			last = &w
		}
	}
	return last
}

// Editors are those beside Freshet who wrote the spec of an HPA.
func Editors(fields []metav1.ManagedFieldsEntry) []whyv1alpha1.Writer {
	var all []whyv1alpha1.Writer
	for i := range fields {
		m := &fields[i]
		if m.Manager == ownManager || m.Subresource != "" {
			continue
		}
		if written := specPaths(m); len(written) > 0 {
			w := writer(m)
			w.Fields = written
			all = append(all, w)
		}
	}
	return all
}

func writer(m *metav1.ManagedFieldsEntry) whyv1alpha1.Writer {
	w := whyv1alpha1.Writer{Manager: m.Manager, Who: whyv1alpha1.MakerOther}
	switch {
	case m.Manager == ownManager:
		w.Who = whyv1alpha1.MakerFreshet
	case m.Manager == hpaManager && m.Subresource == "scale":
		w.Who = whyv1alpha1.MakerHPA
	}
	if m.Time != nil {
		w.At = *m.Time
	}
	return w
}

// specPaths are the fields of the spec that an entry has, such as spec.replicas.
func specPaths(m *metav1.ManagedFieldsEntry) []string {
	if m.FieldsV1 == nil {
		return nil
	}
	var all map[string]map[string]json.RawMessage
	if err := json.Unmarshal(m.FieldsV1.GetRawBytes(), &all); err != nil {
		return nil // nothing that could be told
	}
	var found []string
	for name := range all["f:spec"] {
		if field, ok := strings.CutPrefix(name, "f:"); ok {
			found = append(found, "spec."+field)
		}
	}
	slices.Sort(found)
	return found
}

// ownTolerance tells whether the HPA has tolerances of its own in both directions.
func ownTolerance(hpa *autoscalingv2.HorizontalPodAutoscaler) bool {
	b := hpa.Spec.Behavior
	return b != nil && b.ScaleUp != nil && b.ScaleUp.Tolerance != nil && b.ScaleDown != nil && b.ScaleDown.Tolerance != nil
}
