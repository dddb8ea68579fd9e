package explanations

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	openapicommon "k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"

	whyv1alpha1 "github.com/freshet-io/freshet/apis/why/v1alpha1"
	"github.com/freshet-io/freshet/metricsadapter"
)

// Group is the API group of explanations, for the server of the metrics adapter.
func Group(s *Storage) metricsadapter.Group {
	scheme := runtime.NewScheme()
	utilruntime.Must(whyv1alpha1.AddToScheme(scheme))
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	info := genericapiserver.NewDefaultAPIGroupInfo(whyv1alpha1.GroupName, scheme, metav1.ParameterCodec, serializer.NewCodecFactory(scheme))
	info.VersionedResourcesStorageMap[whyv1alpha1.GroupVersion.Version] = map[string]rest.Storage{whyv1alpha1.Resource: s}
	return metricsadapter.Group{Info: &info, Scheme: scheme, Definitions: definitions}
}

// definitions describe the kinds to those who ask what the API serves, without their
// fields: those are in the Go package.
func definitions(ref openapicommon.ReferenceCallback) map[string]openapicommon.OpenAPIDefinition {
	const pkg = "github.com/freshet-io/freshet/apis/why/v1alpha1."
	meta := func(name string) spec.Schema { return spec.Schema{SchemaProps: spec.SchemaProps{Ref: ref(name)}} }
	object := func(description, metaName string) spec.Schema {
		s := spec.Schema{SchemaProps: spec.SchemaProps{Description: description, Type: []string{"object"}, Properties: map[string]spec.Schema{
			"apiVersion": *spec.StringProperty(), "kind": *spec.StringProperty(), "metadata": meta(metaName),
		}}}
		s.AddExtension("x-kubernetes-preserve-unknown-fields", true)
		return s
	}
	one := object("Explanation says what is done with one object and why.", metav1.ObjectMeta{}.OpenAPIModelName())
	many := object("ExplanationList is a list of explanations.", metav1.ListMeta{}.OpenAPIModelName())
	item := meta(pkg + "Explanation")
	many.Properties["items"] = *spec.ArrayProperty(&item)
	return map[string]openapicommon.OpenAPIDefinition{
		pkg + "Explanation":     {Schema: one, Dependencies: []string{metav1.ObjectMeta{}.OpenAPIModelName()}},
		pkg + "ExplanationList": {Schema: many, Dependencies: []string{metav1.ListMeta{}.OpenAPIModelName(), pkg + "Explanation"}},
	}
}
