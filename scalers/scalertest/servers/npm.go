package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// npmPackage is a package of npm at a version, and a program of it.
type npmPackage struct{ name, version, program string }

func (p npmPackage) String() string { return p.name + "@" + p.version }

// folder is where the package is, or is to be.
func (p npmPackage) folder() (string, error) {
	cache, err := cacheDir()
	return filepath.Join(cache, "npm", p.name+"-"+p.version), err
}

// look returns the path of the program.
func (p npmPackage) look() (string, error) {
	folder, err := p.folder()
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "node_modules", ".bin", p.program)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is %w: make test installs it (npm package %s)", p.program, errNotInstalled, p)
	}
	if _, err := lookPath("node"); err != nil {
		return "", err
	}
	return path, nil
}

// install installs the package into the cache folder, and node and npm where
// they are missing. The folder is there when all of it is.
func (p npmPackage) install(ctx context.Context, log io.Writer) error {
	if _, err := p.look(); err == nil {
		return nil
	}
	for _, program := range []string{"node", "npm"} {
		if err := Install(ctx, log, packages[program], program); err != nil {
			return err
		}
	}
	folder, err := p.folder()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o750); err != nil {
		return fmt.Errorf("making the cache folder: %w", err)
	}
	made, err := os.MkdirTemp(filepath.Dir(folder), "new")
	if err != nil {
		return fmt.Errorf("making the cache folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(made) }() // is there only when something failed
	_, _ = fmt.Fprintf(log, "installing %s (npm install %s)\n", p.program, p)
	args := []string{
		"install", "--prefix", made, "--no-save", "--no-audit", "--no-fund", "--omit=dev", "--ignore-scripts", "--loglevel=error", p.String(),
	}
	if out, err := exec.CommandContext(ctx, "npm", args...).CombinedOutput(); err != nil { //nolint:gosec // what to run is fixed here
		_, _ = log.Write(out)
		return fmt.Errorf("running npm %s: %w", strings.Join(args, " "), err)
	}
	if err := os.Rename(made, folder); err != nil {
		if _, errLook := p.look(); errLook != nil { // else another process was first
			return fmt.Errorf("naming the folder of %s: %w", p, errors.Join(err, errLook))
		}
	}
	return nil
}
