package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// save writes the result and its picture to the folder of results, named by date
// and commit. A second run of a day and commit takes the place of the first.
func (b *bench) save(rows []row) error {
	r := b.result
	r.Rows = rows
	r.Machine.LoadAfter = loadAverage()
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the result: %w", err)
	}
	day, _, _ := strings.Cut(r.Date, "T")
	name := "fleet-" + day
	title := fmt.Sprintf("%d objects on %d cores, %s", r.Settings.Objects, r.Machine.Cores, day)
	if r.Commit != "" {
		name += "-" + r.Commit
		title += ", " + r.Commit
	}
	if r.Settings.Objects != defaultOptions().objects {
		name += fmt.Sprintf("-%d", r.Settings.Objects)
	}
	if err := os.MkdirAll(b.options.results, 0o755); err != nil {
		return fmt.Errorf("making the folder of results: %w", err)
	}
	base := filepath.Join(b.options.results, name)
	for file, content := range map[string][]byte{base + ".json": append(text, '\n'), base + ".svg": []byte(picture(title, rows))} {
		if err := os.WriteFile(file, content, 0o644); err != nil { //nolint:gosec // to be read by all
			return fmt.Errorf("writing a result: %w", err)
		}
	}
	b.log("written: %s.json and .svg", base)
	return nil
}
