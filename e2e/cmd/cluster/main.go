// Command cluster starts and stops a real Kubernetes control plane on this
// machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/freshet-io/freshet/e2e/cluster"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	cache, err := cluster.CacheDir()
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return errors.New("say what to do: up, down or status")
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	dir := flags.String("dir", filepath.Join(cache, "cluster"), "folder of the cluster's state")
	sync := flags.Duration("hpa-sync", 15*time.Second, "how often the HPA controller looks at each HPA")
	if err := flags.Parse(args[1:]); err != nil {
		return fmt.Errorf("reading flags: %w", err)
	}
	switch args[0] {
	case "up":
		return up(ctx, *dir, *sync)
	case "down":
		return down(*dir)
	case "status":
		c, err := cluster.Attach(*dir)
		if err != nil {
			return err
		}
		use(c)
		return nil
	default:
		return fmt.Errorf("%q is not known: say up, down or status", args[0])
	}
}

func up(ctx context.Context, dir string, sync time.Duration) error {
	if c, err := cluster.Attach(dir); err == nil {
		fmt.Println("the cluster is up already")
		use(c)
		return nil
	} else if c != nil { // part of it ended
		if err := c.Stop(); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("clearing %s: %w", dir, err)
	}
	c, err := cluster.Start(ctx, cluster.Options{Dir: dir, Log: os.Stdout, HPASyncPeriod: sync, Detached: true})
	if err != nil {
		return err
	}
	use(c)
	return nil
}

func use(c *cluster.Cluster) {
	fmt.Printf("use it with:   export KUBECONFIG=%s\n", c.Kubeconfig())
	fmt.Printf("kubectl is at: %s\n", filepath.Join(c.Programs, "kubectl"))
}

func down(dir string) error {
	c, err := cluster.Attach(dir)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Println("no cluster is up")
		return nil
	}
	if c == nil {
		return err
	}
	if err := c.Stop(); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing %s: %w", dir, err)
	}
	fmt.Println("the cluster is down")
	return nil
}
