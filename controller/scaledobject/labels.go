package scaledobject

import (
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// OwnedLabels are those of what is made for an object under a name: the recommended
// labels, overridden by the object's own that are not excluded, and the label of that
// key, by which it is found.
func OwnedLabels(owner client.Object, key, name, version string, excluded []string) map[string]string {
	labels := map[string]string{
		kedav1alpha1.LabelAppName:      labelValue(name),
		kedav1alpha1.LabelAppVersion:   labelValue(version),
		kedav1alpha1.LabelAppPartOf:    owner.GetName(),
		kedav1alpha1.LabelAppManagedBy: kedav1alpha1.ManagedBy,
	}
	for own, value := range owner.GetLabels() {
		if !slices.Contains(excluded, own) {
			labels[own] = value
		}
	}
	labels[key] = owner.GetName()
	return labels
}

// labelValue is text as far as a label may hold it: at most 63 characters of a
// certain kind, the last of them a letter or digit. A version may have a plus.
func labelValue(text string) string {
	const longest = 63
	text = strings.ReplaceAll(text, "+", "_")
	return strings.TrimRight(text[:min(len(text), longest)], "-_.")
}
