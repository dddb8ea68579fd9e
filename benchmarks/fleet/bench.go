package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/redis/go-redis/v9"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kedav1alpha1 "github.com/freshet-io/freshet/apis/keda/v1alpha1"
)

// bench is what all measures share.
type bench struct {
	options *options
	config  *rest.Config
	client  client.WithWatch
	redis   *redis.Client
	out     io.Writer
	began   time.Time
	result  *result
}

func newBench(ctx context.Context, o *options, out io.Writer) (*bench, error) {
	b := &bench{options: o, out: out, began: time.Now()}
	b.result = &result{Date: b.began.UTC().Format(time.RFC3339), Commit: o.commit, Settings: settingsOf(o), Machine: machineOf()}
	var err error
	if b.config, err = clientcmd.BuildConfigFromFlags("", o.kubeconfig); err != nil {
		return nil, fmt.Errorf("reading --kubeconfig: %w", err)
	}
	b.config.QPS = -1
	b.config.UserAgent = clientName
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, kedav1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("making a scheme: %w", err)
		}
	}
	if b.client, err = client.NewWithWatch(b.config, client.Options{Scheme: scheme}); err != nil {
		return nil, fmt.Errorf("reaching the cluster at %s: %w", b.config.Host, err)
	}
	if o.redis != "" {
		if b.redis, err = newRedis(ctx, o.redis); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *bench) close() {
	if b.redis != nil {
		_ = b.redis.Close()
	}
}

// log prints a line for people, with the time since the beginning.
func (b *bench) log(format string, args ...any) {
	fmt.Fprintf(b.out, "%6.1fs  %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}

// call runs f with the deadline of one call.
func call(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	return f(ctx)
}

// pause waits, or returns ctx's error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// all measures everything and removes what it made, also when it is interrupted.
// What cannot be measured does not keep the rest from it.
func (b *bench) all(ctx context.Context) (err error) {
	active, idle := b.active(), b.idleSet()
	idle.prefix += "-idle"
	defer func() { err = errors.Join(err, b.leave(ctx, active.prefix, idle.prefix)) }()
	for _, do := range []func(context.Context) error{
		func(ctx context.Context) error { return b.setUpAndWait(ctx, active) },
		func(ctx context.Context) error { return b.waitScaled(ctx, active) },
		b.steady,
		func(ctx context.Context) error { return b.reads(ctx, active) },
		func(ctx context.Context) error { return b.tearDown(ctx, active.prefix) },
		func(ctx context.Context) error { return b.setUp(ctx, idle) },
		func(ctx context.Context) error { return b.waitReady(ctx, idle) },
		b.idle,
		func(ctx context.Context) error { return b.activate(ctx, idle) },
		func(ctx context.Context) error { return b.tearDown(ctx, idle.prefix) },
		b.faults,
	} {
		if failed := do(ctx); failed != nil {
			b.log("NOT MEASURED: %v", failed)
			err = errors.Join(err, failed)
		}
		if ctx.Err() != nil {
			return err
		}
	}
	return err
}

// leave removes what an interrupted run made, unless it may stay.
func (b *bench) leave(ctx context.Context, prefixes ...string) error {
	if ctx.Err() != nil && b.options.keep {
		return nil
	}
	var errs []error
	for _, prefix := range prefixes {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
		errs = append(errs, b.tearDown(ctx, prefix))
		cancel()
	}
	return errors.Join(errs...)
}
