package servers

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// npm is a program that makes what npm would, and writes what it does to the
// file log.
const npm = `echo "npm $*" >>"$DIR/log"
mkdir -p "$3/node_modules/.bin"; echo >"$3/node_modules/.bin/azurite-queue"`

func TestInstallFromNPM(t *testing.T) {
	_, dir := fakeSystem(t, false, map[string]string{"node": "", "npm": npm})
	cache := withCache(t, dir)
	if _, err := azurite.look(); !IsNotInstalled(err) || !strings.Contains(err.Error(), "azurite@") {
		t.Errorf("before: %v, want that the package is not installed", err)
	}
	for range 2 {
		if err := InstallProgram(t.Context(), &strings.Builder{}, "azurite-queue"); err != nil {
			t.Fatal(err)
		}
	}
	path, err := azurite.look()
	if err != nil || !strings.HasPrefix(path, cache) {
		t.Errorf("after: %s, %v", path, err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil || strings.Count(string(log), "npm install") != 1 || !strings.Contains(string(log), azurite.String()) {
		t.Errorf("done was %q, %v; want one installation", log, err)
	}
	left, err := filepath.Glob(filepath.Join(cache, "npm", "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("the cache has %v, %v; want the package alone", left, err)
	}
}

func TestInstallFromNPMTellsOfFailure(t *testing.T) {
	_, dir := fakeSystem(t, false, map[string]string{"node": "", "npm": `echo "no network"; exit 1`})
	cache := withCache(t, dir)
	var out strings.Builder
	err := InstallProgram(t.Context(), &out, "azurite-queue")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !strings.Contains(out.String(), "no network") {
		t.Errorf("got %v and %q, want npm's end and words", err, out.String())
	}
	if left, err := filepath.Glob(filepath.Join(cache, "npm", "*")); err != nil || len(left) > 0 {
		t.Errorf("the cache has %v, %v; want nothing", left, err)
	}
}

func TestInstallFromNPMNeedsNode(t *testing.T) {
	_, dir := fakeSystem(t, false, nil)
	withCache(t, dir)
	err := InstallProgram(t.Context(), &strings.Builder{}, "azurite-queue")
	if !IsNotInstalled(err) || !strings.Contains(err.Error(), "nodejs") {
		t.Errorf("got %v, want what to install", err)
	}
}

// withCache gives the installers a cache folder of their own, and mkdir.
func withCache(t *testing.T, dir string) (cache string) {
	t.Helper()
	cache = t.TempDir()
	t.Setenv("FRESHET_CACHE", cache)
	if err := os.Symlink("/bin/mkdir", filepath.Join(dir, "mkdir")); err != nil {
		t.Fatal(err)
	}
	return cache
}
