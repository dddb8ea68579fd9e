package manifests

import (
	"encoding/base64"

	"k8s.io/apimachinery/pkg/runtime"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
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

// given is what an authentication gives: parameters whose values are in the
// files, and those whose are not.
type given struct {
	seen   map[string]string
	unseen map[string]bool
}

func (o others) given(namespace string, spec *kedav1alpha1.TriggerAuthenticationSpec) given {
	g := given{seen: map[string]string{}, unseen: map[string]bool{}}
	add := func(parameter, kind, name, key string) {
		if value, ok := o.data(kind, namespace, name, key); ok {
			g.seen[parameter] = value
		} else {
			g.unseen[parameter] = true
		}
	}
	for _, ref := range spec.ConfigMapTargetRef {
		add(ref.Parameter, "ConfigMap", ref.Name, ref.Key)
	}
	for _, ref := range spec.SecretTargetRef {
		add(ref.Parameter, "Secret", ref.Name, ref.Key)
	}
	for _, parameter := range remote(spec) {
		g.unseen[parameter] = true
	}
	return g
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

// remote are the parameters whose values no file has.
func remote(spec *kedav1alpha1.TriggerAuthenticationSpec) []string {
	var names []string
	for _, ref := range spec.Env {
		names = append(names, ref.Parameter)
	}
	for _, ref := range spec.BoundServiceAccountToken {
		names = append(names, ref.Parameter)
	}
	if v := spec.HashiCorpVault; v != nil {
		for _, s := range v.Secrets {
			names = append(names, s.Parameter)
		}
	}
	if v := spec.AzureKeyVault; v != nil {
		for _, s := range v.Secrets {
			names = append(names, s.Parameter)
		}
	}
	if v := spec.GCPSecretManager; v != nil {
		for _, s := range v.Secrets {
			names = append(names, s.Parameter)
		}
	}
	if v := spec.AwsSecretManager; v != nil {
		for _, s := range v.Secrets {
			names = append(names, s.Parameter)
		}
	}
	if spec.OAuth2 != nil {
		names = append(names, "oauthTokenURI", "clientID", "clientSecret", "scopes", "endpointParams")
	}
	return names
}
