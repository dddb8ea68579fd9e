package local

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/freshet-io/freshet/e2e/cluster"
	"github.com/freshet-io/freshet/scalers/scalertest/child"
)

// Freshet is the program as a process. Its ports stay the same over restarts.
type Freshet struct {
	// Args are further arguments of `freshet run`, for the next Start.
	Args []string

	program    string
	kubeconfig string
	logFile    string
	admin      client.Client
	adapter    int
	metrics    int
	probes     int
	routed     bool

	cmd    *exec.Cmd
	exited <-chan struct{}
}

// New prepares a process of program that reaches the cluster by kubeconfig, the
// ServiceAccount's, and logs to logFile. admin is for [Freshet.Route].
func New(program, kubeconfig, logFile string, admin client.Client) (*Freshet, error) {
	ports, err := cluster.FreePorts(3)
	if err != nil {
		return nil, err
	}
	return &Freshet{
		program: program, kubeconfig: kubeconfig, logFile: logFile, admin: admin,
		adapter: ports[0], metrics: ports[1], probes: ports[2],
	}, nil
}

// Route has the API server send external metrics queries to this process. A
// Start then waits until it does.
func (f *Freshet) Route(ctx context.Context) error {
	f.routed = true
	return RouteTo(ctx, f.admin, int32(f.adapter), true)
}

// Start starts the process and returns when it is ready and, if it is routed
// to, the API server reaches it.
func (f *Freshet) Start(ctx context.Context) error {
	log, err := os.OpenFile(f.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	defer func() { _ = log.Close() }()
	//nolint:noctx // the process outlives the call
	f.cmd = exec.Command(f.program, append([]string{
		"run",
		"--kubeconfig", f.kubeconfig, "--namespace", Namespace,
		"--bind-address", "127.0.0.1", "--secure-port", strconv.Itoa(f.adapter),
		"--metrics-bind-address", f.address(f.metrics), "--health-probe-bind-address", f.address(f.probes),
	}, f.Args...)...)
	f.cmd.Stdout, f.cmd.Stderr = log, log
	if f.exited, err = child.Start(f.cmd); err != nil {
		return fmt.Errorf("starting freshet: %w", err)
	}
	return f.waitReady(ctx)
}

func (f *Freshet) address(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// waitReady waits for the probe and for the API server's word.
func (f *Freshet) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if f.ready(ctx) {
			return nil
		}
		select {
		case <-f.exited:
			return fmt.Errorf("freshet ended: %s", f.LogTail())
		case <-ctx.Done():
			return fmt.Errorf("waiting for freshet to be ready: %w: %s", ctx.Err(), f.LogTail())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (f *Freshet) ready(ctx context.Context) bool {
	if _, err := f.get(ctx, f.probes, "/readyz"); err != nil {
		return false
	}
	if !f.routed {
		return true
	}
	return !slices.ContainsFunc(apis, func(gv schema.GroupVersion) bool { return !f.available(ctx, serviceName(gv)) })
}

// available tells whether the API server says that it reaches an API.
func (f *Freshet) available(ctx context.Context, name string) bool {
	var api apiregistrationv1.APIService
	if err := f.admin.Get(ctx, client.ObjectKey{Name: name}, &api); err != nil {
		return false
	}
	return slices.ContainsFunc(api.Status.Conditions, func(c apiregistrationv1.APIServiceCondition) bool {
		return c.Type == apiregistrationv1.Available && c.Status == apiregistrationv1.ConditionTrue
	})
}

// Metrics returns what the process says of itself, in Prometheus' text format.
func (f *Freshet) Metrics(ctx context.Context) (string, error) {
	return f.get(ctx, f.metrics, "/metrics")
}

func (f *Freshet) get(ctx context.Context, port int, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+f.address(port)+path, nil)
	if err != nil {
		return "", fmt.Errorf("asking %s: %w", path, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("asking %s: %w", path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return body.String(), fmt.Errorf("asking %s: %s: %s", path, resp.Status, body.String())
	}
	return body.String(), nil
}

// PID is the process's number.
func (f *Freshet) PID() int { return f.cmd.Process.Pid }

// Exited is closed when the process ended.
func (f *Freshet) Exited() <-chan struct{} { return f.exited }

// Stop asks the process to end and waits until it has. It fails when the
// process does not end well.
func (f *Freshet) Stop() error { return f.end(syscall.SIGTERM) }

// Kill ends the process as a crash would.
func (f *Freshet) Kill() error { return f.end(syscall.SIGKILL) }

func (f *Freshet) end(signal syscall.Signal) error {
	if f.cmd == nil || f.cmd.Process == nil {
		return nil
	}
	select {
	case <-f.exited:
		return nil
	default:
	}
	_ = f.cmd.Process.Signal(signal) // gone meanwhile is as good
	select {
	case <-f.exited:
	case <-time.After(40 * time.Second):
		_ = f.cmd.Process.Kill()
		<-f.exited
		return fmt.Errorf("freshet did not end: %s", f.LogTail())
	}
	if signal == syscall.SIGTERM && !f.cmd.ProcessState.Success() {
		return fmt.Errorf("freshet ended badly (%s): %s", f.cmd.ProcessState, f.LogTail())
	}
	return nil
}

// Log is what all processes logged so far.
func (f *Freshet) Log() (string, error) {
	text, err := os.ReadFile(f.logFile)
	return string(text), err
}

// LogTail is the end of the log.
func (f *Freshet) LogTail() string {
	text, err := f.Log()
	if err != nil {
		return err.Error()
	}
	const most = 2000
	return text[max(0, len(text)-most):]
}

// AdapterURL is where the process serves external metrics.
func (f *Freshet) AdapterURL() string { return "https://" + f.address(f.adapter) }

// MetricsURL is where the process serves what it says of itself.
func (f *Freshet) MetricsURL() string { return "http://" + f.address(f.metrics) + "/metrics" }
