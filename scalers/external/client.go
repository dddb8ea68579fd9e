package external

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/external/externalscaler"
)

// server is a scaler as one client.
type server struct {
	Address string
	UseTLS  bool
	TLS     conn.TLS
}

// String names the server.
func (s server) String() string { return "external scaler " + s.Address }

// client is the connection to a server: one to each of its addresses, which
// carries any number of calls and streams at the same time.
type client struct {
	externalscaler.ExternalScalerClient
	conn *grpc.ClientConn
	// noSpecs tells that the server does not stream metric specs.
	noSpecs atomic.Bool
}

const (
	// mostReply bounds one message of the server, mostHeader what goes with it.
	mostReply, mostHeader = 1 << 20, 64 << 10
	// The server is asked whether it lives after this time without a sign. Servers
	// cut clients off that ask more often than every five minutes.
	pingEvery, pingTimeout = 6 * time.Minute, 10 * time.Second
)

// Open prepares the client; the first call connects.
func (s server) Open(context.Context) (*client, error) {
	creds := insecure.NewCredentials()
	if s.UseTLS {
		config, err := s.TLS.Config()
		if err != nil {
			return nil, err
		}
		creds = credentials.NewTLS(config)
	}
	reconnect := backoff.DefaultConfig
	reconnect.MaxDelay = 10 * time.Second
	c, err := grpc.NewClient("dns:///"+s.Address,
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`),
		grpc.WithDisableServiceConfig(), // what is in the DNS changes nothing
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(mostReply)), grpc.WithMaxHeaderListSize(mostHeader),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: 5 * time.Second}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingEvery, Timeout: pingTimeout}),
		grpc.WithUserAgent("freshet"),
	)
	if err != nil {
		return nil, scalers.ConfigurationError("parameter scalerAddress: %w", err)
	}
	return &client{ExternalScalerClient: externalscaler.NewExternalScalerClient(c), conn: c}, nil
}

// Close ends all calls and streams. To close twice is as good.
func (c *client) Close() error {
	_ = c.conn.Close() // says only that it is closed already
	return nil
}
