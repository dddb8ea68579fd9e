// Command fleet measures an autoscaler that serves keda.sh/v1alpha1 with many
// objects, from outside: it speaks to the Kubernetes API, to the adapter's port
// and to Redis, and looks at processes through /proc. So the same run measures
// any implementation.
//
// The files, in the order of a run:
//
//	options.go   the flags
//	bench.go     what all measures share
//	setup.go     objects, made and removed; objects.go is what they look like
//	ready.go     how long until all are looked after; requests.go is what that asks of the API server
//	steady.go    what it costs while nothing happens, and idle
//	reads.go     how fast metrics are read; conn.go is one connection of many
//	activate.go  how long from a push to replicas
//	faults.go    what broken sources do to the others, and a restart; proxy*.go break them
//	table.go     the figures beside the peer's and the targets; picture.go draws them
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() { // a second signal ends the process at once
		<-ctx.Done()
		stop()
	}()
	ctrllog.SetLogger(logr.Discard())
	err := rootCommand(os.Stdout).ExecuteContext(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "fleet: interrupted")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

// step is one command: what it does, and what it cannot do without.
type step struct {
	name, about string
	needs       []need
	do          func(*bench, context.Context) error
}

var steps = []step{
	{"setup", "Create the objects and fill their lists", []need{needRedis}, func(b *bench, ctx context.Context) error { return b.setUp(ctx, b.active()) }},
	{"ready", "Wait until each object has an HPA and is Ready", nil, func(b *bench, ctx context.Context) error { return b.ready(ctx, b.active(), b.began) }},
	{"begin", "Create the objects, wait until each is Ready, and tell what that cost the API server", []need{needRedis}, func(b *bench, ctx context.Context) error { return b.setUpAndWait(ctx, b.active()) }},
	{"steady", "Look at processes and Redis for a while", []need{needRedis}, (*bench).steady},
	{"reads", "Read external metrics as fast as it goes", []need{needReader}, func(b *bench, ctx context.Context) error { return b.reads(ctx, b.active()) }},
	{"activate", "Push to idle objects and wait for replicas (after: setup --idle, ready --idle)", []need{needRedis}, func(b *bench, ctx context.Context) error { return b.activate(ctx, b.idleSet()) }},
	{"idle", "Look at processes and Redis while all objects are idle (after: setup --idle, ready --idle)", []need{needRedis}, (*bench).idle},
	{"faults", "Set up objects on ten sources, break three, repair them, restart, tear down", []need{needRedis}, (*bench).faults},
	{"teardown", "Delete the objects", nil, func(b *bench, ctx context.Context) error { return b.tearDown(ctx, b.options.prefix) }},
	{"all", "All of the above, one after another, with a table, JSON and a picture", []need{needRedis}, (*bench).all},
}

func rootCommand(out io.Writer) *cobra.Command {
	o := defaultOptions()
	root := &cobra.Command{
		Use: "fleet", Short: "Measure an autoscaler of keda.sh/v1alpha1 with many objects",
		SilenceUsage: true, SilenceErrors: true,
	}
	o.addFlags(root.PersistentFlags())
	for _, s := range steps {
		root.AddCommand(&cobra.Command{
			Use: s.name, Short: s.about, Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return runStep(cmd.Context(), s, o, out) },
		})
	}
	return root
}

func runStep(ctx context.Context, s step, o *options, out io.Writer) (err error) {
	if err := o.validate(s.needs); err != nil {
		return err
	}
	b, err := newBench(ctx, o, out)
	if err != nil {
		return err
	}
	defer b.close()
	err = s.do(b, ctx)
	rows := tableOf(b.result)
	if len(rows) == 0 {
		return err
	}
	b.log("%s", "\n"+tableText(rows))
	if s.name != "all" || ctx.Err() != nil {
		return err
	}
	return errors.Join(err, b.save(rows))
}
