// Command benchfleet runs benchmarks/fleet on this machine: a control plane with
// the stock HPA controller, a Redis, Freshet with its own ServiceAccount's
// rights, and the constant server. All of them end with it. Arguments after --
// are those of the benchmark.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

// options say what to run.
type options struct {
	// bin has the programs freshet, fleet and constant.
	bin    string
	config string
	// args are the benchmark's command and flags.
	args []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	ctrl.SetLogger(logr.Discard())
	var o options
	flag.StringVar(&o.bin, "bin", "bin", "folder of the programs freshet, fleet and constant")
	flag.StringVar(&o.config, "config", "config", "folder of Freshet's manifests")
	flag.Parse()
	o.args = flag.Args()
	err := run(ctx, o)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case interrupted:
		fmt.Println("stopped; everything that was started is gone")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "benchfleet:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	if err := o.complete(); err != nil {
		return err
	}
	s, err := setUp(ctx, o)
	defer func() { err = errors.Join(err, s.TearDown()) }()
	if err != nil {
		return err
	}
	return s.benchmark(ctx)
}

// complete finds the programs and fills in what is left out.
func (o *options) complete() error {
	if len(o.args) == 0 {
		o.args = []string{"all"}
	}
	bin, err := filepath.Abs(o.bin)
	if err != nil {
		return fmt.Errorf("finding -bin: %w", err)
	}
	o.bin = bin
	for _, name := range []string{"freshet", "fleet", "constant"} {
		if _, err := os.Stat(o.program(name)); err != nil {
			return fmt.Errorf("-bin: %w: make bench-fleet builds it", err)
		}
	}
	return nil
}

func (o *options) program(name string) string { return filepath.Join(o.bin, name) }
