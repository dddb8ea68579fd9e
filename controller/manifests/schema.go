package manifests

import (
	"context"
	"fmt"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/freshet-io/freshet/config/crd"
)

// schema is what the API server holds objects of one kind to.
type schema struct {
	structural *structuralschema.Structural
	openAPI    validation.SchemaValidator
	rules      *cel.Validator
}

// schemas are those of all kinds, by kind.
var schemas = sync.OnceValues(func() (map[string]*schema, error) {
	files, err := crd.Files.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("reading the definitions: %w", err)
	}
	all := map[string]*schema{}
	for _, file := range files {
		text, err := crd.Files.ReadFile(file.Name())
		if err != nil {
			return nil, fmt.Errorf("reading the definitions: %w", err)
		}
		kind, s, err := newSchema(text)
		if err != nil {
			return nil, fmt.Errorf("reading definition %s: %w", file.Name(), err)
		}
		all[kind] = s
	}
	return all, nil
})

func newSchema(text []byte) (kind string, s *schema, err error) {
	var external apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(text, &external); err != nil {
		return "", nil, err //nolint:wrapcheck // wrapped by the caller
	}
	var internal apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(
		external.Spec.Versions[0].Schema.OpenAPIV3Schema, &internal, nil); err != nil {
		return "", nil, err //nolint:wrapcheck // wrapped by the caller
	}
	s = &schema{}
	if s.openAPI, _, err = validation.NewSchemaValidator(&internal); err != nil {
		return "", nil, err //nolint:wrapcheck // wrapped by the caller
	}
	if s.structural, err = structuralschema.NewStructural(&internal); err != nil {
		return "", nil, err //nolint:wrapcheck // wrapped by the caller
	}
	s.rules = cel.NewValidator(s.structural, true, celconfig.PerCallLimit)
	return external.Spec.Names.Kind, s, nil
}

// check fills in defaults, takes out fields that are not known and returns their
// paths, what is of the wrong shape and, if nothing is, which rules are broken.
func (s *schema) check(fields map[string]any) (unknown []string, shape, rules field.ErrorList) {
	unknown = pruning.PruneWithOptions(fields, s.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	defaulting.Default(fields, s.structural)
	shape = validation.ValidateCustomResource(nil, fields, s.openAPI)
	if len(shape) == 0 && s.rules != nil {
		rules, _ = s.rules.Validate(context.Background(), nil, s.structural, fields, nil, celconfig.RuntimeCELCostBudget)
	}
	return unknown, shape, rules
}
