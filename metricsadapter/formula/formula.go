// Package formula makes one number of the readings of several triggers, as
// spec.advanced.scalingModifiers.formula says.
//
// [Compile] does once for a spec what can be told without readings: names, types
// and bounds. [Formula.Number] is a pure function of the readings.
package formula

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"

	"github.com/freshet-io/freshet/scalers"
)

// Bounds on what a formula may cost: it is evaluated on every query of the HPA.
const (
	maxLength  = 4096
	maxNodes   = 500
	maxNesting = 2
)

// builtins are the functions that a formula may call: those that make numbers of
// numbers, and the same of it whenever they are called.
var builtins = []string{
	"all", "none", "any", "one", "filter", "map", "count", "find", "findIndex", "findLast", "findLastIndex",
	"sum", "reduce", "len", "abs", "ceil", "floor", "round", "int", "float", "max", "min", "mean", "median",
	"first", "last", "get", "take", "sort", "sortBy", "reverse", "concat", "flatten", "uniq",
}

// Formula is a compiled formula. It is safe for concurrent use.
type Formula struct {
	program *vm.Program
	names   []string
}

// Compile compiles text, whose variables are names. nilable tells that a variable
// may have no value, which the formula then sees as nil. The error is of class
// Configuration and says what to change.
func Compile(text string, names []string, nilable bool) (*Formula, error) {
	if len(text) > maxLength {
		return nil, scalers.ConfigurationError("the formula has %d characters: write one of at most %d", len(text), maxLength)
	}
	tree, err := parser.Parse(text)
	if err != nil {
		return nil, refused(text, err)
	}
	if err := bound(tree.Node); err != nil {
		return nil, refused(text, err)
	}
	program, err := compile(text, names, types.Float64)
	if err != nil {
		return nil, refused(text, err)
	}
	if !mayBeNumber(program.Node().Type()) {
		return nil, scalers.ConfigurationError("the formula %s gives a %s: it must give a number", quote(text), program.Node().Type())
	}
	if nilable {
		if program, err = compile(text, names, types.Any); err != nil {
			return nil, refused(text, err)
		}
	}
	return &Formula{program: program, names: slices.Clone(names)}, nil
}

// compile compiles a formula whose variables are all of one type.
func compile(text string, names []string, variable types.Type) (*vm.Program, error) {
	env := make(types.Map, len(names))
	for _, name := range names {
		env[name] = variable
	}
	options := []expr.Option{expr.Env(env), expr.MaxNodes(maxNodes), expr.DisableAllBuiltins()}
	for _, name := range builtins {
		options = append(options, expr.EnableBuiltin(name))
	}
	return expr.Compile(text, options...) //nolint:wrapcheck // refused wraps it
}

// refused is the error for a formula that cannot be compiled.
func refused(text string, err error) error {
	first, _, _ := strings.Cut(err.Error(), "\n") // a drawing of the place follows
	return scalers.ConfigurationError("the formula %s cannot be used: %s", quote(text), first)
}

// quote is the beginning of a formula, for messages.
func quote(text string) string {
	const longest = 80
	if len(text) > longest {
		return fmt.Sprintf("%q…", strings.ToValidUTF8(text[:longest], ""))
	}
	return fmt.Sprintf("%q", text)
}

// mayBeNumber tells whether a value of the type may turn out to be a number; nil
// is a type that is not known.
func mayBeNumber(t reflect.Type) bool {
	if t == nil {
		return true
	}
	switch t.Kind() { //nolint:exhaustive // all others are no numbers
	case reflect.Interface, reflect.Int, reflect.Int64, reflect.Float64:
		return true
	default:
		return false
	}
}

// bound refuses what makes a formula cost more than its length tells.
func bound(n ast.Node) (err error) {
	ast.Walk(&n, visit(func(child ast.Node) {
		switch child := child.(type) {
		case *ast.BinaryNode:
			if child.Operator == ".." {
				err = errors.New("ranges are not allowed: list the values")
			}
		case *ast.BuiltinNode:
			if err == nil && nested(child, maxNesting) {
				err = fmt.Errorf("functions over lists are nested more than %d deep", maxNesting)
			}
		}
	}))
	return err
}

// nested tells whether more than limit predicates stand within one another from
// n on. It looks no deeper than that.
func nested(n *ast.BuiltinNode, limit int) bool {
	deeper := false
	for _, argument := range n.Arguments {
		p, ok := argument.(*ast.PredicateNode)
		if !ok {
			continue
		}
		if limit == 0 {
			return true
		}
		node := p.Node
		ast.Walk(&node, visit(func(child ast.Node) {
			if c, ok := child.(*ast.BuiltinNode); ok && !deeper {
				deeper = nested(c, limit-1)
			}
		}))
	}
	return deeper
}

type visit func(ast.Node)

// Visit is called for every node.
func (v visit) Visit(n *ast.Node) { v(*n) }

// Variable is a trigger's value under its name.
type Variable struct {
	Name  string
	Value float64
	// Missing is nil in the formula.
	Missing bool
}

// Number evaluates the formula. ok is false when it gives nil, which only one
// that is nilable does without an error. The error is of class Configuration.
func (f *Formula) Number(variables []Variable) (number float64, ok bool, err error) {
	env := make(map[string]any, len(variables))
	for _, v := range variables {
		if v.Missing {
			env[v.Name] = nil
		} else {
			env[v.Name] = v.Value
		}
	}
	for _, name := range f.names {
		if _, ok := env[name]; !ok {
			return 0, false, scalers.UnavailableError("the formula's variable %s has no value", name)
		}
	}
	result, err := expr.Run(f.program, env)
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return 0, false, scalers.ConfigurationError("the formula cannot be evaluated with %s: %s", values(variables), first)
	}
	switch n := result.(type) {
	case nil:
		return 0, false, nil
	case float64:
		number = n
	case int:
		number = float64(n)
	case int64:
		number = float64(n)
	default:
		return 0, false, scalers.ConfigurationError("the formula gives a %T with %s: it must give a number", result, values(variables))
	}
	if math.IsNaN(number) || math.IsInf(number, 0) {
		return 0, false, scalers.ConfigurationError(
			"the formula gives %v with %s, which is no number to scale to: does it divide by a value that may be 0?", number, values(variables))
	}
	return number, true, nil
}

// values tells what the variables are, for messages.
func values(variables []Variable) string {
	if len(variables) == 0 {
		return "no variables"
	}
	texts := make([]string, len(variables))
	for i, v := range variables {
		if texts[i] = fmt.Sprintf("%s=%g", v.Name, v.Value); v.Missing {
			texts[i] = v.Name + "=nil"
		}
	}
	return strings.Join(texts, ", ")
}
