package external

import (
	"context"

	"github.com/freshet-io/freshet/scalers"
)

// atOnce is how many triggers of one scaler are read at the same time.
const atOnce = 8

func init() {
	scalers.Register(scalers.Kind[*client, *Scaler]{
		Types: []string{"external"}, Category: "external", Since: "0.1.0", Label: "externalScaler",
		Example: map[string]string{"scalerAddress": "orders-scaler.default.svc:9090", "queue": "orders"},
		Named:   true, OpenMetadata: true, Parallel: atOnce,
	})
}

// Scaler scales on the metrics of a gRPC server that you run, which is asked for
// their names, targets and values at each poll. It scales to and from zero on
// what the server says of being active. The protocol is that of
// scalers/external/externalscaler/externalscaler.proto.
type Scaler struct {
	// The server to ask.
	Server
}

// Read asks for the metrics that there are, and for their values.
func (s *Scaler) Read(ctx context.Context, c *client) (scalers.Value, error) {
	return s.read(ctx, c, nil)
}
