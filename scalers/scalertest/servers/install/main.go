// Command install installs the programs that package servers starts, unless
// they are there already: go run ./scalers/scalertest/servers/install redis-server.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // the signal's end matters to nobody any more
	}
}

func run(ctx context.Context, programs []string) error {
	for _, program := range programs {
		if err := servers.InstallProgram(ctx, os.Stderr, program); err != nil {
			return err
		}
	}
	return nil
}
