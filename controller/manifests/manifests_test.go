package manifests_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-io/freshet/controller/manifests"
	_ "github.com/freshet-io/freshet/scalers/store"
)

var update = flag.Bool("update", false, "write the golden files")

// reportOf checks one file of testdata, by its bare name.
func reportOf(t *testing.T, name string) *manifests.Report {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return check(t, name, string(text))
}

func check(t *testing.T, name, text string) *manifests.Report {
	t.Helper()
	report, err := manifests.Check([]manifests.Source{{Name: name, Text: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestReports(t *testing.T) {
	for _, name := range []string{"good", "bad"} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			reportOf(t, name+".yaml").Write(&b)
			golden := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("(-want +got); go test -update writes it:\n%s", diff)
			}
			if strings.Contains(b.String(), "S3NT1N3L") {
				t.Error("the report shows a secret")
			}
		})
	}
}

func TestWhatIsNoObject(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		line int
		part string
	}{
		"no YAML":           {"a: b\nc: [", 2, "cannot be parsed"},
		"a tab":             {"kind: X\nspec:\n\ta: b\n", 3, "cannot be parsed"},
		"a text":            {"---\nhello\n", 2, "is no object"},
		"a list":            {"- a\n", 1, "is no object"},
		"twice":             {"kind: X\nkind: Y\n", 1, "already defined"},
		"after a good one":  {"kind: X\n---\nhello\n", 3, "is no object"},
		"keys are no texts": {"apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: a}\nspec: {1: {[a]: b}}\n", 1, ""},
	} {
		r := check(t, "f.yaml", tc.text)
		if len(r.Findings) == 0 || r.Findings[0].Line != tc.line || !strings.Contains(r.Findings[0].Message, tc.part) || r.Faults() == 0 {
			t.Errorf("%s: got %v", name, r.Findings)
		}
	}
	for _, text := range []string{"", "---\n---\n", "# nothing\n", "null\n"} {
		if r := check(t, "f.yaml", text); len(r.Findings)+len(r.Objects)+r.Skipped > 0 {
			t.Errorf("%q gives %+v", text, r)
		}
	}
}

func TestSources(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.yaml": "kind: A\n", "sub/b.yml": "kind: B\n", "sub/c.json": `{"kind": "C"}`, "d.txt": "no"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sources, err := manifests.Sources([]string{dir, "-", filepath.Join(dir, "d.txt")}, strings.NewReader("kind: S\n"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range sources {
		names = append(names, strings.TrimPrefix(s.Name, dir+"/"))
	}
	if diff := cmp.Diff([]string{"a.yaml", "sub/b.yml", "sub/c.json", "stdin", "d.txt"}, names); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := manifests.Sources([]string{filepath.Join(dir, "missing")}, nil); err == nil {
		t.Error("a file that is not there is no error")
	}
}

// FuzzCheck: no text can crash the check, and whatever is found has a line.
func FuzzCheck(f *testing.F) {
	for _, name := range []string{"good.yaml", "bad.yaml"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nspec: {triggers: [{metadata: {a: null}}, 1, {type: redis}]}\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, finding := range check(t, "f.yaml", text).Findings {
			if finding.Line < 1 || finding.Message == "" {
				t.Errorf("found %+v", finding)
			}
		}
	})
}

// TestFormulas: what can be told of a formula without readings is told.
func TestFormulas(t *testing.T) {
	const manifest = `
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: orders}
spec:
  scaleTargetRef: {name: orders}
  advanced:
    scalingModifiers: {target: "2", formula: "FORMULA"}
  triggers:
    - {type: redis, name: queue, metadata: {address: "localhost:6379", listName: orders, listLength: "5"}}
`
	for formula, word := range map[string]string{"queue * 2": "", "queue * rate": "unknown name rate", "queue > 1": "must give a number"} {
		var b strings.Builder
		check(t, "formula.yaml", strings.Replace(manifest, "FORMULA", formula, 1)).Write(&b)
		if faulty := strings.Contains(b.String(), "scalingModifiers.formula"); faulty != (word != "") || !strings.Contains(b.String(), word) {
			t.Errorf("%s is told as:\n%s", formula, b.String())
		}
	}
}
