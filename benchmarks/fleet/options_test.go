package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWrongFlags: each is answered with one sentence that names it, before
// anything is reached.
func TestWrongFlags(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	kubeconfig := file("kubeconfig", "")
	for args, want := range map[string]string{
		"setup --objects 0":                            "--objects is 0, and at least 1 is needed",
		"setup --objects many":                         `"many"`,
		"setup --objects 5":                            "--activations is 10, more than the 5 of --objects",
		"setup --interval 1500ms":                      "--interval is 1.5s, which is not a whole number of seconds above 0",
		"setup --prefix Q_":                            `--prefix is "Q_"`,
		"setup --redis 6379":                           `--redis is "6379", which is not of the form host:port`,
		"setup --redis=":                               "--redis is missing",
		"steady --window 10ms":                         "--window is 10ms, and at least 1s is needed",
		"steady --pids 1 --pid-file x":                 "--pids and --pid-file are two of the same: give one",
		"steady --pid-file " + file("words", "1 x"):    `"x" is not a number`,
		"steady --pid-file nowhere":                    "reading --pid-file: open nowhere",
		"reads":                                        "--adapter is missing",
		"reads --adapter 127.0.0.1:1":                  "--token or --token-file is missing",
		"reads --adapter 127.0.0.1:1 --token-file gon": "reading --token-file: open gon",
		"all --self-metrics localhost":                 `--self-metrics is "localhost", which is not a URL`,
		"steady --kubeconfig nowhere":                  "--kubeconfig: stat nowhere",
		"steady --nope":                                "unknown flag: --nope",
		"nope":                                         `unknown command "nope"`,
		"steady now":                                   `unknown command "now"`,
	} {
		t.Run(args, func(t *testing.T) {
			t.Setenv("KUBECONFIG", kubeconfig)
			root := rootCommand(io.Discard)
			root.SetArgs(strings.Fields(args))
			err := root.ExecuteContext(context.Background())
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("answered with %v, want %q", err, want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the answer is more than one sentence: %v", err)
			}
		})
	}
}

func TestDemanded(t *testing.T) {
	for items, want := range map[int]int32{0: 0, 1: 1, 5: 1, 6: 2, 7: 2, 100: 3} {
		if got := demanded(items); got != want {
			t.Errorf("%d items demand %d replicas, want %d", items, got, want)
		}
	}
}
