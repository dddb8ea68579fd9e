package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Options say what to start. The zero value is useful.
type Options struct {
	// Dir keeps the cluster's state: certificates, data, logs, kubeconfigs. ""
	// is a new temporary folder, which Stop removes.
	Dir string
	// Log is told of progress; nil discards it.
	Log io.Writer
	// Nodes is how many nodes kwok plays. Default 2.
	Nodes int
	// HPASyncPeriod is how often the HPA controller looks at each HPA. Default 15 s.
	HPASyncPeriod time.Duration
	// Detached lets the cluster outlive this process; Attach finds it again.
	Detached bool
}

// Cluster is a control plane that runs.
type Cluster struct {
	state
	temporary bool
}

// state is what Attach needs to know.
type state struct {
	Folder    string     `json:"-"`
	Server    string     `json:"server"`
	Programs  string     `json:"programs"`
	Processes []*process `json:"processes"`
}

const stateFile = "cluster.json"

// startLimit bounds how long a start may take once the programs are built.
const startLimit = 90 * time.Second

// Start builds the programs if need be and starts a control plane. It returns
// when the API answers, the nodes are ready and ServiceAccounts are made. On an
// error, and when ctx ends meanwhile, nothing is left running. A second try is
// made when a port was taken in between.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Nodes == 0 {
		o.Nodes = 2
	}
	if o.HPASyncPeriod == 0 {
		o.HPASyncPeriod = 15 * time.Second
	}
	programs, err := Programs(ctx, o.Log)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	c, err := start(ctx, o, programs)
	var taken *portTakenError
	if errors.As(err, &taken) {
		c, err = start(ctx, o, programs)
	}
	return c, err
}

func start(ctx context.Context, o Options, programs string) (*Cluster, error) {
	began := time.Now()
	c := &Cluster{state: state{Folder: o.Dir, Programs: programs}, temporary: o.Dir == ""}
	if c.temporary {
		dir, err := os.MkdirTemp("", "freshet-cluster-")
		if err != nil {
			return nil, fmt.Errorf("making a folder for the cluster: %w", err)
		}
		c.Folder = dir
	}
	if err := c.bringUp(ctx, o); err != nil {
		return nil, errors.Join(c.explain(err), c.Stop())
	}
	if err := c.save(); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	fmt.Fprintf(o.Log, "control plane %s is up after %.1f s\n", kubernetesVersion, time.Since(began).Seconds())
	return c, nil
}

// Attach returns the cluster that a detached Start left running in dir.
func Attach(dir string) (*Cluster, error) {
	text, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return nil, fmt.Errorf("finding a cluster: %w", err)
	}
	c := &Cluster{state: state{Folder: dir}}
	if err := json.Unmarshal(text, &c.state); err != nil {
		return nil, fmt.Errorf("reading the state of the cluster: %w", err)
	}
	for _, p := range c.Processes {
		if !p.running() {
			return c, fmt.Errorf("the cluster in %s is not whole: %s ended", dir, p.Name)
		}
	}
	return c, nil
}

func (c *Cluster) save() error {
	text, err := json.MarshalIndent(c.state, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the state of the cluster: %w", err)
	}
	if err := os.WriteFile(filepath.Join(c.Folder, stateFile), text, 0o600); err != nil {
		return fmt.Errorf("writing the state of the cluster: %w", err)
	}
	return nil
}

// Stop ends all processes of the cluster, last started first, and returns when
// they are gone. It may be called again.
func (c *Cluster) Stop() error {
	var errs []error
	for _, p := range slices.Backward(c.Processes) {
		errs = append(errs, p.stop(3*time.Second))
	}
	c.Processes = nil
	if c.temporary {
		errs = append(errs, os.RemoveAll(c.Folder))
	} else if err := os.Remove(filepath.Join(c.Folder, stateFile)); err != nil && !os.IsNotExist(err) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// explain adds the end of the log of a process that ended early.
func (c *Cluster) explain(err error) error {
	for _, p := range c.Processes {
		if p.running() {
			continue
		}
		text, _ := os.ReadFile(logFile(c.Folder, p.Name)) // as far as there is one
		if portTaken(text) {
			return &portTakenError{p.Name}
		}
		return fmt.Errorf("%w; the log of %s ends with: %s", err, p.Name, tail(text, 1500))
	}
	return err
}

// Dir is the folder of the cluster's state; its logs are below logs.
func (c *Cluster) Dir() string { return c.Folder }

// Kubeconfig is the file with the administrator's credentials.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.Folder, "admin.kubeconfig") }

// RESTConfig is the administrator's, without a client-side throttle.
func (c *Cluster) RESTConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("reading the administrator's kubeconfig: %w", err)
	}
	config.QPS = -1
	return config, nil
}

func (c *Cluster) clientset() (*kubernetes.Clientset, error) {
	config, err := c.RESTConfig()
	if err != nil {
		return nil, err
	}
	set, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return set, nil
}

// Kubectl runs kubectl as the administrator and returns what it prints. The
// error holds what it says on standard error.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(c.Programs, "kubectl"), append([]string{"--kubeconfig", c.Kubeconfig()}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("running kubectl %v: %w", args, withStderr(err))
	}
	return out, nil
}
