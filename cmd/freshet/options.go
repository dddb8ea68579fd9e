package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/pflag"
)

// options are the flags of `freshet run`.
type options struct {
	kubeconfig       string
	metricsAddress   string
	prometheus       bool
	probeAddress     string
	profilingAddress string
	adapterAddress   string
	adapterPort      int
	certFile         string
	keyFile          string
	clientCAFile     string
	leaderElect      bool
	leaderElectionID string
	namespace        string
	clusterNamespace string
	restrictSecrets  bool
	authFiles        string
	tokenLife        time.Duration
	sourceTimeout    time.Duration
	workers          int
	jobWorkers       int
	logLevel         string
	logFormat        string

	// authorities, tls and keepAlive are of connections to sources; serviceTLS is of
	// Freshet's own servers.
	authorities []string
	tls         tlsOptions
	keepAlive   bool
	serviceTLS  tlsOptions

	watch        watchOptions
	certificates certificateOptions
	webhooks     webhookOptions
	lease        lease

	// envFaults are variables of the environment that cannot be read, and idle those
	// that are set and have no effect.
	envFaults []error
	idle      []string
}

// newOptions takes defaults from the environment, which KEDA's users set.
func newOptions(getenv func(string) string) *options {
	o := &options{
		prometheus: true, namespace: "keda", sourceTimeout: 3 * time.Second, workers: 16, jobWorkers: 16, tokenLife: time.Hour,
	}
	if ns := getenv("POD_NAMESPACE"); ns != "" {
		o.namespace = ns
	}
	o.watchFromEnv(getenv)
	if ms := o.envInt(getenv, "KEDA_HTTP_DEFAULT_TIMEOUT"); ms != 0 {
		o.sourceTimeout = time.Duration(ms) * time.Millisecond
	}
	if n := o.envInt(getenv, "KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES"); n != 0 {
		o.workers = n
	}
	if n := o.envInt(getenv, "KEDA_SCALEDJOB_CTRL_MAX_RECONCILES"); n != 0 {
		o.jobWorkers = n
	}
	o.authFromEnv(getenv)
	o.tlsFromEnv(getenv)
	o.leaseFromEnv(getenv)
	o.idleFromEnv(getenv)
	return o
}

// metricsAt is the address of metrics; 0 is none.
func (o *options) metricsAt() string {
	if !o.prometheus {
		return "0"
	}
	return o.metricsAddress
}

// envInt reads a positive integer; 0 when the variable is unset or wrong.
func (o *options) envInt(getenv func(string) string, name string) int {
	text := getenv(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		o.envFaults = append(o.envFaults, fmt.Errorf("environment variable %s is %q, which is not a positive integer", name, text))
		return 0
	}
	return n
}

// envBool reads whether something is asked for; false when the variable is unset or
// wrong.
func (o *options) envBool(getenv func(string) string, name string) bool {
	text := getenv(name)
	if text == "" {
		return false
	}
	yes, err := strconv.ParseBool(text)
	if err != nil {
		o.envFaults = append(o.envFaults, fmt.Errorf("environment variable %s is %q: use true or false", name, text))
	}
	return yes
}

func (o *options) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.kubeconfig, "kubeconfig", os.Getenv("KUBECONFIG"), "file that says how to reach the cluster; default: the cluster this process runs in")
	fs.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "address of Prometheus metrics; 0 serves none")
	fs.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz")
	fs.StringVar(&o.profilingAddress, "profiling-bind-address", "", "address of /debug/pprof; default: not served")
	fs.StringVar(&o.adapterAddress, "bind-address", "0.0.0.0", "address that external metrics are served on")
	fs.IntVar(&o.adapterPort, "secure-port", 6443, "port that external metrics are served on, with TLS")
	fs.StringVar(&o.certFile, "tls-cert-file", "", "PEM certificate to serve external metrics with; default: the one of --enable-cert-rotation")
	fs.StringVar(&o.keyFile, "tls-private-key-file", "", "PEM key of --tls-cert-file")
	fs.StringVar(&o.clientCAFile, "client-ca-file", "", "PEM authorities of the certificates that callers of external metrics may show; default: those that the cluster names")
	fs.BoolVar(&o.leaderElect, "leader-elect", true, "let one replica decide while all serve metrics")
	fs.StringVar(&o.leaderElectionID, "leader-election-id", "operator.keda.sh", "name of the Lease that the leader holds")
	fs.StringVar(&o.namespace, "namespace", o.namespace, "Freshet's own namespace, of the Lease (POD_NAMESPACE)")
	o.addWatchFlags(fs)
	o.addAuthFlags(fs)
	o.addTLSFlags(fs)
	o.addCertificateFlags(fs)
	o.addWebhookFlags(fs)
	o.addKEDAFlags(fs)
	fs.DurationVar(&o.sourceTimeout, "source-timeout", o.sourceTimeout, "deadline of each call to a trigger's source (KEDA_HTTP_DEFAULT_TIMEOUT, in milliseconds)")
	fs.IntVar(&o.workers, "workers", o.workers, "ScaledObjects that are reconciled at a time (KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES)")
	fs.IntVar(&o.jobWorkers, "job-workers", o.jobWorkers, "ScaledJobs that are reconciled at a time (KEDA_SCALEDJOB_CTRL_MAX_RECONCILES)")
	fs.StringVar(&o.logLevel, "log-level", "info", "least level that is logged: debug, info, warn or error")
	fs.StringVar(&o.logFormat, "log-format", "json", "format of logs on standard error: json or text")
}

// validate returns every fault of the options.
func (o *options) validate() error {
	faults := slices.Clone(o.envFaults)
	add := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if o.kubeconfig != "" {
		if _, err := os.Stat(o.kubeconfig); err != nil {
			add("--kubeconfig: %w", err)
		}
	}
	checkAddress := func(flag, address string) {
		if address == "0" {
			return
		}
		_, port, err := net.SplitHostPort(address)
		if n, errPort := strconv.Atoi(port); err != nil || errPort != nil || n < 0 || n > 65535 {
			add("%s is %q, which is not of the form host:port", flag, address)
		}
	}
	checkAddress("--metrics-bind-address", o.metricsAddress)
	checkAddress("--health-probe-bind-address", o.probeAddress)
	if o.profilingAddress != "" {
		checkAddress("--profiling-bind-address", o.profilingAddress)
	}
	if net.ParseIP(o.adapterAddress) == nil {
		add("--bind-address is %q, which is not an IP address", o.adapterAddress)
	}
	if o.adapterPort < 1 || o.adapterPort > 65535 {
		add("--secure-port is %d, which is not between 1 and 65535", o.adapterPort)
	}
	if (o.certFile == "") != (o.keyFile == "") {
		add("--tls-cert-file and --tls-private-key-file go together: one of them is missing")
	}
	o.validateWatch(add)
	o.validateAuth(add)
	o.validateTLS(add)
	o.validateCertificates(add)
	o.validateWebhooks(add)
	o.validateLease(add)
	if o.sourceTimeout <= 0 {
		add("--source-timeout is %s: every call needs a deadline above 0", o.sourceTimeout)
	}
	if o.workers < 1 {
		add("--workers is %d, and at least 1 is needed", o.workers)
	}
	if o.jobWorkers < 1 {
		add("--job-workers is %d, and at least 1 is needed", o.jobWorkers)
	}
	if _, err := logLevel(o.logLevel); err != nil {
		add("--log-level is %q: use debug, info, warn or error", o.logLevel)
	}
	if o.logFormat != "json" && o.logFormat != "text" {
		add("--log-format is %q: use json or text", o.logFormat)
	}
	return errors.Join(faults...)
}
