package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/freshet-io/freshet/e2e/cluster"
	"github.com/freshet-io/freshet/e2e/local"
	"github.com/freshet-io/freshet/scalers/scalertest/child"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// stage is what the benchmark runs on. Its parts are torn down in reverse.
type stage struct {
	options
	local.Stage
	dir         string
	cluster     *cluster.Cluster
	client      client.WithWatch
	redis       *servers.Redis
	kubeconfig  string // Freshet's
	freshet     *local.Freshet
	profiling   string // address
	constant    *exec.Cmd
	constantAt  string // address
	readerToken string // file
}

// setUp starts everything, with a line for each step. The stage is never nil, so
// that what was started can be torn down after an error.
func setUp(ctx context.Context, o options) (*stage, error) {
	s := &stage{options: o}
	return s, local.SetUp(ctx,
		local.Step{Name: "control plane", Do: s.startCluster},
		local.Step{Name: "redis", Do: s.startRedis},
		local.Step{Name: "reader", Do: s.makeReader},
		local.Step{Name: "freshet", Do: s.startFreshet},
		local.Step{Name: "constant server", Do: s.startConstant},
	)
}

func (s *stage) startCluster(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "freshet-benchfleet-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	s.dir = dir
	s.Later(func() error { return os.RemoveAll(dir) })
	if s.cluster, err = cluster.Start(ctx, cluster.Options{Log: os.Stdout}); err != nil {
		return err
	}
	s.Later(s.cluster.Stop)
	config, err := s.cluster.RESTConfig()
	if err != nil {
		return err
	}
	if s.client, err = local.NewClient(config); err != nil {
		return err
	}
	return local.Install(ctx, s.cluster, s.config)
}

func (s *stage) startRedis(ctx context.Context) error {
	if err := servers.Install(ctx, os.Stdout, "redis-server", "redis-server"); err != nil {
		return err
	}
	var err error
	if s.redis, err = servers.StartRedis(ctx, servers.RedisOptions{}); err != nil {
		return err
	}
	s.Later(s.redis.Stop)
	return nil
}

// startFreshet starts Freshet and keeps it running: one that ends is started
// again, as in a cluster.
func (s *stage) startFreshet(ctx context.Context) error {
	var err error
	if s.kubeconfig, err = s.cluster.ServiceAccountKubeconfig(ctx, local.Namespace, "freshet"); err != nil {
		return err
	}
	port, err := cluster.FreePort()
	if err != nil {
		return err
	}
	s.profiling = "127.0.0.1:" + strconv.Itoa(port)
	if s.freshet, err = local.New(s.program("freshet"), s.kubeconfig, filepath.Join(s.dir, "freshet.log"), s.client); err != nil {
		return err
	}
	s.freshet.Args = []string{"--profiling-bind-address", s.profiling}
	if err := s.freshet.Route(ctx); err != nil {
		return err
	}
	if err := s.freshet.Start(ctx); err != nil {
		return errors.Join(err, s.freshet.Stop())
	}
	if err := s.writePID(); err != nil {
		return errors.Join(err, s.freshet.Stop())
	}
	s.Later(s.keepRunning(context.WithoutCancel(ctx)))
	fmt.Printf("freshet runs as process %d, as ServiceAccount %s/freshet\n", s.freshet.PID(), local.Namespace)
	return nil
}

// keepRunning starts Freshet again whenever it ends, until what it returns is called.
func (s *stage) keepRunning(ctx context.Context) func() error {
	ctx, cancel := context.WithCancel(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() {
		for {
			select {
			case <-s.freshet.Exited():
			case <-ctx.Done():
				return
			}
			if err := errors.Join(s.freshet.Start(ctx), s.writePID()); err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "starting freshet again:", err)
				return
			}
		}
	})
	return func() error {
		cancel()
		keeper.Wait()
		return s.freshet.Stop()
	}
}

func (s *stage) pidFile() string { return filepath.Join(s.dir, "freshet.pid") }

func (s *stage) writePID() error {
	if err := os.WriteFile(s.pidFile(), []byte(strconv.Itoa(s.freshet.PID())), 0o600); err != nil {
		return fmt.Errorf("writing the process's number: %w", err)
	}
	return nil
}

// startConstant starts the constant server with Freshet's rights.
func (s *stage) startConstant(_ context.Context) error {
	port, err := cluster.FreePort()
	if err != nil {
		return err
	}
	s.constantAt = "127.0.0.1:" + strconv.Itoa(port)
	log, err := os.Create(filepath.Join(s.dir, "constant.log"))
	if err != nil {
		return fmt.Errorf("making its log: %w", err)
	}
	defer func() { _ = log.Close() }()
	//nolint:noctx // it is ended below
	s.constant = exec.Command(s.program("constant"), "--kubeconfig", s.kubeconfig, "--secure-port", strconv.Itoa(port))
	s.constant.Stdout, s.constant.Stderr = log, log
	exited, err := child.Start(s.constant)
	if err != nil {
		return fmt.Errorf("starting it: %w", err)
	}
	s.Later(func() error { return end(s.constant, exited) })
	return nil
}

// end asks a process to end, and kills it when it does not.
func end(cmd *exec.Cmd, exited <-chan struct{}) error {
	_ = cmd.Process.Signal(syscall.SIGTERM) // gone meanwhile is as good
	select {
	case <-exited:
	case <-time.After(20 * time.Second):
		_ = cmd.Process.Kill()
		<-exited
	}
	return nil
}

// benchmark runs the benchmark until it, or ctx, ends.
func (s *stage) benchmark(ctx context.Context) error {
	var beside []string
	for name, pid := range s.cluster.PIDs() {
		beside = append(beside, fmt.Sprintf("%s=%d", name, pid))
	}
	args := append([]string{
		s.args[0],
		"--kubeconfig", s.cluster.Kubeconfig(), "--redis", s.redis.Addr(), "--pid-file", s.pidFile(),
		"--adapter", strings.TrimPrefix(s.freshet.AdapterURL(), "https://"), "--token-file", s.readerToken,
		"--constant", s.constantAt, "--constant-pid", strconv.Itoa(s.constant.Process.Pid),
		"--self-metrics", s.freshet.MetricsURL(), "--profiles", "http://" + s.profiling + "/debug/pprof",
		"--beside", strings.Join(beside, ","), "--keep",
		// What is asked to end is started again here.
		"--restart-command", fmt.Sprintf("pid=$(cat %s); kill -TERM $pid; while kill -0 $pid 2>/dev/null; do sleep 0.02; done", s.pidFile()),
	}, s.args[1:]...)
	//nolint:noctx // it is ended below
	cmd := exec.Command(s.program("fleet"), args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	exited, err := child.Start(cmd)
	if err != nil {
		return fmt.Errorf("starting the benchmark: %w", err)
	}
	select {
	case <-exited:
	case <-ctx.Done():
		return errors.Join(ctx.Err(), end(cmd, exited))
	}
	if !cmd.ProcessState.Success() {
		return fmt.Errorf("the benchmark ended badly (%s); freshet's log ends with:\n%s", cmd.ProcessState, s.freshet.LogTail())
	}
	return nil
}
