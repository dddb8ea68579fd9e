package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestModuleDir(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	module := filepath.Dir(here)
	root := t.TempDir()
	if root, err = filepath.EvalSymlinks(root); err != nil {
		t.Fatal(err)
	}
	below := filepath.Join(root, "e2e")
	aside := filepath.Join(root, "docs", "pages")
	for _, dir := range []string{below, aside} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(below, "go.mod"), []byte("module "+modulePath+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]string{here: module, module: module, below: below, root: below, aside: below} {
		t.Chdir(from)
		if got, err := moduleDir(); err != nil || got != want {
			t.Errorf("from %s: %q (%v), want %q", from, got, err, want)
		}
	}
	t.Chdir("/")
	if got, err := moduleDir(); err == nil {
		t.Errorf("from outside: %q, want an error", got)
	}
}

func TestVersionsKey(t *testing.T) {
	key := func(mod, sum string) string {
		dir := t.TempDir()
		for name, text := range map[string]string{"go.mod": mod, "go.sum": sum} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		k, err := versionsKey(dir)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	const mod, sum = "require (\n\tk8s.io/kubernetes v1.2.3\n)\n", "sigs.k8s.io/kwok v0.1.0 h1:a\n"
	base := key(mod, sum)
	if key(mod, sum) != base {
		t.Error("the same versions have two keys")
	}
	if key(mod+"require example.com/test v1.0.0\n", sum) != base {
		t.Error("a requirement that the programs do not have changes the key")
	}
	if key(strings.Replace(mod, "1.2.3", "1.2.3 // indirect", 1), sum) != base {
		t.Error("who else requires a program's module changes the key")
	}
	if key(strings.Replace(mod, "1.2.3", "1.2.4", 1), sum) == base {
		t.Error("another version has the same key")
	}
	if key(mod, strings.Replace(sum, "h1:a", "h1:b", 1)) == base {
		t.Error("another content has the same key")
	}
}

// The version in go.mod and the one that programs are told must be the same.
func TestKubernetesVersion(t *testing.T) {
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "\tk8s.io/kubernetes "+KubernetesVersion) {
		t.Errorf("go.mod does not require k8s.io/kubernetes %s", KubernetesVersion)
	}
}

func TestWaitLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := tryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	waited := 0
	if _, err := waitLock(ctx, path, func() { waited++ }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want that of the context", err)
	}
	if waited != 1 {
		t.Errorf("told %d times that it waits, want once", waited)
	}
	time.AfterFunc(50*time.Millisecond, unlock)
	unlock, err = waitLock(t.Context(), path, func() {})
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestPruneKeepsWhatIsUsed(t *testing.T) {
	cache := t.TempDir()
	ages := map[string]time.Duration{"controlplane-old": 2 * unusedLimit, "controlplane-new": time.Hour, "cluster": 2 * unusedLimit}
	for name, age := range ages {
		dir := filepath.Join(cache, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(dir, at, at); err != nil {
			t.Fatal(err)
		}
	}
	prune(cache)
	for name := range ages {
		_, err := os.Stat(filepath.Join(cache, name))
		if removed, want := os.IsNotExist(err), name == "controlplane-old"; removed != want {
			t.Errorf("%s removed: %v, want %v", name, removed, want)
		}
	}
}

func TestFreePortsDiffer(t *testing.T) {
	found, err := FreePorts(20)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, p := range found {
		if seen[p] {
			t.Errorf("port %d twice", p)
		}
		seen[p] = true
	}
}

func TestDelayedByRefusesWhatItDoesNotKnow(t *testing.T) {
	for name, stage := range map[string]string{
		"not a stage":   "kind: Pod\n",
		"with a delay":  "spec:\n  delay:\n    durationMilliseconds: 1\n  next:\n    delete: true\n",
		"with two next": "spec:\n  next:\n    delete: true\n  next:\n    delete: true\n",
	} {
		if _, err := delayedBy(stage, RunForAnnotation); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := stages(); err != nil {
		t.Error(err)
	}
}
