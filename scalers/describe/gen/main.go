// Command gen writes the pages and the schema of all triggers into a folder, and
// removes pages of triggers that are no more.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	_ "github.com/freshet-io/freshet/scalers/all"
	"github.com/freshet-io/freshet/scalers/describe"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen FOLDER (from the module's folder)")
		os.Exit(2)
	}
	if err := generate(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func generate(folder string) error {
	all, err := describe.All(".")
	if err != nil {
		return err
	}
	schema, err := describe.Schema(all)
	if err != nil {
		return err
	}
	files := map[string][]byte{"schema.json": schema, "README.md": []byte(describe.Index(all))}
	for i := range all {
		for _, typ := range all[i].Types {
			files[typ+".md"] = []byte(all[i].Page(typ))
		}
	}
	old, err := filepath.Glob(filepath.Join(folder, "*.md"))
	if err != nil {
		return fmt.Errorf("listing old pages: %w", err)
	}
	for _, page := range old {
		if files[filepath.Base(page)] == nil {
			if err := os.Remove(page); err != nil {
				return fmt.Errorf("removing an old page: %w", err)
			}
		}
	}
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // documentation is for everybody
		return fmt.Errorf("making the folder: %w", err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil { //nolint:gosec // documentation is for everybody
			return fmt.Errorf("writing a page: %w", err)
		}
	}
	return nil
}
