package cluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// KubernetesVersion is what the control plane's programs say of themselves: the
// version of k8s.io/kubernetes in go.mod.
const KubernetesVersion = "v1.37.2"

const ldflags = "-s -w" +
	" -X k8s.io/component-base/version.gitVersion=" + KubernetesVersion +
	" -X k8s.io/component-base/version.gitMajor=1" +
	" -X k8s.io/component-base/version.gitMinor=37"

// modulePath names the module whose tools the programs are.
const modulePath = "github.com/freshet-io/freshet/e2e"

// unusedLimit is how long programs that no longer match go.mod are kept.
const unusedLimit = 7 * 24 * time.Hour

// programs are the files of a control plane and the packages they are built from.
var programs = []struct{ name, pkg string }{
	{"etcd", "go.etcd.io/etcd/server/v3"},
	{"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"},
	{"kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"},
	{"kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"},
	{"kubectl", "k8s.io/kubernetes/cmd/kubectl"},
	{"kwok", "sigs.k8s.io/kwok/cmd/kwok"},
}

// CacheDir is the folder of everything that outlives a run: $FRESHET_CACHE, or
// freshet in the user's cache folder. It may not exist yet.
func CacheDir() (string, error) {
	if dir := os.Getenv("FRESHET_CACHE"); dir != "" {
		absolute, err := filepath.Abs(dir)
		if err != nil {
			return "", fmt.Errorf("finding FRESHET_CACHE: %w", err)
		}
		return absolute, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a cache folder (FRESHET_CACHE sets one): %w", err)
	}
	return filepath.Join(dir, "freshet"), nil
}

// Programs returns the folder of the control plane's programs, and builds them
// first when the cache does not have them. Progress goes to log, which may be
// nil. Processes that call it at the same time build once. The working directory
// must be inside this module or the repository around it.
func Programs(ctx context.Context, log io.Writer) (string, error) {
	if log == nil {
		log = io.Discard
	}
	module, err := moduleDir()
	if err != nil {
		return "", err
	}
	key, err := versionsKey(module)
	if err != nil {
		return "", err
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "controlplane-"+key)
	if complete(dir) {
		now := time.Now()
		_ = os.Chtimes(dir, now, now) // in use: not to be pruned
		return dir, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("making the cache folder: %w", err)
	}
	unlock, err := waitLock(ctx, filepath.Join(cache, "build.lock"), func() {
		progress(log, "waiting for another process that builds the control plane\n")
	})
	if err != nil {
		return "", err
	}
	defer unlock()
	if complete(dir) { // built meanwhile
		return dir, nil
	}
	if err := build(ctx, log, module, dir); err != nil {
		return "", err
	}
	prune(cache)
	return dir, nil
}

// moduleDir finds this module's folder from the working directory: the folder
// itself, one around it, or the e2e folder of one around it.
func moduleDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the module %s: %w", modulePath, err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		for _, candidate := range []string{at, filepath.Join(at, "e2e")} {
			text, err := os.ReadFile(filepath.Join(candidate, "go.mod"))
			if err == nil && strings.HasPrefix(string(text), "module "+modulePath+"\n") {
				return candidate, nil
			}
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("finding the module %s: not around %s", modulePath, dir)
		}
	}
}

// versionsKey changes when the programs' versions or the way of building do. It
// does not when go.mod gets a requirement of some test.
func versionsKey(module string) (string, error) {
	hash := sha256.New()
	_, _ = io.WriteString(hash, ldflags)
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return "", fmt.Errorf("reading the versions to build: %w", err)
		}
		for line := range strings.Lines(string(text)) {
			if line, _, _ = strings.Cut(line, " // "); namesProgram(line) { // a comment says who else requires it
				_, _ = io.WriteString(hash, strings.TrimSpace(line)+"\n")
			}
		}
	}
	return hex.EncodeToString(hash.Sum(nil)[:6]), nil
}

// namesProgram tells whether a line of go.mod or go.sum is about a module that
// has one of the programs. The staging modules of Kubernetes go with it.
func namesProgram(line string) bool {
	for _, module := range []string{"k8s.io/kubernetes ", "go.etcd.io/etcd/server", "sigs.k8s.io/kwok"} {
		if strings.Contains(line, module) {
			return true
		}
	}
	return false
}

func complete(dir string) bool {
	for _, p := range programs {
		if _, err := os.Stat(filepath.Join(dir, p.name)); err != nil {
			return false
		}
	}
	return true
}

// build builds all programs beside dir, one after the other so that progress
// shows, and then moves them there at once.
func build(ctx context.Context, log io.Writer, module, dir string) error {
	progress(log, "building Kubernetes %s, etcd and kwok from source: about ten minutes the first time, seconds later\n", KubernetesVersion)
	begin := time.Now()
	temp := dir + ".building"
	if err := os.RemoveAll(temp); err != nil { // of a build that was killed
		return fmt.Errorf("clearing the build folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(temp) }()
	for i, p := range programs {
		start := time.Now()
		progress(log, "  %d/%d %-24s", i+1, len(programs), p.name)
		if err := buildOne(ctx, module, filepath.Join(temp, p.name), p.pkg); err != nil {
			progress(log, "\n")
			return err
		}
		progress(log, "%5.0f s\n", time.Since(start).Seconds())
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("clearing the cache: %w", err)
	}
	if err := os.Rename(temp, dir); err != nil {
		return fmt.Errorf("filling the cache: %w", err)
	}
	progress(log, "built in %s\n", time.Since(begin).Round(time.Second))
	return nil
}

func buildOne(ctx context.Context, module, output, pkg string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags", ldflags, "-o", output, pkg)
	cmd.Dir = module
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it then ends its compilers
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil { // rather than how the build ended for it
		err, out = ctx.Err(), nil
	}
	if err != nil {
		return fmt.Errorf("building %s: %w: %s", pkg, err, tail(out))
	}
	return nil
}

// prune removes programs of other versions that nobody used for a while. What
// cannot be removed stays.
func prune(cache string) {
	dirs, _ := filepath.Glob(filepath.Join(cache, "controlplane-*"))
	for _, dir := range dirs {
		if info, err := os.Stat(dir); err == nil && info.IsDir() && time.Since(info.ModTime()) > unusedLimit {
			_ = os.RemoveAll(dir)
		}
	}
}

// progress tells people what happens. Not being able to is no reason to stop.
func progress(log io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(log, format, args...)
}

// tail is the last lines of a program's output, few enough for an error.
func tail(text []byte) string {
	const limit = 2000
	text = bytes.TrimSpace(text)
	if len(text) <= limit {
		return string(text)
	}
	text = text[len(text)-limit:]
	return string(text[bytes.IndexByte(text, '\n')+1:])
}
