package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// portTakenError means that another program took a port after it was found free.
type portTakenError struct{ program string }

// Error names the program that could not listen.
func (e *portTakenError) Error() string { return e.program + " found its port taken" }

func portTaken(log []byte) bool { return bytes.Contains(log, []byte("address already in use")) }

// bringUp starts all programs and waits until they work together.
func (c *Cluster) bringUp(ctx context.Context, o Options) error {
	for _, sub := range []string{"logs", "etcd", "pki"} {
		if err := os.MkdirAll(filepath.Join(c.Folder, sub), 0o700); err != nil {
			return fmt.Errorf("making folders: %w", err)
		}
	}
	if err := makeCerts(c.Folder); err != nil {
		return err
	}
	ports, err := FreePorts(5)
	if err != nil {
		return err
	}
	etcd := fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	c.Server = fmt.Sprintf("https://127.0.0.1:%d", ports[2])
	if err := c.writeKubeconfigs(); err != nil {
		return err
	}
	if err := c.run("etcd", o.Detached, etcdArgs(c.Folder, etcd, ports[1])...); err != nil {
		return err
	}
	if err := poll(ctx, "etcd", c.Processes, healthy(etcd+"/health")); err != nil {
		return err
	}
	if err := c.run("kube-apiserver", o.Detached, apiserverArgs(c.Folder, etcd, ports[2])...); err != nil {
		return err
	}
	if err := c.waitReady(ctx); err != nil {
		return err
	}
	for _, p := range []struct {
		name string
		args []string
	}{
		{"kube-controller-manager", controllerManagerArgs(c.Folder, ports[3], o.HPASyncPeriod)},
		{"kube-scheduler", schedulerArgs(c.Folder, ports[4])},
	} {
		if err := c.run(p.name, o.Detached, p.args...); err != nil {
			return err
		}
	}
	if err := c.startKwok(ctx, o); err != nil {
		return err
	}
	return c.waitServiceAccount(ctx)
}

func (c *Cluster) run(name string, detached bool, args ...string) error {
	p, err := startProcess(c.Folder, filepath.Join(c.Programs, name), name, detached, args...)
	if err != nil {
		return err
	}
	c.Processes = append(c.Processes, p)
	return nil
}

func etcdArgs(dir, url string, peerPort int) []string {
	peer := fmt.Sprintf("http://127.0.0.1:%d", peerPort)
	return []string{
		"--data-dir=" + filepath.Join(dir, "etcd"), "--name=local",
		"--listen-client-urls=" + url, "--advertise-client-urls=" + url,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=local=" + peer,
		"--unsafe-no-fsync", "--log-level=warn", // nothing here has to survive a crash of the machine
	}
}

func apiserverArgs(dir, etcd string, port int) []string {
	pki := func(name string) string { return filepath.Join(dir, "pki", name) }
	return []string{
		"--etcd-servers=" + etcd,
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
		"--endpoint-reconciler-type=none", // a loopback address is refused otherwise
		"--service-cluster-ip-range=10.0.0.0/16",
		"--tls-cert-file=" + pki("apiserver.crt"), "--tls-private-key-file=" + pki("apiserver.key"),
		"--client-ca-file=" + pki("ca.crt"),
		"--authorization-mode=Node,RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + pki("sa.pub"), "--service-account-signing-key-file=" + pki("sa.key"),
		"--requestheader-client-ca-file=" + filepath.Join(dir, proxyCACert),
		"--requestheader-allowed-names=" + proxyName,
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + pki(proxyName+".crt"), "--proxy-client-key-file=" + pki(proxyName+".key"),
		"--enable-aggregator-routing=false", // an adapter is reached through a Service of type ExternalName
		"--profiling=false",
	}
}

func controllerManagerArgs(dir string, port int, hpaSync time.Duration) []string {
	pki := func(name string) string { return filepath.Join(dir, "pki", name) }
	config := kubeconfigPath(dir, "controller-manager")
	return []string{
		"--kubeconfig=" + config, "--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
		"--leader-elect=false",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + pki("sa.key"), "--root-ca-file=" + pki("ca.crt"),
		"--horizontal-pod-autoscaler-sync-period=" + hpaSync.String(),
		"--horizontal-pod-autoscaler-initial-readiness-delay=0s",
		"--kube-api-qps=400", "--kube-api-burst=800",
		"--concurrent-deployment-syncs=20", "--concurrent-replicaset-syncs=20", "--concurrent-gc-syncs=20",
		"--profiling=false",
	}
}

func schedulerArgs(dir string, port int) []string {
	config := kubeconfigPath(dir, "scheduler")
	return []string{
		"--kubeconfig=" + config, "--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
		"--leader-elect=false", "--kube-api-qps=400", "--kube-api-burst=800", "--profiling=false",
	}
}

// healthy asks a plain HTTP address.
func healthy(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return fmt.Errorf("asking %s: %w", url, err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("asking %s: %w", url, err)
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("asking %s: %s", url, resp.Status)
		}
		return nil
	}
}

func (c *Cluster) waitReady(ctx context.Context) error {
	set, err := c.clientset()
	if err != nil {
		return err
	}
	return poll(ctx, "the API server", c.Processes, func(ctx context.Context) error {
		return set.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
}

// waitServiceAccount waits until the controllers of the control plane work, as
// a ServiceAccount that they make shows.
func (c *Cluster) waitServiceAccount(ctx context.Context) error {
	set, err := c.clientset()
	if err != nil {
		return err
	}
	return poll(ctx, "ServiceAccounts", c.Processes, func(ctx context.Context) error {
		_, err := set.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return errors.New("not made yet")
		}
		return err
	})
}
