// Package scaledobject holds the end-to-end tests of ScaledObjects: a real
// control plane with the stock HPA controller, real Redis servers, and Freshet
// as a process with its own ServiceAccount's rights.
package scaledobject

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/freshet-io/freshet/e2e/suite"
)

// world is what all tests share.
var world = suite.World{Before: runWithoutCRDs}

// withoutCRDs is what freshet said on a cluster without its CRDs.
var withoutCRDs struct {
	output string
	err    error
}

func TestMain(m *testing.M) { os.Exit(world.Main(m)) }

func runWithoutCRDs(ctx context.Context, w *suite.World) error {
	out, err := exec.CommandContext(ctx, w.Program, "run", "--kubeconfig", w.Cluster.Kubeconfig()).CombinedOutput()
	withoutCRDs.output, withoutCRDs.err = string(out), err
	return nil
}
