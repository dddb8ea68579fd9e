package describe

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/freshet-io/freshet/scalers/param"
)

// object is a JSON object; its keys are written in their order.
type object = map[string]any

// Schema is a JSON schema (draft 2020-12) of an entry of spec.triggers, with the
// parameters of every type. Values of metadata are texts. Keywords that begin
// with x- hold what JSON schema has no word for.
func Schema(all []Trigger) ([]byte, error) {
	defs, types, rules := object{}, []string{}, []any{}
	for i := range all {
		t := &all[i]
		for _, typ := range t.Types {
			types = append(types, typ)
			defs[typ] = t.metadataSchema()
			rules = append(rules, object{
				"if":   object{"properties": object{"type": object{"const": typ}}},
				"then": object{"properties": object{"metadata": object{"$ref": "#/$defs/" + typ}}},
			})
		}
	}
	text, err := json.MarshalIndent(object{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   "An entry of spec.triggers of a ScaledObject or ScaledJob",
		"type":    "object",
		"properties": object{
			"type":     object{"enum": types},
			"metadata": object{"type": "object", "additionalProperties": object{"type": "string"}},
		},
		"required": []string{"type", "metadata"},
		"allOf":    rules,
		"$defs":    defs,
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the schema: %w", err)
	}
	return append(text, '\n'), nil
}

// metadataSchema is the schema of the trigger's metadata. What may also come from
// an authentication is not required in it.
func (t *Trigger) metadataSchema() object {
	properties, authentication := object{}, object{}
	required, either := []string{}, []any{}
	for i := range t.Parameters {
		p := &t.Parameters[i]
		var places []any
		for _, from := range p.From {
			for _, name := range p.allNames() {
				switch from {
				case param.Metadata:
					properties[name] = p.schema()
					places = append(places, object{"required": []string{name}})
				case param.Env:
					properties[name+"FromEnv"] = object{
						"type": "string", "description": "Name of the variable of the target's container that holds " + name + ".",
					}
					places = append(places, object{"required": []string{name + "FromEnv"}})
				case param.Auth:
					authentication[name] = p.schema()
				}
			}
		}
		switch {
		case p.Optional || slices.Contains(p.From, param.Auth):
		case len(places) == 1:
			required = append(required, p.Key)
		default:
			either = append(either, object{"anyOf": places})
		}
	}
	s := object{"type": "object", "description": oneLine(t.SummaryOf(t.Types[0])), "properties": properties}
	if t.OpenMetadata {
		s["additionalProperties"] = object{"type": "string"}
	}
	if len(required) > 0 {
		s["required"] = required
	}
	if len(either) > 0 {
		s["allOf"] = either
	}
	if len(authentication) > 0 {
		s["x-authentication"] = authentication
	}
	return s
}

func (p *Parameter) allNames() []string { return append([]string{p.Key}, p.Aliases...) }

func (p *Parameter) schema() object {
	s := object{"type": "string", "description": oneLine(p.Text), "x-kind": p.Kind}
	if p.Default != "" {
		s["default"] = p.Default
	}
	if len(p.Enum) > 0 && p.Kind == "text" {
		s["enum"] = p.Enum
	}
	if p.Min != nil {
		s["x-minimum"] = *p.Min
	}
	if p.Max != nil {
		s["x-maximum"] = *p.Max
	}
	switch p.Role {
	case param.Target:
		s["x-role"] = "target"
	case param.Activation:
		s["x-role"] = "activation"
	case param.Plain:
	}
	if p.Deprecated != "" || p.Removed != "" {
		s["deprecated"] = true
	}
	return s
}
