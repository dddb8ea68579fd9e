package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The programs of a control plane, by file name, and the packages they are built from.
var programs = []struct{ name, pkg string }{
	{"etcd", "go.etcd.io/etcd/server/v3"},
	{"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"},
	{"kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"},
	{"kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"},
	{"kubectl", "k8s.io/kubernetes/cmd/kubectl"},
	{"kwok", "sigs.k8s.io/kwok/cmd/kwok"},
}

// kubernetesVersion is what the programs say of themselves. It is the version
// in go.mod.
const kubernetesVersion = "v1.37.2"

const ldflags = "-s -w" +
	" -X k8s.io/component-base/version.gitVersion=" + kubernetesVersion +
	" -X k8s.io/component-base/version.gitMajor=1" +
	" -X k8s.io/component-base/version.gitMinor=37"

// CacheDir is where programs and the default cluster are kept: $FRESHET_CACHE,
// or freshet in the user's cache folder.
func CacheDir() (string, error) {
	if dir := os.Getenv("FRESHET_CACHE"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a cache folder (set FRESHET_CACHE): %w", err)
	}
	return filepath.Join(dir, "freshet"), nil
}

// Programs builds the programs of the control plane, unless the cache has them,
// and returns their folder. Progress goes to log. Processes that call it at the
// same time build once. The working directory must be inside of this module.
func Programs(ctx context.Context, log io.Writer) (string, error) {
	module, err := moduleDir(ctx)
	if err != nil {
		return "", err
	}
	key, err := cacheKey(module)
	if err != nil {
		return "", err
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "controlplane-"+key)
	if complete(dir) {
		return dir, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("making the cache folder: %w", err)
	}
	unlock, err := lockFile(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if complete(dir) { // another process built it meanwhile
		return dir, nil
	}
	return dir, build(ctx, log, module, dir)
}

// moduleDir is the folder of the module that has the programs among its tools.
func moduleDir(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/freshet-io/freshet/e2e").Output()
	if err != nil {
		return "", fmt.Errorf("finding the module of the control plane (run inside of it): %w", withStderr(err))
	}
	return strings.TrimSpace(string(out)), nil
}

// cacheKey changes when the versions or the way of building do.
func cacheKey(module string) (string, error) {
	hash := sha256.New()
	_, _ = io.WriteString(hash, ldflags)
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return "", fmt.Errorf("reading versions: %w", err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "k8s.io/kubernetes ") || strings.Contains(line, "go.etcd.io/etcd/server") || strings.Contains(line, "sigs.k8s.io/kwok") {
				_, _ = io.WriteString(hash, line)
			}
		}
	}
	return hex.EncodeToString(hash.Sum(nil)[:6]), nil
}

func complete(dir string) bool {
	for _, p := range programs {
		if _, err := os.Stat(filepath.Join(dir, p.name)); err != nil {
			return false
		}
	}
	return true
}

// build builds all programs beside dir and then moves them there at once.
func build(ctx context.Context, log io.Writer, module, dir string) error {
	fmt.Fprintf(log, "building Kubernetes %s, etcd and kwok: about ten minutes on two cores, once\n", kubernetesVersion)
	temp, err := os.MkdirTemp(filepath.Dir(dir), "building-")
	if err != nil {
		return fmt.Errorf("making a build folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(temp) }()
	for i, p := range programs {
		start := time.Now()
		fmt.Fprintf(log, "  %d/%d %-24s ", i+1, len(programs), p.name)
		cmd := exec.CommandContext(ctx, "go", "build", "-ldflags", ldflags, "-o", filepath.Join(temp, p.name), p.pkg)
		cmd.Dir = module
		cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false")
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintln(log)
			return fmt.Errorf("building %s: %w: %s", p.name, err, tail(out, 2000))
		}
		fmt.Fprintf(log, "%4.0f s\n", time.Since(start).Seconds())
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("clearing the cache: %w", err)
	}
	if err := os.Rename(temp, dir); err != nil {
		return fmt.Errorf("filling the cache: %w", err)
	}
	return nil
}

// lockFile waits for an exclusive lock on path.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening a lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

func tail(text []byte, n int) string {
	return strings.TrimSpace(string(text[max(0, len(text)-n):]))
}

func withStderr(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, tail(exit.Stderr, 2000))
	}
	return err
}
