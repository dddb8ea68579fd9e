package scalertest

import (
	"os"
	"testing"

	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// RabbitMQ starts a server that ends with the test. Where rabbitmq-server is not
// installed the test is skipped or, in CI, fails.
func RabbitMQ(t testing.TB, o servers.RabbitMQOptions) *servers.RabbitMQ {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	r, err := servers.StartRabbitMQ(t.Context(), o)
	switch {
	case servers.IsNotInstalled(err) && os.Getenv("CI") == "":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}
