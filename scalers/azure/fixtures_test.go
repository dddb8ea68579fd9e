package azure_test

import (
	"testing"

	"github.com/freshet-io/freshet/scalers/scalertest"
)

func TestQueueFixtures(t *testing.T) { scalertest.Fixtures(t, "testdata", scalertest.ReplayHTTP) }
