// Package scaledjob holds the end-to-end tests of ScaledJobs: a real control plane
// with the stock Job controller, a real Redis, and workers that take items from it.
package scaledjob

import (
	"os"
	"testing"

	"github.com/freshet-io/freshet/e2e/suite"
)

// world is what all tests share. Freshet does not wait for the lease of one that was
// killed.
var world = suite.World{Args: []string{"--leader-elect=false"}}

func TestMain(m *testing.M) { os.Exit(world.Main(m)) }
