package param

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Role is what the host does with a parameter besides handing it to the trigger.
type Role uint8

// The roles of a parameter.
const (
	// Plain parameters matter to the trigger alone.
	Plain Role = iota
	// Target is what one replica should handle.
	Target
	// Activation is the number above which the trigger is active.
	Activation
)

// Field is the declaration of one parameter.
type Field struct {
	// Key is the parameter's first name; Aliases are the others.
	Key     string
	Aliases []string
	// From is where the value may come from, in order of precedence.
	From []Origin
	// Optional fields keep their zero value when no source has a value.
	Optional bool
	// Default is the text used when no source has a value.
	Default string
	// Enum, when not empty, holds the accepted texts.
	Enum []string
	// Separator splits lists; Range joins the ends of an integer range.
	Separator, Range string
	// OneOf are elements of which a list may hold at most one.
	OneOf []string
	// Min and Max, when not nil, bound a number, or a duration in nanoseconds.
	Min, Max *float64
	// Exclusive names a set of which at most one parameter may be given.
	Exclusive string
	// Deprecated and Removed say what to use instead of the key.
	Deprecated, Removed string
	// Role is what the host uses the parameter for.
	Role Role
	// Type is the Go type of the field.
	Type reflect.Type

	index []int
	owner reflect.Type
	name  string
}

// Owner returns the struct type that declares the field, and its name there.
func (f *Field) Owner() (reflect.Type, string) { return f.owner, f.name }

// names are the key and its aliases.
func (f *Field) names() []string { return append([]string{f.Key}, f.Aliases...) }

// Plan is how a struct type is decoded. It is immutable and safe for
// concurrent use.
type Plan struct {
	typ    reflect.Type
	fields []Field
	known  map[string]bool
	open   bool
}

var (
	stringType   = reflect.TypeFor[string]()
	secretType   = reflect.TypeFor[Secret]()
	durationType = reflect.TypeFor[time.Duration]()
	valuesType   = reflect.TypeFor[url.Values]()
)

// NewPlan reads the tags of the struct type t. It panics, naming the field,
// when a tag is malformed.
func NewPlan(t reflect.Type) *Plan {
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("param: %s is not a struct", t))
	}
	p := &Plan{typ: t, known: map[string]bool{}}
	p.walk(t, nil)
	for i := range p.fields {
		for _, name := range p.fields[i].names() {
			if p.known[name] {
				panic(fmt.Sprintf("param: %s declares %q twice", t, name))
			}
			p.known[name] = true
			if slices.Contains(p.fields[i].From, Env) {
				p.known[name+"FromEnv"] = true
			}
		}
	}
	return p
}

// Open returns the plan of a trigger that hands keys of its metadata which are
// not declared on to its source: no notice says that they have no effect.
func (p *Plan) Open() *Plan {
	open := *p
	open.open = true
	return &open
}

// Fields returns the declarations in the order of the struct. The caller must
// not change them.
func (p *Plan) Fields() []Field { return p.fields }

func (p *Plan) walk(t reflect.Type, path []int) {
	for i := range t.NumField() {
		sf := t.Field(i)
		index := append(slices.Clone(path), i)
		tag, ok := sf.Tag.Lookup("param")
		switch {
		case ok:
			p.fields = append(p.fields, newField(t, sf, tag, index))
		case sf.Type.Kind() == reflect.Struct && sf.IsExported() && hasParams(sf.Type):
			p.walk(sf.Type, index)
		}
	}
}

// hasParams tells whether a struct declares parameters at any depth.
func hasParams(t reflect.Type) bool {
	for i := range t.NumField() {
		sf := t.Field(i)
		if _, ok := sf.Tag.Lookup("param"); ok {
			return true
		}
		if sf.Type.Kind() == reflect.Struct && hasParams(sf.Type) {
			return true
		}
	}
	return false
}

func newField(t reflect.Type, sf reflect.StructField, tag string, index []int) Field {
	fail := func(format string, args ...any) {
		panic(fmt.Sprintf("param: %s.%s: %s", t, sf.Name, fmt.Sprintf(format, args...)))
	}
	if !sf.IsExported() {
		fail("a parameter must be an exported field")
	}
	words := strings.Split(tag, ",")
	names := strings.Split(words[0], "|")
	if slices.Contains(names, "") {
		fail("param tag %q lacks a key", tag)
	}
	f := Field{
		Key: names[0], Aliases: names[1:],
		Separator: ",", Range: sf.Tag.Get("range"), Exclusive: sf.Tag.Get("exclusive"),
		Deprecated: sf.Tag.Get("deprecated"), Removed: sf.Tag.Get("removed"),
		Type: sf.Type, index: index, owner: t, name: sf.Name,
	}
	for _, word := range words[1:] {
		if word != "optional" {
			fail("param tag has the unknown word %q", word)
		}
		f.Optional = true
	}
	if text, ok := sf.Tag.Lookup("default"); ok {
		f.Default, f.Optional = text, true
	}
	if text, ok := sf.Tag.Lookup("sep"); ok {
		if f.Separator = text; text == "" {
			fail("sep tag is empty")
		}
	}
	if text, ok := sf.Tag.Lookup("enum"); ok {
		f.Enum = strings.Split(text, ",")
	}
	if text, ok := sf.Tag.Lookup("oneof"); ok {
		if f.OneOf = strings.Split(text, ","); sf.Type.Kind() != reflect.Slice {
			fail("oneof needs a list")
		}
	}
	var err error
	if f.Min, err = bound(sf.Tag, "min", sf.Type); err != nil {
		fail("%v", err)
	}
	if f.Max, err = bound(sf.Tag, "max", sf.Type); err != nil {
		fail("%v", err)
	}
	if f.From, err = origins(sf.Tag.Get("from")); err != nil {
		fail("%v", err)
	}
	if f.Role, err = role(sf.Tag.Get("role"), sf.Type); err != nil {
		fail("%v", err)
	}
	if f.Removed != "" {
		f.Optional = true
	}
	if !supported(sf.Type) {
		fail("type %s is not supported", sf.Type)
	}
	if f.Default != "" {
		if problem := f.set(reflect.New(sf.Type).Elem(), f.Default); problem != "" {
			fail("default %q %s", f.Default, problem)
		}
	}
	return f
}

func origins(tag string) ([]Origin, error) {
	if tag == "" {
		return []Origin{Metadata}, nil
	}
	var from []Origin
	for _, word := range strings.Split(tag, ",") {
		var o Origin
		switch word {
		case "metadata":
			o = Metadata
		case "env":
			o = Env
		case "auth":
			o = Auth
		default:
			return nil, fmt.Errorf("from tag has the unknown place %q", word)
		}
		if slices.Contains(from, o) {
			return nil, fmt.Errorf("from tag names %q twice", word)
		}
		from = append(from, o)
	}
	return from, nil
}

// bound reads the tag that bounds a number or a duration; nil when there is none.
func bound(tag reflect.StructTag, name string, t reflect.Type) (*float64, error) {
	text, ok := tag.Lookup(name)
	if !ok {
		return nil, nil //nolint:nilnil // there is none
	}
	if t == durationType {
		d, err := time.ParseDuration(text)
		n := float64(d)
		if err != nil {
			return nil, fmt.Errorf("%s tag %q is not a duration", name, text)
		}
		return &n, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !t.ConvertibleTo(reflect.TypeFor[float64]()) {
		return nil, fmt.Errorf("%s tag %q needs a number on both sides", name, text)
	}
	return &n, nil
}

func role(tag string, t reflect.Type) (Role, error) {
	r, ok := map[string]Role{"": Plain, "target": Target, "activation": Activation}[tag]
	if !ok {
		return Plain, fmt.Errorf("role tag %q is unknown", tag)
	}
	if r != Plain && !t.ConvertibleTo(reflect.TypeFor[float64]()) {
		return Plain, fmt.Errorf("role %q needs a number", tag)
	}
	return r, nil
}

func supported(t reflect.Type) bool {
	switch t {
	case secretType, durationType, valuesType:
		return true
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return true
	case reflect.Slice:
		return t.Elem() == stringType || t.Elem() == reflect.TypeFor[int64]()
	case reflect.Map:
		return t.Key() == stringType && t.Elem() == stringType
	default:
		return false
	}
}
