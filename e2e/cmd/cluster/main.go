// Command cluster starts and stops a real Kubernetes control plane on this
// machine, for people: see package cluster for what it is.
//
//	cluster build
//	cluster up [-dir folder] [-hpa-sync 15s]
//	cluster status [-dir folder]
//	cluster down [-dir folder]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/freshet-io/freshet/e2e/cluster"
)

const usage = "usage: cluster build|up|down|status [-dir folder] [-hpa-sync 15s]"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster: "+oneLine(err))
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	cache, err := cluster.CacheDir()
	if err != nil {
		return err
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	dir := flags.String("dir", filepath.Join(cache, "cluster"), "")
	hpaSync := time.Duration(0)
	if args[0] == "up" {
		flags.DurationVar(&hpaSync, "hpa-sync", 0, "")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return fmt.Errorf("%w (%s)", err, usage)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected %q (%s)", flags.Arg(0), usage)
	}
	switch args[0] {
	case "build":
		_, err := cluster.Programs(ctx, out)
		return err
	case "up":
		return up(ctx, out, *dir, hpaSync)
	case "down":
		return down(out, *dir)
	case "status":
		return status(ctx, out, *dir)
	default:
		return fmt.Errorf("unknown command %q (%s)", args[0], usage)
	}
}

// up starts a cluster unless one works already. What is left of a broken one is
// ended first.
func up(ctx context.Context, out io.Writer, dir string, hpaSync time.Duration) error {
	c, err := cluster.Attach(dir)
	switch {
	case err == nil && c.Check(ctx) == nil:
		_, _ = fmt.Fprintln(out, "already up")
		return printUse(out, c)
	case err == nil:
		_, _ = fmt.Fprintln(out, "ending what is left of a broken cluster")
		_ = c.Stop() // what had failed is no news; what still runs makes Start fail
	case !errors.Is(err, cluster.ErrNoCluster):
		return err
	}
	c, err = cluster.Start(ctx, cluster.Options{Dir: dir, Log: out, HPASyncPeriod: hpaSync, Detached: true})
	if err != nil {
		return err
	}
	return printUse(out, c)
}

func down(out io.Writer, dir string) error {
	c, err := cluster.Attach(dir)
	if errors.Is(err, cluster.ErrNoCluster) {
		_, _ = fmt.Fprintln(out, "already down")
		return nil
	}
	if err != nil {
		return err
	}
	if err := c.Stop(); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(out, "down")
	return nil
}

// status fails unless the cluster works.
func status(ctx context.Context, out io.Writer, dir string) error {
	c, err := cluster.Attach(dir)
	if err != nil {
		return err
	}
	if err := c.Check(ctx); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(out, "up")
	return printUse(out, c)
}

func printUse(out io.Writer, c *cluster.Cluster) error {
	config, err := c.RESTConfig()
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, `
  API server  %s
  logs        %s
  kubectl     %s

  export KUBECONFIG=%s
`, config.Host, filepath.Join(c.Dir(), "logs"), c.KubectlPath(), c.Kubeconfig())
	return nil
}

// oneLine is what of an error fits a line: joined errors become a list.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' }), "; ")
}
