package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/redis/go-redis/v9"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/freshet-io/freshet/e2e/cluster"
	"github.com/freshet-io/freshet/e2e/local"
	"github.com/freshet-io/freshet/scalers/scalertest/servers"
)

// Names in config/samples.
const (
	namespace     = "freshet-demo"
	workload      = "worker"
	list          = "orders"
	password      = "demo-password" //nolint:gosec // of a server that lives for minutes on loopback
	sampleAddress = "127.0.0.1:6379"
)

// stage is what the demo runs on. Its parts are torn down in reverse.
type stage struct {
	options
	local.Stage
	client  client.WithWatch
	kubectl string
	redis   *redis.Client
	freshet *local.Freshet
}

// setUp starts or finds everything, with a line for each step. The stage is
// never nil, so that what was started can be torn down after an error.
func setUp(ctx context.Context, o options) (*stage, error) {
	s := &stage{options: o}
	return s, local.SetUp(ctx,
		local.Step{Name: "control plane", Do: s.findCluster},
		local.Step{Name: "redis", Do: s.startRedis},
		local.Step{Name: "freshet", Do: s.startFreshet},
		local.Step{Name: "samples", Do: s.applySamples},
	)
}

func (s *stage) findCluster(ctx context.Context) error {
	programs, err := cluster.Programs(ctx, os.Stdout)
	if err != nil {
		return err
	}
	s.kubectl = filepath.Join(programs, "kubectl")
	if s.kubeconfig == "" {
		c, err := cluster.Start(ctx, cluster.Options{Log: os.Stdout})
		if err != nil {
			return err
		}
		s.Later(c.Stop)
		s.kubeconfig = c.Kubeconfig()
	} else {
		fmt.Printf("the one of KUBECONFIG=%s\n", s.kubeconfig)
	}
	config, err := s.restConfig()
	if err != nil {
		return err
	}
	s.client, err = local.NewClient(config)
	return err
}

func (s *stage) restConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading KUBECONFIG: %w", err)
	}
	return config, nil
}

// onThisMachine tells whether the API server is here, so that it reaches a
// process on a loopback address.
func (s *stage) onThisMachine() (bool, error) {
	config, err := s.restConfig()
	if err != nil {
		return false, err
	}
	u, err := url.Parse(config.Host)
	if err != nil {
		return false, fmt.Errorf("reading the API server's address: %w", err)
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback()), nil
}

func (s *stage) startRedis(ctx context.Context) error {
	if s.options.redis == "" {
		here, err := s.onThisMachine()
		if err != nil {
			return err
		}
		if !here {
			return errors.New("the cluster is not on this machine: name a Redis that both reach, with -redis host:port")
		}
		if err := servers.Install(ctx, os.Stdout, "redis-server", "redis-server"); err != nil {
			return err
		}
		server, err := servers.StartRedis(ctx, servers.RedisOptions{Password: password})
		if err != nil {
			return err
		}
		s.Later(server.Stop)
		s.options.redis = server.Addr()
	}
	s.redis = redis.NewClient(&redis.Options{Addr: s.options.redis, Password: password})
	s.Later(s.redis.Close)
	if err := s.redis.Del(ctx, list).Err(); err != nil {
		return fmt.Errorf("emptying list %s: %w", list, err)
	}
	fmt.Printf("redis-server listens on %s\n", s.options.redis)
	return nil
}

// startFreshet runs Freshet here, or makes sure that a cluster elsewhere has it.
func (s *stage) startFreshet(ctx context.Context) error {
	here, err := s.onThisMachine()
	if err != nil {
		return err
	}
	if !here {
		return s.checkInstalled(ctx)
	}
	if err := local.Install(ctx, s, s.config); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "freshet-demo-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	s.Later(func() error { return os.RemoveAll(dir) })
	config, err := s.restConfig()
	if err != nil {
		return err
	}
	own := filepath.Join(dir, "freshet.kubeconfig")
	if err := cluster.TokenKubeconfig(ctx, config, local.Namespace, "freshet", own); err != nil {
		return err
	}
	if s.freshet, err = local.New(s.program, own, filepath.Join(dir, "freshet.log"), s.client); err != nil {
		return err
	}
	if err := s.freshet.Route(ctx); err != nil {
		return err
	}
	s.Later(s.freshet.Stop)
	if err := s.freshet.Start(ctx); err != nil {
		return err
	}
	fmt.Printf("freshet runs as process %d, as ServiceAccount %s/freshet\n", s.freshet.PID(), local.Namespace)
	return nil
}

func (s *stage) checkInstalled(ctx context.Context) error {
	var api apiregistrationv1.APIService
	if err := s.client.Get(ctx, client.ObjectKey{Name: "v1beta1.external.metrics.k8s.io"}, &api); err != nil ||
		api.Spec.Service == nil || api.Spec.Service.Namespace != local.Namespace {
		return fmt.Errorf("it is not installed in this cluster: kubectl apply --server-side -k %s", filepath.Join(s.config, "default"))
	}
	return nil
}

// applySamples applies config/samples with the address of our Redis. Nothing is put
// into the list of the ScaledJob among them.
func (s *stage) applySamples(ctx context.Context) error {
	text, err := s.Kubectl(ctx, "kustomize", filepath.Join(s.config, "samples"))
	if err != nil {
		return err
	}
	cmd := s.command(ctx, "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(string(text), sampleAddress, s.options.redis))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("applying: %w: %s", err, out)
	}
	fmt.Print(string(out))
	s.Later(func() error { return s.removeSamples(context.WithoutCancel(ctx)) })
	return nil
}

// removeSamples deletes what applySamples applied: the ScaledObject first, while
// Freshet is there to let it go.
func (s *stage) removeSamples(ctx context.Context) error {
	if _, err := s.Kubectl(ctx, "delete", "--ignore-not-found", "--timeout=20s", "-n", namespace, "so", workload); err != nil {
		return err
	}
	_, err := s.Kubectl(ctx, "delete", "--ignore-not-found", "--wait=false", "namespace", namespace)
	return err
}

func (s *stage) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, s.kubectl, append([]string{"--kubeconfig", s.kubeconfig}, args...)...)
}

// Kubectl runs kubectl on the cluster.
func (s *stage) Kubectl(ctx context.Context, args ...string) ([]byte, error) {
	var stderr strings.Builder
	cmd := s.command(ctx, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("kubectl %s: %w: %s", args[0], err, stderr.String())
	}
	return out, nil
}

func (s *stage) logTail() string {
	if s.freshet == nil {
		return "(it runs in the cluster)"
	}
	return s.freshet.LogTail()
}
