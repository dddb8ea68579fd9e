package describe

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
)

// comments are those of types and fields, read from source once for a package.
type comments struct {
	root     string
	packages map[string]map[string]string
}

func newComments(root string) *comments {
	return &comments{root: root, packages: map[string]map[string]string{}}
}

// of returns the comment of a field of a type or, when field is "", that of the
// type, in paragraphs of one line each. A type or field without one is an error.
func (c *comments) of(t reflect.Type, field string) (string, error) {
	folder, err := sourceFolder(c.root, t)
	if err != nil {
		return "", err
	}
	if c.packages[folder] == nil {
		if c.packages[folder], err = readComments(folder); err != nil {
			return "", err
		}
	}
	key := t.Name()
	if field != "" {
		key += "." + field
	}
	text := c.packages[folder][key]
	if text == "" {
		return "", fmt.Errorf("%s of package %s has no comment", key, t.PkgPath())
	}
	return text, nil
}

// readComments reads the comments of all struct types of the package in folder,
// by Type and Type.Field.
func readComments(folder string) (map[string]string, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("there is no source in %s", folder)
	}
	found := map[string]string{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("parsing source: %w", err)
		}
		for _, decl := range parsed.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range gen.Specs {
				if s, ok := spec.(*ast.TypeSpec); ok {
					addType(found, gen, s)
				}
			}
		}
	}
	return found, nil
}

func addType(found map[string]string, gen *ast.GenDecl, s *ast.TypeSpec) {
	structure, ok := s.Type.(*ast.StructType)
	if !ok {
		return
	}
	found[s.Name.Name] = paragraphs(gen.Doc.Text() + s.Doc.Text())
	for _, f := range structure.Fields.List {
		for _, name := range f.Names {
			found[s.Name.Name+"."+name.Name] = paragraphs(f.Doc.Text())
		}
	}
}

// paragraphs folds the lines of each paragraph into one.
func paragraphs(text string) string {
	parts := strings.Split(strings.TrimSpace(text), "\n\n")
	for i := range parts {
		parts[i] = oneLine(parts[i])
	}
	return strings.Join(parts, "\n\n")
}
