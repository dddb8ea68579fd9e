// Package triggers holds the end-to-end tests of triggers that need a cluster
// around them: one world for all, one file for each family.
package triggers

import (
	"os"
	"testing"

	"github.com/freshet-io/freshet/e2e/suite"
)

// world is what all tests share.
var world suite.World

func TestMain(m *testing.M) { os.Exit(world.Main(m)) }
