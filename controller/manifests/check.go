package manifests

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
	"github.com/freshet-io/freshet/controller/checks"
)

// Source is a file, or what is read in place of one.
type Source struct {
	// Name is how findings call it.
	Name string
	// Text is YAML or JSON.
	Text []byte
}

// Sources reads the files: "-" is stdin, and a folder stands for all its .yaml,
// .yml and .json files, at any depth.
func Sources(names []string, stdin io.Reader) ([]Source, error) {
	var all []Source
	add := func(name string) error {
		text, err := os.ReadFile(name) //nolint:gosec // the user names the file
		if err != nil {
			return fmt.Errorf("reading manifests: %w", err)
		}
		all = append(all, Source{Name: name, Text: text})
		return nil
	}
	for _, name := range names {
		if name == "-" {
			text, err := io.ReadAll(stdin)
			if err != nil {
				return nil, fmt.Errorf("reading standard input: %w", err)
			}
			all = append(all, Source{Name: "stdin", Text: text})
			continue
		}
		err := filepath.WalkDir(name, func(path string, entry os.DirEntry, err error) error {
			switch {
			case err != nil:
				return fmt.Errorf("reading manifests: %w", err)
			case entry.IsDir(), path != name && !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)):
				return nil
			}
			return add(path)
		})
		if err != nil {
			return nil, err //nolint:wrapcheck // wrapped above
		}
	}
	return all, nil
}

// Check checks every object of the sources together: what one refers to is
// looked for among the others.
func Check(sources []Source) (*Report, error) {
	kinds, err := schemas()
	if err != nil {
		return nil, err
	}
	c := &checker{report: &Report{Objects: []Object{}, Findings: []Finding{}}, kinds: kinds, others: others{}}
	var docs []document
	for _, s := range sources {
		found, findings := read(s.Name, s.Text)
		docs = append(docs, found...)
		c.report.Findings = append(c.report.Findings, findings...)
	}
	for i := range docs {
		c.others.add(&docs[i])
	}
	for i := range docs {
		c.check(&docs[i])
	}
	c.report.sort()
	return c.report, nil
}

// checker collects what is found.
type checker struct {
	report *Report
	kinds  map[string]*schema
	others others
}

// subject is an object that is being checked.
type subject struct {
	*document
	*checker
	name   string
	object *Object
}

func (s *subject) find(severity Severity, path, message string) {
	s.report.Findings = append(s.report.Findings, Finding{
		File: s.file, Line: s.line(path), Object: s.name, Field: path, Severity: severity, Message: message,
	})
}

func (s *subject) faults(list field.ErrorList) {
	for _, f := range list {
		path := f.Field
		if path == "<nil>" {
			path = ""
		}
		s.find(Fault, path, f.ErrorBody())
	}
}

func (c *checker) check(d *document) {
	group, _, _ := strings.Cut(d.text("apiVersion"), "/")
	if group != kedav1alpha1.GroupName {
		c.report.Skipped++
		return
	}
	name := d.kind() + " " + d.name()
	if ns := d.namespace(); ns != "" {
		name = d.kind() + " " + ns + "/" + d.name()
	}
	c.report.Objects = append(c.report.Objects, Object{File: d.file, Line: d.node.Line, Name: name})
	s := &subject{document: d, checker: c, name: name, object: &c.report.Objects[len(c.report.Objects)-1]}
	kind := c.kinds[d.kind()]
	switch {
	case kind == nil:
		s.find(Warning, "kind", "is not a kind that Freshet acts on")
		return
	case d.text("apiVersion") != kedav1alpha1.GroupVersion.String():
		s.find(Fault, "apiVersion", fmt.Sprintf("is %q: use %s", d.text("apiVersion"), kedav1alpha1.GroupVersion))
		return
	case d.name() == "":
		s.find(Fault, "metadata.name", "is missing")
	}
	s.quoteMetadata()
	fields, err := jsonOf(d.fields)
	if err != nil {
		s.find(Fault, "", err.Error())
		return
	}
	unknown, shape, rules := kind.check(fields)
	for _, path := range unknown {
		s.find(Warning, path, "is not a field of this kind and has no effect")
	}
	s.faults(shape)
	if len(shape) > 0 && !decodable(shape) {
		return
	}
	s.checkKind(fields)
	s.faults(slices.DeleteFunc(rules, s.isTold))
}

// decodable tells whether objects with the faults are of the shape of their type.
func decodable(faults field.ErrorList) bool {
	for _, f := range faults {
		if f.Type == field.ErrorTypeTypeInvalid || f.Type == field.ErrorTypeRequired {
			return false
		}
	}
	return true
}

// isTold tells whether a fault of the field was found already: the kind's own
// rules say more than those of the schema, which repeat them.
func (s *subject) isTold(fault *field.Error) bool {
	return slices.ContainsFunc(s.report.Findings, func(f Finding) bool {
		return f.File == s.file && f.Object == s.name && f.Field == fault.Field && f.Severity == Fault
	})
}

// quoteMetadata finds values of trigger metadata that are no texts, and makes
// texts of them, so that they are checked all the same.
func (s *subject) quoteMetadata() {
	spec, _ := s.fields["spec"].(map[string]any)
	triggers, _ := spec["triggers"].([]any)
	for i, t := range triggers {
		trigger, _ := t.(map[string]any)
		metadata, _ := trigger["metadata"].(map[string]any)
		for key, value := range metadata {
			switch value.(type) {
			case string:
			case map[string]any, []any, nil:
				s.find(Fault, fmt.Sprintf("spec.triggers[%d].metadata.%s", i, key), "must be a text")
				delete(metadata, key)
			default:
				s.find(Fault, fmt.Sprintf("spec.triggers[%d].metadata.%s", i, key),
					fmt.Sprintf("must be a text: write \"%v\", in quotes", value))
				metadata[key] = fmt.Sprint(value)
			}
		}
	}
}

// jsonOf is the object as the API server's decoder makes it.
func jsonOf(fields map[string]any) (map[string]any, error) {
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("cannot be an object of Kubernetes: %w", err)
	}
	var out map[string]any
	if err := utiljson.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("cannot be an object of Kubernetes: %w", err)
	}
	return out, nil
}

// checkKind holds the object to the rules of its kind.
func (s *subject) checkKind(fields map[string]any) {
	decode := func(obj any) bool {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(fields, obj); err != nil {
			s.find(Fault, "", err.Error())
			return false
		}
		return true
	}
	around := checks.Around{Given: s.given, Absent: "is not in these files"}
	switch s.kind() {
	case kedav1alpha1.KindScaledObject:
		var so kedav1alpha1.ScaledObject
		if decode(&so) {
			s.object.HPA = so.HPAName()
			s.tell(checks.ScaledObject(&so, around))
		}
	case kedav1alpha1.KindScaledJob:
		var sj kedav1alpha1.ScaledJob
		if decode(&sj) {
			s.tell(checks.ScaledJob(&sj, around))
		}
	case kedav1alpha1.KindTriggerAuthentication:
		var ta kedav1alpha1.TriggerAuthentication
		if decode(&ta) {
			s.tell(checks.TriggerAuthentication(&ta))
		}
	case kedav1alpha1.KindClusterTriggerAuthentication:
		var cta kedav1alpha1.ClusterTriggerAuthentication
		if decode(&cta) {
			s.tell(checks.ClusterTriggerAuthentication(&cta))
		}
	}
}

// tell takes over what was found in the object.
func (s *subject) tell(r *checks.Result) {
	for _, f := range r.Faults {
		s.find(Fault, f.Field, f.Message)
	}
	for _, w := range r.Warnings {
		s.find(Warning, w.Field, w.Message)
	}
	s.object.Metrics = r.Metrics
}
