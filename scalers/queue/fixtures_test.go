package queue_test

import (
	"testing"

	"github.com/freshet-io/freshet/scalers/scalertest"
)

func TestFixtures(t *testing.T) { scalertest.Fixtures(t, "testdata", scalertest.ReplayHTTP) }
