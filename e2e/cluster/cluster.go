package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Options says what cluster to start. The zero value is a useful one.
type Options struct {
	// Dir holds all of the cluster: certificates, data, logs, kubeconfigs. What
	// an earlier cluster left there is removed first. Empty means a temporary
	// folder that Stop removes.
	Dir string

	// Log gets lines of progress for people. Nil discards them.
	Log io.Writer

	// Nodes is how many nodes there are, each with room for 5,000 pods. Zero means 2.
	Nodes int

	// HPASyncPeriod is how often the HPA controller looks at each HPA. Zero means
	// 15s, as in any other cluster.
	HPASyncPeriod time.Duration

	// Detached lets the cluster outlive this process; Attach finds it again.
	// Otherwise it is killed when this process ends, however that happens.
	Detached bool
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Nodes == 0 {
		o.Nodes = 2
	}
	if o.HPASyncPeriod == 0 {
		o.HPASyncPeriod = 15 * time.Second
	}
	return o
}

// Cluster is a control plane that Start started. Its methods may be called from
// any goroutine.
type Cluster struct {
	dir      string
	programs string // their folder

	mu    sync.Mutex // held while the cluster starts and stops
	state state
}

// Start builds the programs where needed and starts a cluster. When it returns,
// the API server is ready, a pod could be scheduled to every node, and the
// default namespace has its ServiceAccount. ctx bounds the start alone: the
// cluster runs until Stop. On an error, also that of a canceled ctx, nothing
// that was started is left. A folder in which a cluster runs is an error that
// wraps [ErrRunning].
func Start(ctx context.Context, o Options) (*Cluster, error) {
	o = o.withDefaults()
	programs, err := Programs(ctx, o.Log)
	if err != nil {
		return nil, err
	}
	c, err := startOnFreePorts(ctx, o, programs)
	if errors.Is(err, errPortTaken) && ctx.Err() == nil {
		progress(o.Log, "starting again on other ports: %v\n", err)
		c, err = startOnFreePorts(ctx, o, programs)
	}
	if err != nil {
		return nil, fmt.Errorf("starting the control plane: %w", err)
	}
	return c, nil
}

func startOnFreePorts(ctx context.Context, o Options, programs string) (*Cluster, error) {
	p, err := choosePorts()
	if err != nil {
		return nil, err
	}
	return start(ctx, o, programs, p)
}

// start is one attempt to start a cluster. Its error wraps [errPortTaken] when
// another one may succeed.
func start(ctx context.Context, o Options, programs string, p ports) (*Cluster, error) {
	begin := time.Now()
	dir, unlock, err := openFolder(o.Dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	c := &Cluster{dir: dir, programs: programs, state: state{
		Programs: programs, Boot: bootID(), Starting: true, Temporary: o.Dir == "",
	}}
	err = c.launch(ctx, o, p)
	if err == nil {
		c.state.Starting = false
		err = writeState(dir, c.state)
	}
	if err != nil {
		return nil, errors.Join(err, c.end())
	}
	progress(o.Log, "Kubernetes %s answers at %s after %.1f s\n",
		KubernetesVersion, secureURL(c.state.Ports.APIServer), time.Since(begin).Seconds())
	return c, nil
}

// Attach returns the cluster in a folder that another process started, also one
// that has failed since: Check tells, and Stop ends what is left. Without a
// cluster the error wraps [ErrNoCluster].
func Attach(dir string) (*Cluster, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding the cluster's folder: %w", err)
	}
	s, err := readState(dir)
	if err != nil {
		return nil, err
	}
	if len(s.Processes) == 0 {
		return nil, fmt.Errorf("looking into %s: %w", dir, ErrNoCluster)
	}
	return &Cluster{dir: dir, programs: s.Programs, state: s}, nil
}

// Check returns nil when the cluster works: its start came to an end, all of its
// processes run and the API server is ready. Otherwise the error says what is wrong.
func (c *Cluster) Check(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.state.Processes) == 0 {
		return fmt.Errorf("looking into %s: %w", c.dir, ErrNoCluster)
	}
	if ends := c.earlyEnds(); len(ends) > 0 {
		return errors.Join(ends...)
	}
	if c.state.Starting {
		return errors.New("the start of the cluster was not finished")
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	return askReady(ctx, client)
}

// Stop ends every process of the cluster and returns when all are gone and their
// ports free. It may be called more than once, and then does nothing. The error
// names processes that had ended before, with the end of their logs: a test that
// passed on a broken cluster should fail.
func (c *Cluster) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.state.Processes) == 0 {
		return nil
	}
	return errors.Join(append(c.earlyEnds(), c.end())...)
}

// end stops what runs: clients before the servers they use. What does not end
// stays on the record, for another try.
func (c *Cluster) end() error {
	var errs []error
	for _, p := range slices.Backward(c.state.Processes) {
		if err := p.stop(); err != nil {
			errs = append(errs, err)
		}
	}
	c.state.Processes = slices.DeleteFunc(c.state.Processes, func(p *process) bool { return !p.running() })
	return errors.Join(append(errs, c.leaveFolder())...)
}

// leaveFolder removes a temporary folder and records in any other one what is left.
func (c *Cluster) leaveFolder() error {
	if c.state.Temporary && len(c.state.Processes) == 0 {
		if err := os.RemoveAll(c.dir); err != nil {
			return fmt.Errorf("removing the cluster's folder: %w", err)
		}
		return nil
	}
	return writeState(c.dir, c.state)
}

// Dir is the cluster's folder; logs are in logs/<program>.log below it.
func (c *Cluster) Dir() string { return c.dir }

// PIDs are the cluster's processes by the names of their programs.
func (c *Cluster) PIDs() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	pids := map[string]int{}
	for _, p := range c.state.Processes {
		pids[p.Name] = p.PID
	}
	return pids
}

// Kubeconfig is the path of the administrator's kubeconfig. It needs no other file.
func (c *Cluster) Kubeconfig() string { return kubeconfigPath(c.dir, admin) }
