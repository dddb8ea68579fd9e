package checks

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/scalers/param"
	_ "github.com/freshet-io/freshet/scalers/store"
)

func scaledObject(t *testing.T, spec string) *kedav1alpha1.ScaledObject {
	t.Helper()
	so := &kedav1alpha1.ScaledObject{}
	if err := yaml.UnmarshalStrict([]byte("{metadata: {name: orders}, spec: {scaleTargetRef: {name: a}, "+spec+"}}"), so); err != nil {
		t.Fatal(err)
	}
	return so
}

// TestFormula: a formula that cannot be used is a fault; one that gives no number
// for the numbers that it is tried out with may do for others.
func TestFormula(t *testing.T) {
	const triggers = "triggers: [{type: redis, name: a, metadata: {address: 'a:1', listName: b}}, {type: redis, name: b, metadata: {address: 'a:1', listName: c}}]"
	for _, tc := range []struct{ formula, fault, warning string }{
		{"a + b", "", ""},
		{"a + c", "cannot be used", ""},
		{"a > b", "must give a number", ""},
		{"1 / (a - 1.5)", "", "formula"},
		{"a ?? b", "", ""},
	} {
		r := ScaledObject(scaledObject(t, triggers+", advanced: {scalingModifiers: {formula: '"+tc.formula+"', target: '1'}}"), Around{})
		told(t, tc.formula, r.Faults, tc.fault)
		told(t, tc.formula, r.Warnings, tc.warning)
	}
}

// told expects one finding about the formula that holds part, or none.
func told(t *testing.T, formula string, found []Finding, part string) {
	t.Helper()
	if part == "" && len(found) == 0 {
		return
	}
	if len(found) != 1 || found[0].Field != formulaField || part == "" || !strings.Contains(found[0].Message, part) {
		t.Errorf("%s: found is %q, want %q", formula, found, part)
	}
}

// TestReasons: every fault has the reason that KEDA counts it under.
func TestReasons(t *testing.T) {
	resource := scaledObject(t, "triggers: [{type: cpu, metadata: {}}]")
	other := scaledObject(t, "triggers: [{type: redis, metadata: {}}]")
	for _, tc := range []struct {
		so     *kedav1alpha1.ScaledObject
		path   string
		kind   field.ErrorType
		reason string
	}{
		{other, "metadata.name", field.ErrorTypeInvalid, ReasonName},
		{other, hpaNameField, field.ErrorTypeInvalid, ReasonHPAName},
		{other, hpaNameField, field.ErrorTypeRequired, ReasonTransferName},
		{other, "spec.advanced.scalingModifiers.target", field.ErrorTypeRequired, ReasonModifiers},
		{other, "spec.fallback.behavior", field.ErrorTypeInvalid, ReasonModifiersFallback},
		{other, "spec.fallback.behavior", field.ErrorTypeNotSupported, ReasonFallback},
		{other, "spec.fallback", field.ErrorTypeForbidden, ReasonFallback},
		{other, minField, field.ErrorTypeInvalid, ReasonReplicas},
		{resource, minField, field.ErrorTypeInvalid, ReasonScaleToZero},
		{nil, minField, field.ErrorTypeInvalid, ReasonReplicas},
		{other, "spec.idleReplicaCount", field.ErrorTypeInvalid, ReasonReplicas},
		{other, "spec.triggers[1].name", field.ErrorTypeInvalid, ReasonTriggers},
		{other, "spec.pollingInterval", field.ErrorTypeInvalid, ReasonSpec},
	} {
		if got := reasonOf(tc.so, &field.Error{Field: tc.path, Type: tc.kind}); got != tc.reason {
			t.Errorf("%s %s is %s, want %s", tc.path, tc.kind, got, tc.reason)
		}
	}
}

// TestGiven: every source of an authentication gives its parameters, of which
// only those of Secrets and ConfigMaps may be seen.
func TestGiven(t *testing.T) {
	spec := func(text string) *kedav1alpha1.TriggerAuthenticationSpec {
		s := &kedav1alpha1.TriggerAuthenticationSpec{}
		if err := yaml.UnmarshalStrict([]byte("{"+text+"}"), s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, text := range []string{
		"secretTargetRef: [{parameter: a, name: b, key: c}]", "configMapTargetRef: [{parameter: a, name: b, key: c}]",
		"env: [{parameter: a, name: B}]", "boundServiceAccountToken: [{parameter: a, serviceAccountName: b}]",
		"hashiCorpVault: {address: x, secrets: [{parameter: a, path: b, key: c}]}", "azureKeyVault: {vaultUri: x, secrets: [{parameter: a, name: b}]}",
		"gcpSecretManager: {secrets: [{parameter: a, id: b}]}", "awsSecretManager: {secrets: [{parameter: a, name: b}]}", "filePath: a",
	} {
		given := NewGiven(spec(text), nil)
		if !given.hides(param.Auth, "a") || (given.hides(param.Auth, "other") && !given.files) {
			t.Errorf("%s gives %+v", text, given)
		}
	}
	seen := NewGiven(spec("secretTargetRef: [{parameter: a, name: b, key: c}, {parameter: d, name: b, key: e}], podIdentity: {provider: gcp}"),
		func(kind, name, key string) (string, bool) { return kind + name + key, key == "c" })
	if seen.seen["a"] != "Secretbc" || seen.hides(param.Auth, "a") || !seen.hides(param.Auth, "d") || seen.identity.Provider != "gcp" {
		t.Errorf("seen is %+v", seen)
	}
}
