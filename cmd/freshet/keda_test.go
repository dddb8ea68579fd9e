package main

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// kedaFlag and kedaVariable are lines of testdata/keda.txt.
type (
	kedaFlag     struct{ verdict, programs, arg string }
	kedaVariable struct{ verdict, name, value string }
)

func readKEDA(t *testing.T) (flags []kedaFlag, variables []kedaVariable) {
	t.Helper()
	text, err := os.ReadFile("testdata/keda.txt")
	if err != nil {
		t.Fatal(err)
	}
	part := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		words := strings.Fields(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case words[0] == "==":
			part = words[1]
		case part == "flags" && len(words) == 3:
			flags = append(flags, kedaFlag{words[0], words[1], words[2]})
		case part == "variables" && len(words) == 2:
			name, value, _ := strings.Cut(words[1], "=")
			variables = append(variables, kedaVariable{words[0], name, value})
		default:
			t.Fatalf("testdata/keda.txt has the line %q", line)
		}
	}
	return flags, variables
}

// TestKEDAFlags: each flag of KEDA's programs is honoured, or told to have no effect,
// or refused with what to use instead. None is unknown.
func TestKEDAFlags(t *testing.T) {
	flags, _ := readKEDA(t)
	known := map[string]string{}
	for _, f := range flags {
		name := strings.TrimPrefix(f.arg, "--")
		name, _, _ = strings.Cut(name, "=")
		known[name] = f.verdict
		o := newOptions(func(string) string { return "" })
		fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
		var said strings.Builder
		fs.SetOutput(&said)
		o.addFlags(fs)
		err := fs.Parse([]string{f.arg})
		changed := cmp.Diff(*parse(t, nil), *o, unexported) != ""
		switch f.verdict {
		case "honoured":
			if err != nil || !changed || said.Len() > 0 {
				t.Errorf("%s: %v, changes something: %t, says %q", f.arg, err, changed, said.String())
			}
		case "idle":
			if err != nil || changed || !strings.Contains(said.String(), name+" has been deprecated, it has no effect: ") {
				t.Errorf("%s: %v, changes something: %t, says %q", f.arg, err, changed, said.String())
			}
		case "refused":
			if err == nil || !strings.Contains(err.Error(), "--"+name) || !strings.Contains(err.Error(), "freshet does not take it: ") {
				t.Errorf("%s: %v", f.arg, err)
			}
		default:
			t.Errorf("%s has the verdict %q", f.arg, f.verdict)
		}
	}
	for _, f := range idleFlags {
		if known[f.name] != "idle" {
			t.Errorf("--%s has no line", f.name)
		}
	}
	for _, f := range refusedFlags {
		if known[f.name] != "refused" {
			t.Errorf("--%s has no line", f.name)
		}
	}
}

// TestRefusedFlags: who does not ask for what is not there is not refused.
func TestRefusedFlags(t *testing.T) {
	want := parse(t, nil)
	got := parse(t, nil, "--enable-opentelemetry-metrics=false", "--enable-high-cardinality-metrics-labels=false")
	if diff := cmp.Diff(*want, *got, unexported); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
}

// TestKEDAVariables: each variable of KEDA's programs is honoured, or told to have no
// effect, or read by a library, which is then in the documentation.
func TestKEDAVariables(t *testing.T) {
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, variables := readKEDA(t)
	known := map[string]string{}
	for _, v := range variables {
		known[v.name] = v.verdict
		o := parse(t, map[string]string{v.name: v.value})
		var said strings.Builder
		o.tellIdle(slog.New(slog.NewTextHandler(&said, nil)))
		idle := len(o.idle)
		o.idle = nil
		changed := cmp.Diff(*parse(t, nil), *o, unexported) != ""
		documented := strings.Contains(string(page), "`"+v.name+"`")
		ok := false
		switch v.verdict {
		case "honoured":
			ok = changed && idle == 0 && documented
		case "idle":
			ok = !changed && idle == 1 && strings.Count(said.String(), "\n") == 1 && strings.Contains(said.String(), v.name+": ")
		case "library":
			ok = v.value == "" && documented
		case "chart":
			ok = v.value == ""
		}
		if !ok {
			t.Errorf("%s is to be %s: it changes something: %t, %d are told to be idle, is documented: %t", v.name, v.verdict, changed, idle, documented)
		}
	}
	for _, v := range idleVariables {
		if known[v.name] != "idle" {
			t.Errorf("%s has no line", v.name)
		}
	}
}

// TestIdleVariables: what is set is told in one line, and nothing where nothing is.
func TestIdleVariables(t *testing.T) {
	for want, env := range map[int]map[string]string{
		0: {"OTEL_EXPORTER_OTLP_ENDPOINT": "", "KEDA_CHECK_UNEXPECTED_SCALERS_PARAMS": "disabled", "RAW_METRICS_GRPC_PROTOCOL": "false"},
		1: {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
	} {
		var said strings.Builder
		parse(t, env).tellIdle(slog.New(slog.NewTextHandler(&said, nil)))
		if got := strings.Count(said.String(), "\n"); got != want {
			t.Errorf("%v: %d lines, want %d: %s", env, got, want, said.String())
		}
	}
}
