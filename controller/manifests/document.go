// Package manifests checks objects in files as the controller would in a
// cluster: by the schemas of the CustomResourceDefinitions, the rules of the
// kinds, and the decoders of the triggers. It needs no cluster.
package manifests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is one object in a file.
type document struct {
	file string
	node *yaml.Node // a mapping
	// fields is the object as JSON has it.
	fields map[string]any
}

// read splits YAML or JSON into its documents, and lists into their items. The
// findings are of what cannot be parsed.
func read(file string, text []byte) ([]document, []Finding) {
	var docs []document
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var root yaml.Node
		err := decoder.Decode(&root)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			line, message := yamlError(err)
			return docs, []Finding{{File: file, Line: line, Severity: Fault, Message: "cannot be parsed: " + message}}
		}
		if len(root.Content) == 0 || root.Content[0].Tag == "!!null" {
			continue
		}
		found, err := documents(file, root.Content[0])
		if err != nil {
			return docs, []Finding{{File: file, Line: root.Content[0].Line, Severity: Fault, Message: err.Error()}}
		}
		docs = append(docs, found...)
	}
}

// yamlError takes the line out of the parser's error.
func yamlError(err error) (int, string) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(message, "line "); ok {
		if number, text, ok := strings.Cut(rest, ": "); ok {
			if line, err := strconv.Atoi(number); err == nil {
				return line, text
			}
		}
	}
	return 1, message
}

func documents(file string, node *yaml.Node) ([]document, error) {
	d := document{file: file, node: node}
	if node.Kind != yaml.MappingNode {
		return nil, errors.New("is no object: an object begins with apiVersion and kind")
	}
	if err := node.Decode(&d.fields); err != nil {
		return nil, fmt.Errorf("cannot be parsed: %w", err)
	}
	items := child(node, "items")
	if kind := d.kind(); !strings.HasSuffix(kind, "List") || items == nil || items.Kind != yaml.SequenceNode {
		return []document{d}, nil
	}
	var docs []document
	for _, item := range items.Content {
		found, err := documents(file, item)
		if err != nil {
			return nil, err
		}
		docs = append(docs, found...)
	}
	return docs, nil
}

func (d *document) text(path ...string) string {
	var v any = d.fields
	for _, key := range path {
		fields, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = fields[key]
	}
	text, _ := v.(string)
	return text
}

func (d *document) kind() string      { return d.text("kind") }
func (d *document) namespace() string { return d.text("metadata", "namespace") }
func (d *document) name() string      { return d.text("metadata", "name") }

// line is where the field of a path such as spec.triggers[0].metadata.key is, or
// the nearest field above it that is there.
func (d *document) line(path string) int {
	node, line := d.node, d.node.Line
	for _, step := range steps(path) {
		next, at := step.in(node)
		if next == nil {
			return line
		}
		node, line = next, at
	}
	return line
}

// step is a key or an index of a path.
type step struct {
	key   string
	index int // of a list; -1 with a key
}

// steps splits a path: a.b[0], and a[key with dots].
func steps(path string) []step {
	var all []step
	for path != "" {
		if rest, ok := strings.CutPrefix(path, "["); ok {
			inner, after, _ := strings.Cut(rest, "]")
			path = strings.TrimPrefix(after, ".")
			if i, err := strconv.Atoi(inner); err == nil {
				all = append(all, step{index: i})
			} else {
				all = append(all, step{key: inner, index: -1})
			}
			continue
		}
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		all = append(all, step{key: path[:end], index: -1})
		path = strings.TrimPrefix(path[end:], ".")
	}
	return all
}

// in returns the value that the step leads to, and the line where it stands: of
// its key, where there is one.
func (s step) in(node *yaml.Node) (*yaml.Node, int) {
	switch {
	case s.index >= 0 && node.Kind == yaml.SequenceNode && s.index < len(node.Content):
		item := node.Content[s.index]
		return item, item.Line
	case s.index < 0 && node.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == s.key {
				return node.Content[i+1], node.Content[i].Line
			}
		}
	}
	return nil, 0
}

// child is the value of a key of a mapping, or nil.
func child(node *yaml.Node, key string) *yaml.Node {
	value, _ := step{key: key, index: -1}.in(node)
	return value
}
