// Command demo shows the main job on real parts: a control plane with the stock
// HPA controller, a Redis with a list of orders, Freshet, and the objects of
// config/samples. Orders come in, the workload goes from zero to what they need,
// and when they are done, back to zero.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/go-logr/logr"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctrl.SetLogger(logr.Discard())
	var o options
	flag.StringVar(&o.program, "freshet", "", "the freshet program")
	flag.StringVar(&o.config, "config", "config", "folder of Freshet's manifests")
	flag.StringVar(&o.redis, "redis", "", "address of a Redis that this machine and the cluster reach; default: one is started here")
	flag.BoolVar(&o.keep, "keep", false, "keep everything running at the end, until Ctrl-C")
	flag.Parse()
	o.kubeconfig = os.Getenv("KUBECONFIG")
	err := run(ctx, o)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case errors.Is(err, context.Canceled) && interrupted:
		fmt.Println("stopped; everything that was started is gone")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// options say what to run on what.
type options struct {
	program, config, redis, kubeconfig string
	keep                               bool
}

// limit bounds the demo once everything is up.
const limit = 3 * time.Minute

func run(ctx context.Context, o options) (err error) {
	s, err := setUp(ctx, o)
	defer func() { err = errors.Join(err, s.TearDown()) }()
	if err != nil {
		return err
	}
	fmt.Printf("\nlook around meanwhile: export KUBECONFIG=%s\n", s.kubeconfig)
	fmt.Printf("                       %s -n %s get so,hpa,deploy,events\n\n", s.kubectl, namespace)
	show, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := s.show(show); err != nil {
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return fmt.Errorf("the workload did not go from zero to zero within %s; freshet's log ends with:\n%s", limit, s.logTail())
		}
		return err
	}
	if o.keep {
		fmt.Println("everything keeps running: Ctrl-C ends it")
		<-ctx.Done()
	}
	return nil
}
