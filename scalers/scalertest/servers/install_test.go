package servers

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakeSystem is a PATH of its own with the given scripts, and an installer whose
// policy lies beside it. The scripts write what they do to the file log.
func fakeSystem(t *testing.T, root bool, scripts map[string]string) (i *installer, dir string) {
	t.Helper()
	dir = t.TempDir()
	t.Setenv("DIR", dir)
	for _, tool := range []string{"true", "env", "install", "rm", "cat", "chmod"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Skip(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, tool)); err != nil {
			t.Fatal(err)
		}
	}
	for name, body := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	return &installer{root: root, policy: filepath.Join(dir, "policy-rc.d")}, dir
}

const (
	aptGet = `echo "apt-get $* $DEBIAN_FRONTEND" >>"$DIR/log"
case "$*" in *install*) cat "$DIR/policy-rc.d" >>"$DIR/log"; echo >"$DIR/redis-server"; chmod +x "$DIR/redis-server";; esac`
	sudo       = `echo "sudo $*" >>"$DIR/log"; shift; exec "$@"`
	sudoDenies = `exit 1`
)

func TestInstallNothingWhenThere(t *testing.T) {
	i, dir := fakeSystem(t, true, map[string]string{"apt-get": aptGet, "redis-server": ""})
	var out strings.Builder
	if err := i.install(t.Context(), &out, "redis-server", "redis-server"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "log")); err == nil || out.Len() > 0 {
		t.Errorf("something was done: %s", out.String())
	}
}

func TestInstallSaysWhatIsMissing(t *testing.T) {
	for name, scripts := range map[string]map[string]string{
		"no apt-get":         {},
		"sudo asks password": {"apt-get": aptGet, "sudo": sudoDenies},
		"no sudo":            {"apt-get": aptGet},
	} {
		t.Run(name, func(t *testing.T) {
			i, _ := fakeSystem(t, false, scripts)
			err := i.install(t.Context(), &strings.Builder{}, "the-package", "redis-server")
			if !errors.Is(err, errNotInstalled) {
				t.Fatalf("got %v, want it to say that the program is not installed", err)
			}
			if text := err.Error(); !strings.Contains(text, "the-package") || strings.Contains(text, "\n") {
				t.Errorf("got %q, want one line that names the package", text)
			}
		})
	}
}

func TestInstall(t *testing.T) {
	for name, tc := range map[string]struct {
		root    bool
		scripts map[string]string
		sudos   bool
	}{
		"as root":   {root: true, scripts: map[string]string{"apt-get": aptGet}},
		"with sudo": {scripts: map[string]string{"apt-get": aptGet, "sudo": sudo}, sudos: true},
	} {
		t.Run(name, func(t *testing.T) {
			i, dir := fakeSystem(t, tc.root, tc.scripts)
			var out strings.Builder
			if err := i.install(t.Context(), &out, "the-package", "redis-server"); err != nil {
				t.Fatal(err)
			}
			log, err := os.ReadFile(filepath.Join(dir, "log"))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"update noninteractive", "install -y --no-install-recommends the-package noninteractive", "exit 101"} {
				if strings.Count(string(log), want) < 1 {
					t.Errorf("%q was not done; done was\n%s", want, log)
				}
			}
			if strings.Contains(string(log), "sudo") != tc.sudos {
				t.Errorf("sudo is wanted: %v; done was\n%s", tc.sudos, log)
			}
			if !strings.Contains(out.String(), "the-package") {
				t.Errorf("nothing is told of the installation: %q", out.String())
			}
			if _, err := os.Stat(i.policy); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the policy stays behind: %v", err)
			}
		})
	}
}

func TestInstallKeepsThePolicyOfTheMachine(t *testing.T) {
	i, _ := fakeSystem(t, true, map[string]string{"apt-get": aptGet, "policy-rc.d": "exit 0"})
	if err := i.install(t.Context(), &strings.Builder{}, "the-package", "redis-server"); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(i.policy); err != nil || !strings.Contains(string(text), "exit 0") {
		t.Errorf("the policy is %q, %v; want it as it was", text, err)
	}
}

func TestInstallTellsOfFailure(t *testing.T) {
	i, dir := fakeSystem(t, true, map[string]string{"apt-get": `echo "no such package"; exit 100`})
	var out strings.Builder
	err := i.install(t.Context(), &out, "the-package", "redis-server")
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Errorf("got %v, want apt-get's end", err)
	}
	if !strings.Contains(out.String(), "no such package") {
		t.Errorf("apt-get's words are not shown: %q", out.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "policy-rc.d")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the policy stays behind: %v", err)
	}
}

func TestPackage(t *testing.T) {
	if pkg, err := Package("redis-server"); err != nil || pkg != "redis-server" {
		t.Errorf("got %q, %v", pkg, err)
	}
	if _, err := Package("nosuch"); err == nil {
		t.Error("a program that no server needs has a package")
	}
}
