package v1alpha1

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

const crdFolder = "../../../config/crd"

// servedKinds is every kind of the group, in the order of testdata/fields.txt.
var servedKinds = []string{
	KindScaledObject, KindScaledJob, KindTriggerAuthentication, KindClusterTriggerAuthentication,
}

// TestFields holds the generated schema to the promised one.
func TestFields(t *testing.T) {
	promised := readFields(t)
	for _, kind := range servedKinds {
		t.Run(kind, func(t *testing.T) {
			crd := readCRD(t, kind)
			have := append(header(t, crd), fields(crd)...)
			if diff := gocmp.Diff(promised[kind], have); diff != "" {
				t.Errorf("the generated schema is not the promised one (-promised +generated):\n%s", diff)
			}
		})
	}
}

// TestDescriptions holds every field of spec and status to having a sentence, but for those whose sentences Kubernetes
// writes.
func TestDescriptions(t *testing.T) {
	for _, kind := range servedKinds {
		t.Run(kind, func(t *testing.T) {
			walk(readCRD(t, kind), func(path string, _ bool, s *apiextensionsv1.JSONSchemaProps) {
				text := strings.TrimSpace(s.Description)
				switch {
				case text == "":
					t.Errorf("%s has no description: write a sentence above the field", path)
				case strings.Contains(path, ".behavior."):
				case !strings.HasSuffix(text, "."):
					t.Errorf("%s has a description that is no sentence: %q", path, text)
				case !strings.HasPrefix(text, path[strings.LastIndex(path, ".")+1:]+" "):
					t.Errorf("%s has a description that does not begin with the field's name: %q", path, text)
				}
			})
		})
	}
}

// TestMutable holds the schemas to having no rule that reads what a value was before: every field may change.
func TestMutable(t *testing.T) {
	for _, kind := range servedKinds {
		text, err := os.ReadFile(crdFile(kind))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "oldSelf") {
			t.Errorf("%s has a rule that reads oldSelf: generate it again and run crdtrim on it", crdFile(kind))
		}
	}
}

// TestServerSideSize holds each file to what the API server stores in one object.
func TestServerSideSize(t *testing.T) {
	const limit = 1_400_000
	for _, kind := range servedKinds {
		info, err := os.Stat(crdFile(kind))
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > limit {
			t.Errorf("%s has %d bytes, more than %d", crdFile(kind), info.Size(), limit)
		}
	}
}

// readFields reads testdata/fields.txt into the lines of each kind.
func readFields(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "fields.txt"))
	if err != nil {
		t.Fatal(err)
	}
	fields, kind := map[string][]string{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "== "); ok {
			kind = name
		} else if line != "" && !strings.HasPrefix(line, "#") {
			fields[kind] = append(fields[kind], line)
		}
	}
	return fields
}

func crdFile(kind string) string {
	return filepath.Join(crdFolder, GroupName+"_"+strings.ToLower(kind)+"s.yaml")
}

func readCRD(t *testing.T, kind string) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	text, err := os.ReadFile(crdFile(kind))
	if err != nil {
		t.Fatal(err)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(text, crd); err != nil {
		t.Fatalf("reading %s: %v", crdFile(kind), err)
	}
	if len(crd.Spec.Versions) != 1 {
		t.Fatalf("%s has %d versions, want 1", crdFile(kind), len(crd.Spec.Versions))
	}
	return crd
}

// header writes what a definition says besides its schema.
func header(t *testing.T, crd *apiextensionsv1.CustomResourceDefinition) []string {
	t.Helper()
	version := crd.Spec.Versions[0]
	lines := []string{
		fmt.Sprintf("served %s/%s as %s, %s", crd.Spec.Group, version.Name, crd.Spec.Names.Plural, crd.Spec.Scope),
		"short " + strings.Join(crd.Spec.Names.ShortNames, " "),
	}
	subresources := "subresources"
	if version.Subresources != nil && version.Subresources.Status != nil {
		subresources += " status"
	}
	if version.Subresources != nil && version.Subresources.Scale != nil {
		subresources += " scale"
	}
	lines = append(lines, subresources)
	for _, c := range version.AdditionalPrinterColumns {
		line := fmt.Sprintf("column %s %s %s", c.Name, c.Type, c.JSONPath)
		if c.Priority != 0 {
			line += fmt.Sprintf(" priority=%d", c.Priority)
		}
		lines = append(lines, line)
	}
	return lines
}

// fields writes a line for each field below spec and status, and those two, in the order of paths.
func fields(crd *apiextensionsv1.CustomResourceDefinition) []string {
	var lines []string
	walk(crd, func(path string, required bool, s *apiextensionsv1.JSONSchemaProps) {
		words := []string{path, cmp.Or(s.Type, "any")}
		if s.XIntOrString {
			words[1] = "int-or-string"
		}
		if required {
			words = append(words, "required")
		}
		lines = append(lines, strings.Join(append(words, constraints(s)...), " "))
	})
	slices.SortFunc(lines, func(a, b string) int {
		pathA, _, _ := strings.Cut(a, " ")
		pathB, _, _ := strings.Cut(b, " ")
		return cmp.Compare(pathA, pathB)
	})
	return lines
}

// constraints writes what a field is held to. The pattern of a quantity goes without saying.
func constraints(s *apiextensionsv1.JSONSchemaProps) []string {
	var words []string
	add := func(name string, value any) { words = append(words, fmt.Sprintf("%s=%v", name, value)) }
	if s.Default != nil {
		add("default", strings.Trim(string(s.Default.Raw), `"`))
	}
	if len(s.Enum) > 0 {
		var values []string
		for _, value := range s.Enum {
			values = append(values, strings.Trim(string(value.Raw), `"`))
		}
		add("enum", strings.Join(values, ","))
	}
	if s.Minimum != nil {
		add("minimum", *s.Minimum)
	}
	if s.Maximum != nil {
		add("maximum", *s.Maximum)
	}
	for _, bound := range []struct {
		name  string
		value *int64
	}{
		{"minLength", s.MinLength},
		{"maxLength", s.MaxLength},
		{"minItems", s.MinItems},
		{"maxItems", s.MaxItems},
		{"minProperties", s.MinProperties},
		{"maxProperties", s.MaxProperties},
	} {
		if bound.value != nil {
			add(bound.name, *bound.value)
		}
	}
	if s.Format != "" {
		add("format", s.Format)
	}
	if s.Pattern != "" && !s.XIntOrString {
		add("pattern", s.Pattern)
	}
	if s.XListType != nil && *s.XListType != "atomic" {
		add("list", *s.XListType)
	}
	for _, rule := range s.XValidations {
		add("rule", rule.Rule)
	}
	return words
}

// walk visits spec, status and every field below them, but none below jobTargetRef.
func walk(
	crd *apiextensionsv1.CustomResourceDefinition,
	visit func(path string, required bool, s *apiextensionsv1.JSONSchemaProps),
) {
	root := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	for _, name := range []string{"spec", "status"} {
		s := root.Properties[name]
		visit(name, slices.Contains(root.Required, name), &s)
		walkBelow(name, &s, visit)
	}
}

func walkBelow(
	path string, s *apiextensionsv1.JSONSchemaProps,
	visit func(path string, required bool, s *apiextensionsv1.JSONSchemaProps),
) {
	if strings.HasSuffix(path, ".jobTargetRef") {
		return
	}
	for name, property := range s.Properties {
		visit(path+"."+name, slices.Contains(s.Required, name), &property)
		walkBelow(path+"."+name, &property, visit)
	}
	if s.Items != nil {
		walkBelow(path+"[]", s.Items.Schema, visit)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		walkBelow(path+"{}", s.AdditionalProperties.Schema, visit)
	}
}

// TestEveryKindIsHeld: no definition is there that these tests do not walk.
func TestEveryKindIsHeld(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(crdFolder, "*_*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range servedKinds {
		files = slices.DeleteFunc(files, func(file string) bool { return file == crdFile(kind) })
	}
	if len(files) > 0 {
		t.Errorf("no test walks %q: add their kinds to servedKinds", files)
	}
}
