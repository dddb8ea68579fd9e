// Command crdtrim takes out of generated CustomResourceDefinitions the validation rules that compare a value with the
// one it had before. They come from the types of Kubernetes that our kinds embed, and are right for a Job, whose spec is
// made once; a ScaledJob is a template, and its owner may change any part of it.
//
//	crdtrim config/crd/keda.sh_scaledjobs.yaml …
//
// Each file is rewritten in place, line by line, so that everything else stays as it was generated.
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	for _, path := range os.Args[1:] {
		if err := trimFile(path); err != nil {
			fmt.Fprintln(os.Stderr, "crdtrim:", err)
			os.Exit(1)
		}
	}
}

func trimFile(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading: %w", err)
	}
	if err := os.WriteFile(path, []byte(trim(string(text))), 0o644); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	return nil
}

// trim returns the text without those lists of rules in which a rule reads oldSelf. It keeps every other list, and
// keeps or drops a list as a whole.
func trim(text string) string {
	const key = "x-kubernetes-validations:"
	var out strings.Builder
	lines := strings.SplitAfter(text, "\n")
	for i := 0; i < len(lines); {
		end := i + 1
		if indent, rest, ok := strings.Cut(lines[i], key); ok && strings.TrimSpace(indent+rest) == "" {
			for end < len(lines) && (strings.HasPrefix(lines[end], indent+"- ") || strings.HasPrefix(lines[end], indent+"  ")) {
				end++
			}
		}
		if block := strings.Join(lines[i:end], ""); end == i+1 || !strings.Contains(block, "oldSelf") {
			out.WriteString(block)
		}
		i = end
	}
	return out.String()
}
