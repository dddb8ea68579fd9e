package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	pollInterval = 50 * time.Millisecond
	startLimit   = 3 * time.Minute // far more than a slow machine needs

	nodeAnnotation      = "kwok.x-k8s.io/node"
	nodeAnnotationValue = "fake"
)

// errPortTaken says that somebody took a port between its choice and its use.
var errPortTaken = errors.New("a port was taken meanwhile")

// launch starts everything in the cluster's empty folder, on ports, and returns
// when a pod could run. What it started is in the cluster's state, also on an error.
func (c *Cluster) launch(ctx context.Context, o Options, p ports) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	c.state.Ports = p
	if err := c.writeFiles(); err != nil {
		return err
	}
	if err := c.run(etcdComponent(c.dir, p), o.Detached); err != nil {
		return err
	}
	// When kube-apiserver does not reach etcd at once it tries again a second later.
	if err := c.waitServing(ctx, "etcd", p.Etcd); err != nil {
		return err
	}
	if err := c.run(apiServerComponent(c.dir, p), o.Detached); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	if err := c.poll(ctx, "kube-apiserver", func(ctx context.Context) error { return askReady(ctx, client) }); err != nil {
		return err
	}
	for _, component := range []component{
		controllerManagerComponent(c.dir, p, o.HPASyncPeriod), schedulerComponent(c.dir, p), kwokComponent(c.dir),
	} {
		if err := c.run(component, o.Detached); err != nil {
			return err
		}
	}
	if err := c.waitUsable(ctx, client, o.Nodes); err != nil {
		return err
	}
	return c.waitServing(ctx, "kube-scheduler", p.Scheduler)
}

// writeFiles writes every file that the components read.
func (c *Cluster) writeFiles() error {
	if err := writeCerts(filepath.Join(c.dir, pkiDir)); err != nil {
		return err
	}
	if err := writeKubeconfigs(c.dir, secureURL(c.state.Ports.APIServer)); err != nil {
		return err
	}
	return writeConfigs(c.dir)
}

// run starts a component and records it, so that it is found should this
// process end now.
func (c *Cluster) run(component component, detached bool) error {
	p, err := startProcess(c.dir, filepath.Join(c.programs, component.name), component, detached)
	if err != nil {
		return err
	}
	c.state.Processes = append(c.state.Processes, p)
	return writeState(c.dir, c.state)
}

// waitServing waits until a component says that it is ready.
func (c *Cluster) waitServing(ctx context.Context, name string, port int) error {
	client, err := componentClient(c.dir)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	return c.poll(ctx, name, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, secureURL(port)+"/readyz", nil)
		if err != nil {
			return fmt.Errorf("asking %s: %w", name, err)
		}
		response, err := client.Do(request)
		if err != nil {
			return fmt.Errorf("asking %s: %w", name, err)
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusOK {
			text, _ := io.ReadAll(response.Body)
			return fmt.Errorf("asking %s: %s: %s", name, response.Status, tail(text))
		}
		return nil
	})
}

// componentClient is a client that etcd lets in and that knows the components'
// certificates, so that it is them who answer.
func componentClient(dir string) (*http.Client, error) {
	pair, err := tls.LoadX509KeyPair(certPath(dir, etcdClientName), keyPath(dir, etcdClientName))
	if err != nil {
		return nil, fmt.Errorf("reading a client certificate: %w", err)
	}
	ca, err := os.ReadFile(certPath(dir, caName))
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's authority: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
	}}, nil
}

// waitUsable creates the nodes and waits until a pod could run on each of them.
func (c *Cluster) waitUsable(ctx context.Context, client kubernetes.Interface, nodes int) error {
	for i := range nodes {
		if _, err := client.CoreV1().Nodes().Create(ctx, newNode(i), metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating a node: %w", err)
		}
	}
	if err := c.poll(ctx, "the nodes", func(ctx context.Context) error {
		list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("listing nodes: %w", err)
		}
		for _, n := range list.Items {
			if !schedulable(n) {
				return fmt.Errorf("node %s is not ready", n.Name)
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return c.poll(ctx, "the default ServiceAccount", func(ctx context.Context) error {
		if _, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{}); err != nil {
			return fmt.Errorf("reading it: %w", err)
		}
		return nil
	})
}

// newNode is a node that kwok takes care of, large enough for any test.
func newNode(i int) *corev1.Node {
	name := fmt.Sprintf("kwok-%d", i)
	size := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("1000"),
		corev1.ResourceMemory: resource.MustParse("4Ti"),
		corev1.ResourcePods:   resource.MustParse("5000"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Annotations: map[string]string{nodeAnnotation: nodeAnnotationValue},
			Labels: map[string]string{
				corev1.LabelHostname:   name,
				corev1.LabelOSStable:   "linux",
				corev1.LabelArchStable: "amd64",
				"type":                 "kwok",
			},
		},
		Status: corev1.NodeStatus{Capacity: size, Allocatable: size},
	}
}

// schedulable tells whether a node is Ready and the taint of the time before is gone.
func schedulable(n corev1.Node) bool {
	ready := slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
	return ready && len(n.Spec.Taints) == 0
}

// askReady is nil when kube-apiserver says that it can serve everything.
func askReady(ctx context.Context, client kubernetes.Interface) error {
	if err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error(); err != nil {
		return fmt.Errorf("asking kube-apiserver whether it is ready: %w", err)
	}
	return nil
}

// poll asks until check succeeds. It gives up when ctx ends or a process of the
// cluster does: then the error tells why.
func (c *Cluster) poll(ctx context.Context, what string, check func(context.Context) error) error {
	for {
		once, cancel := context.WithTimeout(ctx, 2*time.Second)
		last := check(once)
		cancel()
		if last == nil {
			return nil
		}
		if err := errors.Join(c.earlyEnds()...); err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w (last answer: %w)", what, ctx.Err(), last)
		case <-time.After(pollInterval):
		}
	}
}

// earlyEnds are the processes that ended though nobody stopped them, with the
// end of their logs.
func (c *Cluster) earlyEnds() []error {
	var ends []error
	for _, p := range c.state.Processes {
		if p.running() {
			continue
		}
		text := p.logTail(c.dir)
		if strings.Contains(text, "address already in use") {
			ends = append(ends, fmt.Errorf("%s ended: %w", p.Name, errPortTaken))
		} else {
			ends = append(ends, fmt.Errorf("%s ended early: %s", p.Name, text))
		}
	}
	return ends
}
