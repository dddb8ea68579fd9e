package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// component is a program of the cluster and how it is started.
type component struct {
	name string // of the program, and of its log
	args []string
}

const (
	schedulerConfig = "scheduler.yaml"
	kwokConfig      = "kwok.yaml"
)

// Generous limits, so that what is measured in the cluster is not its own
// components' throttle.
const (
	componentQPS   = 400
	componentBurst = 800
)

// writeConfigs writes the configuration files of the components that want one.
func writeConfigs(dir string) error {
	kwokText, err := stages()
	if err != nil {
		return err
	}
	schedulerText := fmt.Sprintf(`apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection:
  kubeconfig: %q
  qps: %d
  burst: %d
leaderElection:
  leaderElect: false
`, kubeconfigPath(dir, scheduler), componentQPS, componentBurst)
	for name, text := range map[string]string{kwokConfig: kwokText, schedulerConfig: schedulerText} {
		if err := os.WriteFile(filepath.Join(dir, configDir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}

func etcdComponent(dir string, p ports) component {
	client, peer := secureURL(p.Etcd), secureURL(p.EtcdPeer)
	return component{"etcd", []string{
		"--name=freshet",
		"--data-dir=" + filepath.Join(dir, etcdDir),
		"--unsafe-no-fsync", // nothing here outlives the machine
		"--log-level=warn",
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=freshet=" + peer,
		"--client-cert-auth",
		"--trusted-ca-file=" + certPath(dir, caName),
		"--cert-file=" + certPath(dir, etcdName),
		"--key-file=" + keyPath(dir, etcdName),
		"--peer-client-cert-auth",
		"--peer-trusted-ca-file=" + certPath(dir, caName),
		"--peer-cert-file=" + certPath(dir, etcdName),
		"--peer-key-file=" + keyPath(dir, etcdName),
	}}
}

func apiServerComponent(dir string, p ports) component {
	args := append(serving(dir, p.APIServer),
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none", // a loopback address is refused as an endpoint
		"--service-cluster-ip-range=10.96.0.0/16",
		"--allow-privileged",

		"--etcd-servers="+secureURL(p.Etcd),
		"--etcd-cafile="+certPath(dir, caName),
		"--etcd-certfile="+certPath(dir, etcdClientName),
		"--etcd-keyfile="+keyPath(dir, etcdClientName),

		"--authorization-mode=Node,RBAC",
		"--client-ca-file="+certPath(dir, caName),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+keyPath(dir, serviceAccountName),
		"--service-account-signing-key-file="+keyPath(dir, serviceAccountName),

		// Aggregation: a request goes to the address of the APIService's Service
		// itself, which for ExternalName is any host, with the user in headers.
		"--enable-aggregator-routing=false",
		"--requestheader-client-ca-file="+certPath(dir, proxyCAName),
		"--requestheader-allowed-names="+proxyClientName,
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-uid-headers=X-Remote-Uid",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file="+certPath(dir, proxyClientName),
		"--proxy-client-key-file="+keyPath(dir, proxyClientName),
	)
	return component{"kube-apiserver", args}
}

func controllerManagerComponent(dir string, p ports, hpaSync time.Duration) component {
	args := append(serving(dir, p.ControllerManager), delegated(dir, controllerManager)...)
	return component{"kube-controller-manager", append(args,
		"--kubeconfig="+kubeconfigPath(dir, controllerManager),
		"--leader-elect=false",
		"--use-service-account-credentials",
		"--service-account-private-key-file="+keyPath(dir, serviceAccountName),
		"--root-ca-file="+certPath(dir, caName),
		fmt.Sprintf("--kube-api-qps=%d", componentQPS),
		fmt.Sprintf("--kube-api-burst=%d", componentBurst),

		"--horizontal-pod-autoscaler-sync-period="+hpaSync.String(),
		"--concurrent-deployment-syncs=20",
		"--concurrent-replicaset-syncs=20",
		"--concurrent-statefulset-syncs=20",
		"--concurrent-job-syncs=20",
		// A busy machine may delay kwok's heartbeats; its nodes are not to fail for it.
		"--node-monitor-grace-period=10m",
	)}
}

func schedulerComponent(dir string, p ports) component {
	args := append(serving(dir, p.Scheduler), delegated(dir, scheduler)...)
	return component{"kube-scheduler", append(args, "--config="+filepath.Join(dir, configDir, schedulerConfig))}
}

func kwokComponent(dir string) component {
	return component{"kwok", []string{
		"--kubeconfig=" + kubeconfigPath(dir, kwok),
		"--config=" + filepath.Join(dir, configDir, kwokConfig),
		"--manage-nodes-with-annotation-selector=" + nodeAnnotation + "=" + nodeAnnotationValue,
		"--node-ip=127.0.0.1",
		"--cidr=10.128.0.0/16",
	}}
}

// serving are the flags of a secure port on loopback.
func serving(dir string, port int) []string {
	return []string{
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", port),
		"--tls-cert-file=" + certPath(dir, servingName),
		"--tls-private-key-file=" + keyPath(dir, servingName),
	}
}

// delegated are the flags of a component that asks kube-apiserver who its
// clients are and what they may do.
func delegated(dir string, id identity) []string {
	path := kubeconfigPath(dir, id)
	return []string{"--authentication-kubeconfig=" + path, "--authorization-kubeconfig=" + path}
}

func certPath(dir, name string) string { return filepath.Join(dir, pkiDir, name+".crt") }

func keyPath(dir, name string) string { return filepath.Join(dir, pkiDir, name+".key") }
