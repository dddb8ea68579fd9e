package admission

import (
	"testing"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// triggersOf decodes triggers as the controllers do, without and with something
// from the environment and an authentication.
func triggersOf(t *testing.T, kind string, triggers []kedav1alpha1.ScaleTriggers) {
	t.Helper()
	for i := range triggers {
		spec := &triggers[i]
		_, _, _ = spec.IsResource(), spec.EffectiveMetricType(), spec.Type
		setting := scalers.Setting{
			Object: scalers.ObjectRef{Kind: kind, Namespace: "shop", Name: "orders"},
			Index:  i, Name: spec.Name, MetricType: spec.MetricType,
		}
		for _, in := range []param.Input{
			{Metadata: spec.Metadata},
			{Metadata: spec.Metadata, Env: map[string]string{"ADDRESS": "a:1"}, Auth: map[string]string{"password": "a", "address": ""}},
		} {
			if s, _, err := scalers.Decode(spec.Type, in, setting); err == nil && s.Next != nil && s.Resource != nil {
				t.Errorf("a %s is both a resource and has a clock", spec.Type)
			}
		}
	}
}
