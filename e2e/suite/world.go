// Package suite is the ground of end-to-end tests: a [World] is a real control
// plane with Freshet beside it, as a process with its own ServiceAccount's
// rights, and a [Scene] is the place of one test in it, with the words that tests
// are written in. Tests of one package share a world.
package suite

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/freshet-io/freshet/e2e/cluster"
	"github.com/freshet-io/freshet/e2e/local"
)

// World is what the tests of a package share. Its fields are there once
// [World.Main] runs them.
type World struct {
	// Cluster is the control plane, and Client the administrator's.
	Cluster *cluster.Cluster
	Client  client.WithWatch
	// Freshet is the process that leads. Program and Kubeconfig are how it, and
	// others, are run.
	Freshet             *local.Freshet
	Program, Kubeconfig string
	// Args are more arguments of the process.
	Args []string
	// Before, when set, is called on a cluster that has nothing of Freshet's yet.
	Before func(ctx context.Context, w *World) error
}

// root is the folder of the repository, from that of a package with tests.
const root = "../.."

// Main starts the world, runs the tests, ends both and returns the exit code. It
// is for TestMain.
func (w *World) Main(m *testing.M) int {
	code, err := w.run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "setting up:", err)
		return 1
	}
	return code
}

func (w *World) run(m *testing.M) (int, error) {
	ctrl.SetLogger(logr.Discard())
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "freshet-e2e-")
	if err != nil {
		return 0, fmt.Errorf("making a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary folder may stay
	if w.Program, err = program(ctx, dir); err != nil {
		return 0, err
	}
	w.Cluster, err = cluster.Start(ctx, cluster.Options{Log: os.Stderr, HPASyncPeriod: 2 * time.Second})
	if err != nil {
		return 0, err
	}
	defer func() {
		if err := w.Cluster.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping the cluster:", err)
		}
	}()
	if err := w.install(ctx, dir); err != nil {
		return 0, err
	}
	code := m.Run()
	if err := w.Freshet.Stop(); err != nil {
		return 1, err
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "freshet's log ends with:\n%s\n", w.Freshet.LogTail())
	}
	return code, nil
}

// program is $FRESHET, or built from the tree.
func program(ctx context.Context, dir string) (string, error) {
	if path := os.Getenv("FRESHET"); path != "" {
		return path, nil
	}
	path := filepath.Join(dir, "freshet")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "./cmd/freshet")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building freshet: %w: %s", err, out)
	}
	return path, nil
}

func (w *World) install(ctx context.Context, dir string) error {
	config, err := w.Cluster.RESTConfig()
	if err != nil {
		return err
	}
	if w.Client, err = local.NewClient(config); err != nil {
		return err
	}
	if w.Before != nil {
		if err := w.Before(ctx, w); err != nil {
			return err
		}
	}
	if err := local.Install(ctx, w.Cluster, filepath.Join(root, "config")); err != nil {
		return err
	}
	if w.Kubeconfig, err = w.Cluster.ServiceAccountKubeconfig(ctx, local.Namespace, "freshet"); err != nil {
		return err
	}
	w.Freshet, err = local.New(w.Program, w.Kubeconfig, filepath.Join(dir, "freshet.log"), w.Client)
	if err != nil {
		return err
	}
	w.Freshet.Args = w.Args
	if err := w.Freshet.Route(ctx); err != nil {
		return err
	}
	return w.Freshet.Start(ctx)
}
