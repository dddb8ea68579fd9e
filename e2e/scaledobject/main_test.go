// Package scaledobject holds the end-to-end tests of ScaledObjects: a real
// control plane with the stock HPA controller, real Redis servers, and Freshet
// as a process with its own ServiceAccount's rights.
package scaledobject

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

// world is what all tests share.
var world struct {
	cluster *cluster.Cluster
	client  client.WithWatch
	freshet *local.Freshet
	// program and kubeconfig are how freshet is run.
	program, kubeconfig string
	// withoutCRDs is what freshet said on a cluster without its CRDs.
	withoutCRDs struct {
		output string
		err    error
	}
}

const configDir = "../../config"

func TestMain(m *testing.M) {
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "setting up:", err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (int, error) {
	ctrl.SetLogger(logr.Discard())
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "freshet-e2e-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if world.program, err = program(ctx, dir); err != nil {
		return 0, err
	}
	world.cluster, err = cluster.Start(ctx, cluster.Options{Log: os.Stderr, HPASyncPeriod: 2 * time.Second})
	if err != nil {
		return 0, err
	}
	defer func() {
		if err := world.cluster.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping the cluster:", err)
		}
	}()
	if err := install(ctx, dir); err != nil {
		return 0, err
	}
	code := m.Run()
	if err := world.freshet.Stop(); err != nil {
		return 1, err
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "freshet's log ends with:\n%s\n", world.freshet.LogTail())
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
	cmd.Dir = "../.."
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building freshet: %w: %s", err, out)
	}
	return path, nil
}

func install(ctx context.Context, dir string) error {
	config, err := world.cluster.RESTConfig()
	if err != nil {
		return err
	}
	scheme, err := local.NewScheme()
	if err != nil {
		return err
	}
	if world.client, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, world.program, "run", "--kubeconfig", world.cluster.Kubeconfig()).CombinedOutput()
	world.withoutCRDs.output, world.withoutCRDs.err = string(out), err
	if err := local.Install(ctx, world.cluster, configDir); err != nil {
		return err
	}
	if world.kubeconfig, err = world.cluster.ServiceAccountKubeconfig(ctx, local.Namespace, "freshet"); err != nil {
		return err
	}
	world.freshet, err = local.New(world.program, world.kubeconfig, filepath.Join(dir, "freshet.log"), world.client)
	if err != nil {
		return err
	}
	if err := world.freshet.Route(ctx); err != nil {
		return err
	}
	return world.freshet.Start(ctx)
}
