package servers

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// packages are the Debian packages of the programs that this package starts.
var packages = map[string]string{
	"node":            "nodejs",
	"npm":             "npm",
	"java":            "default-jre-headless",
	"mvn":             "maven",
	"prometheus":      "prometheus",
	"redis-server":    "redis-server",
	"rabbitmq-server": "rabbitmq-server",
}

// Package returns the Debian package that holds a program which this package
// starts. The error names the programs there are.
func Package(program string) (string, error) {
	pkg, ok := packages[program]
	if !ok {
		return "", fmt.Errorf("program %q is not known; known programs are %s",
			program, strings.Join(slices.Sorted(maps.Keys(packages)), ", "))
	}
	return pkg, nil
}

// installers install the programs that are no Debian package, unless they are
// there already.
var installers = map[string]func(ctx context.Context, log io.Writer) error{
	"azurite-queue": azurite.install,
	"bao":           openBao.install,
	"kafka":         installKafka,
	"moto_server":   moto.install,
}

// InstallProgram installs a program that this package starts, unless it is there
// already, and writes what it does to log. See [Install] for what it needs.
func InstallProgram(ctx context.Context, log io.Writer, program string) error {
	if install := installers[program]; install != nil {
		return install(ctx, log)
	}
	pkg, err := Package(program)
	if err != nil {
		return err
	}
	return Install(ctx, log, pkg, program)
}

// Install installs the Debian package pkg, unless program is there already, and
// writes what it does to log. It needs apt-get and the rights of root, its own
// or those of a sudo that asks no password; without them the error says what to
// install. Services of the package are not started.
func Install(ctx context.Context, log io.Writer, pkg, program string) error {
	return system.install(ctx, log, pkg, program)
}

// cacheDir is the folder of what outlives a run: $FRESHET_CACHE, or freshet in
// the user's cache folder. It may not exist yet.
func cacheDir() (string, error) {
	dir := os.Getenv("FRESHET_CACHE")
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("finding a cache folder (FRESHET_CACHE sets one): %w", err)
		}
		dir = filepath.Join(user, "freshet")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("finding FRESHET_CACHE: %w", err)
	}
	return dir, nil
}

// system is the machine this process runs on.
var system = &installer{root: os.Geteuid() == 0, policy: "/usr/sbin/policy-rc.d"}

type installer struct {
	root bool
	// policy is the program that Debian asks whether services may be started.
	policy string

	mu      sync.Mutex
	updated bool
}

func (i *installer) install(ctx context.Context, log io.Writer, pkg, program string) error {
	if _, err := exec.LookPath(program); err == nil {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.capable(ctx) {
		return fmt.Errorf("%s is %w, and this process may not install it: install the Debian package %s", program, errNotInstalled, pkg)
	}
	_, _ = fmt.Fprintf(log, "installing %s (apt-get install %s)\n", program, pkg)
	if !i.updated {
		if err := i.run(ctx, log, "apt-get", "-qq", "update"); err != nil {
			return err
		}
		i.updated = true
	}
	allow, err := i.forbidServices(ctx, log)
	if err != nil {
		return err
	}
	defer allow()
	if err := i.run(ctx, log, "apt-get", "-qq", "install", "-y", "--no-install-recommends", pkg); err != nil {
		return err
	}
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("package %s is installed and %s still missing: %w", pkg, program, err)
	}
	return nil
}

// capable tells whether packages can be installed.
func (i *installer) capable(ctx context.Context) bool {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return false
	}
	return i.root || exec.CommandContext(ctx, "sudo", "-n", "true").Run() == nil
}

// forbidServices keeps packages from starting services, until the function that
// it returns is called. A policy that is there already stays.
func (i *installer) forbidServices(ctx context.Context, log io.Writer) (allow func(), err error) {
	if _, err := os.Lstat(i.policy); err == nil {
		return func() {}, nil
	}
	dir, err := os.MkdirTemp("", "policy")
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", i.policy, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "policy")
	if err := os.WriteFile(file, []byte("#!/bin/sh\nexit 101\n"), 0o600); err != nil {
		return nil, fmt.Errorf("writing %s: %w", i.policy, err)
	}
	if err := i.run(ctx, log, "install", "-m", "0755", file, i.policy); err != nil {
		return nil, err
	}
	return func() {
		if err := i.run(context.WithoutCancel(ctx), log, "rm", "-f", i.policy); err != nil {
			_, _ = fmt.Fprintf(log, "%v\n", err)
		}
	}, nil
}

// run runs a command as root. Its output is shown when it fails.
func (i *installer) run(ctx context.Context, log io.Writer, command ...string) error {
	args := append([]string{"env", "DEBIAN_FRONTEND=noninteractive"}, command...)
	if !i.root {
		args = append([]string{"sudo", "-n"}, args...)
	}
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput() //nolint:gosec // what to run is fixed here
	if err != nil {
		_, _ = log.Write(out)
		return fmt.Errorf("running %s: %w", strings.Join(command, " "), err)
	}
	return nil
}
