package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
)

// options are the flags. All commands have all of them.
type options struct {
	kubeconfig, namespace, prefix string
	objects, items                int
	interval                      time.Duration
	idleObjects                   bool

	redis, triggerRedis string
	pids                []int
	pidFile             string
	beside              map[string]int

	adapter, token, tokenFile string
	constant                  string
	constantPID               int

	window, settle, readFor time.Duration
	activations             int
	patience                time.Duration
	faultInterval           time.Duration
	restartCommand          string
	selfMetrics, profiles   string

	results, commit string
	keep            bool
}

// targetItems is how many items one replica handles, and most replicas the upper
// bound of every object.
const (
	targetItems  = 5
	mostReplicas = 3
)

func defaultOptions() *options {
	return &options{
		kubeconfig: os.Getenv("KUBECONFIG"), namespace: "bench", prefix: "q", objects: 1000, items: 7, interval: 30 * time.Second,
		redis: "127.0.0.1:6379", window: time.Minute, settle: 30 * time.Second, readFor: 10 * time.Second, activations: 10,
		patience: 10 * time.Minute, faultInterval: 5 * time.Second, results: "benchmarks/results",
	}
}

func (o *options) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.kubeconfig, "kubeconfig", o.kubeconfig, "file that says how to reach the cluster (KUBECONFIG)")
	fs.StringVar(&o.namespace, "namespace", o.namespace, "namespace of the objects; made when it is missing")
	fs.StringVar(&o.prefix, "prefix", o.prefix, "beginning of the objects' names, which keeps sets apart")
	fs.IntVar(&o.objects, "objects", o.objects, "number of objects")
	fs.IntVar(&o.items, "items", o.items, "items in each list of an object that is not idle; 5 are one replica's")
	fs.DurationVar(&o.interval, "interval", o.interval, "pollingInterval of the objects, in whole seconds")
	fs.BoolVar(&o.idleObjects, "idle", false, "setup, ready: objects with an empty list and no replicas")
	fs.StringVar(&o.redis, "redis", o.redis, "address of a Redis without a password")
	fs.StringVar(&o.triggerRedis, "trigger-redis", "", "address of the same Redis as triggers are to name it; default: that of --redis")
	fs.IntSliceVar(&o.pids, "pids", nil, "processes to measure, added up")
	fs.StringVar(&o.pidFile, "pid-file", "", "file with the numbers of the processes to measure, read anew after a restart")
	fs.StringToIntVar(&o.beside, "beside", nil, "other processes to show the CPU of, as name=pid,…")
	fs.StringVar(&o.adapter, "adapter", "", "host:port that serves external metrics; without, nothing is read directly")
	fs.StringVar(&o.token, "token", "", "bearer token of one who may read external metrics")
	fs.StringVar(&o.tokenFile, "token-file", "", "file with that token")
	fs.StringVar(&o.constant, "constant", "", "host:port of benchmarks/constant, to compare with")
	fs.IntVar(&o.constantPID, "constant-pid", 0, "its process")
	fs.DurationVar(&o.window, "window", o.window, "how long CPU, memory and Redis are looked at")
	fs.DurationVar(&o.settle, "settle", o.settle, "pause before that, so that what came before is over")
	fs.DurationVar(&o.readFor, "read-for", o.readFor, "how long metrics are read for each number of connections")
	fs.IntVar(&o.activations, "activations", o.activations, "idle objects that are pushed to")
	fs.DurationVar(&o.patience, "patience", o.patience, "how long to wait for what should happen")
	fs.DurationVar(&o.faultInterval, "fault-interval", o.faultInterval, "pollingInterval of the objects on broken and healthy sources")
	fs.StringVar(&o.restartCommand, "restart-command", "", "shell command that ends the measured processes, returns when they are gone, and has them started again")
	fs.StringVar(&o.selfMetrics, "self-metrics", "", "URL of the measured process's Prometheus metrics, to show what it says of its own lateness")
	fs.StringVar(&o.profiles, "profiles", "", "URL of its /debug/pprof, to keep a CPU and a heap profile of the steady state")
	fs.StringVar(&o.results, "results", o.results, "all: folder for JSON and the picture")
	fs.StringVar(&o.commit, "commit", "", "all: commit of what is measured, for the names of the results")
	fs.BoolVar(&o.keep, "keep", false, "all, faults: leave the last objects when interrupted, since their cluster ends too")
}

// need is something that a command cannot do without.
type need int

const (
	needRedis need = iota
	needReader
)

// validate returns every fault of the options, each in a sentence.
func (o *options) validate(needs []need) error {
	var faults []error
	add := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if o.kubeconfig == "" {
		add("--kubeconfig is missing, and KUBECONFIG is not set")
	} else if _, err := os.Stat(o.kubeconfig); err != nil {
		add("--kubeconfig: %w", err)
	}
	for flag, name := range map[string]string{"--namespace": o.namespace, "--prefix": o.prefix} {
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			add("%s is %q: %s", flag, name, problems[0])
		}
	}
	for flag, n := range map[string]int{"--objects": o.objects, "--items": o.items, "--activations": o.activations} {
		if n < 1 {
			add("%s is %d, and at least 1 is needed", flag, n)
		}
	}
	if o.objects >= 1 && o.activations > o.objects {
		add("--activations is %d, more than the %d of --objects", o.activations, o.objects)
	}
	for flag, d := range map[string]time.Duration{"--interval": o.interval, "--fault-interval": o.faultInterval} {
		if d < time.Second || d%time.Second != 0 {
			add("%s is %s, which is not a whole number of seconds above 0", flag, d)
		}
	}
	for flag, d := range map[string]time.Duration{"--window": o.window, "--read-for": o.readFor, "--patience": o.patience} {
		if d < time.Second {
			add("%s is %s, and at least 1s is needed", flag, d)
		}
	}
	for _, n := range needs {
		if n == needRedis && o.redis == "" {
			add("--redis is missing")
		}
		if n == needReader && o.adapter == "" {
			add("--adapter is missing: which port serves external metrics?")
		}
	}
	o.validateAddresses(add)
	return errors.Join(faults...)
}

func (o *options) validateAddresses(add func(string, ...any)) {
	for flag, address := range map[string]string{"--redis": o.redis, "--trigger-redis": o.triggerRedis, "--adapter": o.adapter, "--constant": o.constant} {
		if address == "" {
			continue
		}
		if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
			add("%s is %q, which is not of the form host:port", flag, address)
		}
	}
	for flag, address := range map[string]string{"--self-metrics": o.selfMetrics, "--profiles": o.profiles} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Host == "") {
			add("%s is %q, which is not a URL", flag, address)
		}
	}
	if (o.adapter != "" || o.constant != "") && o.token == "" && o.tokenFile == "" {
		add("--token or --token-file is missing: an adapter asks who reads")
	}
	if o.token != "" && o.tokenFile != "" {
		add("--token and --token-file are two of the same: give one")
	}
	if len(o.pids) > 0 && o.pidFile != "" {
		add("--pids and --pid-file are two of the same: give one")
	} else if _, err := o.measured(); err != nil {
		add("%w", err)
	}
	if _, err := o.bearer(); err != nil {
		add("%w", err)
	}
}

// measured are the processes to measure, as of now.
func (o *options) measured() ([]int, error) {
	if o.pidFile == "" {
		return o.pids, nil
	}
	text, err := os.ReadFile(o.pidFile)
	if err != nil {
		return nil, fmt.Errorf("reading --pid-file: %w", err)
	}
	var pids []int
	for _, field := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("reading --pid-file %s: %q is not a number", o.pidFile, field)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// bearer is the token to read metrics with.
func (o *options) bearer() (string, error) {
	if o.tokenFile == "" {
		return o.token, nil
	}
	text, err := os.ReadFile(o.tokenFile)
	if err != nil {
		return "", fmt.Errorf("reading --token-file: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// redisForTriggers is the address that objects name.
func (o *options) redisForTriggers() string {
	if o.triggerRedis != "" {
		return o.triggerRedis
	}
	return o.redis
}
