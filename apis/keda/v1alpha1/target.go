package v1alpha1

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What a scaleTargetRef means when it leaves its apiVersion or kind out.
const (
	DefaultTargetAPIVersion = "apps/v1"
	DefaultTargetKind       = "Deployment"
)

// GroupVersionKindResource is a kind of workload together with the resource that serves it.
type GroupVersionKindResource struct {
	// group is the API group of the workload, empty for the core group.
	Group string `json:"group"`

	// version is the API version of the workload.
	Version string `json:"version"`

	// kind is the kind of the workload.
	Kind string `json:"kind"`

	// resource is the plural name that the API server serves the kind under.
	Resource string `json:"resource"`
}

// String writes group/version.Kind, which is also what status.scaleTargetKind holds; version.Kind in the core group.
func (r GroupVersionKindResource) String() string {
	return r.GVK().GroupVersion().String() + "." + r.Kind
}

// GVK is the group, version and kind.
func (r GroupVersionKindResource) GVK() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind}
}

// GVR is the group, version and resource.
func (r GroupVersionKindResource) GVR() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: r.Group, Version: r.Version, Resource: r.Resource}
}

// GroupResource is what clients of the scale subresource ask for.
func (r GroupVersionKindResource) GroupResource() schema.GroupResource {
	return schema.GroupResource{Group: r.Group, Resource: r.Resource}
}

// EffectiveAPIVersion is the group and version of the workload as text: what the reference says, or apps/v1.
func (t *ScaleTarget) EffectiveAPIVersion() string {
	if t.APIVersion == "" {
		return DefaultTargetAPIVersion
	}
	return t.APIVersion
}

// EffectiveKind is the kind of the workload: what the reference says, or Deployment.
func (t *ScaleTarget) EffectiveKind() string {
	if t.Kind == "" {
		return DefaultTargetKind
	}
	return t.Kind
}

// GVK is the group, version and kind of the workload with the defaults filled in. It fails on an apiVersion that is
// not of the form group/version or version.
func (t *ScaleTarget) GVK() (schema.GroupVersionKind, error) {
	gv, err := schema.ParseGroupVersion(t.EffectiveAPIVersion())
	if err != nil {
		return schema.GroupVersionKind{}, fmt.Errorf("reading apiVersion of the scale target: %w", err)
	}
	return gv.WithKind(t.EffectiveKind()), nil
}
