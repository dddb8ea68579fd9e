package manifests

import (
	"encoding/base64"

	"k8s.io/apimachinery/pkg/runtime"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/checks"
)

// others are the objects that objects refer to, by kind, namespace and name.
type others map[[3]string]*document

func (o others) add(d *document) {
	o[[3]string{d.kind(), d.namespace(), d.name()}] = d
}

// authentication is the one referred to, or nil when it is not in the files, or
// cannot be decoded.
func (o others) authentication(namespace string, ref *kedav1alpha1.AuthenticationRef) *kedav1alpha1.TriggerAuthenticationSpec {
	if ref.EffectiveKind() == kedav1alpha1.KindClusterTriggerAuthentication {
		namespace = ""
	}
	d := o[[3]string{ref.EffectiveKind(), namespace, ref.Name}]
	if d == nil {
		return nil
	}
	fields, err := jsonOf(d.fields)
	if err != nil {
		return nil
	}
	var ta kedav1alpha1.TriggerAuthentication
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(fields, &ta); err != nil {
		return nil
	}
	return &ta.Spec
}

// given is what the authentication that is referred to gives, or nil when it is
// not in the files.
func (s *subject) given(ref *kedav1alpha1.AuthenticationRef) *checks.Given {
	spec := s.others.authentication(s.namespace(), ref)
	if spec == nil {
		return nil
	}
	return checks.NewGiven(spec, func(kind, name, key string) (string, bool) {
		return s.others.data(kind, s.namespace(), name, key)
	})
}

// data is the value of a key of a ConfigMap or Secret in the files.
func (o others) data(kind, namespace, name, key string) (string, bool) {
	d := o[[3]string{kind, namespace, name}]
	if d == nil {
		return "", false
	}
	if text := d.text("stringData", key); text != "" {
		return text, true
	}
	text := d.text("data", key)
	if kind == "Secret" {
		decoded, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return "", false
		}
		text = string(decoded)
	}
	return text, text != ""
}
