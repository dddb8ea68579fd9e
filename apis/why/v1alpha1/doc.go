// Package v1alpha1 is the why.freshet.io/v1alpha1 API: explanations, which are made when they are asked for and kept nowhere.
// An Explanation has the name and namespace of the object that it explains. It is read through the API server with the reader's
// own rights: who may read the object may read its explanation.
//
// +kubebuilder:object:generate=true
// +kubebuilder:skip
// +groupName=why.freshet.io
package v1alpha1
