package activation

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
)

// outcomes are the values of all constants of type Outcome in decide.go.
func outcomes(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "decide.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); !ok || name.Name != "Outcome" {
			return true
		}
		for _, v := range spec.Values {
			text, err := strconv.Unquote(v.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, text)
		}
		return true
	})
	if len(found) < 2 {
		t.Fatalf("decide.go has %d outcomes, so they are no longer found", len(found))
	}
	return found
}
