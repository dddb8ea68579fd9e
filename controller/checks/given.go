package checks

import (
	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// Given is what an authentication gives a trigger: parameters whose values can
// be seen, and those whose values cannot.
type Given struct {
	seen   map[string]string
	unseen map[string]bool
	// files tells that a file gives the parameters, whose names are not known.
	files    bool
	identity scalers.Identity
}

// NewGiven returns what an authentication gives. value looks up a key of a
// Secret or ConfigMap; nil sees none.
func NewGiven(spec *kedav1alpha1.TriggerAuthenticationSpec, value func(kind, name, key string) (string, bool)) *Given {
	g := &Given{seen: map[string]string{}, unseen: map[string]bool{}, files: spec.FilePath != ""}
	add := func(parameter, kind, name, key string) {
		if value != nil {
			if text, ok := value(kind, name, key); ok {
				g.seen[parameter] = text
				return
			}
		}
		g.unseen[parameter] = true
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
	if p := spec.PodIdentityProvider(); p != kedav1alpha1.PodIdentityProviderNone {
		g.identity.Provider = string(p)
	}
	return g
}

// hides tells whether the value of a parameter is there and cannot be seen.
func (g *Given) hides(place param.Origin, name string) bool {
	return place == param.Env || g.files || g.unseen[name]
}

// remote are the parameters whose values no object has.
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
