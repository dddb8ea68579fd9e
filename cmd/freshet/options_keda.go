package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/pflag"
)

// idleFlags are flags of KEDA's programs that have nothing to do here. They are
// taken, so that arguments of before still start Freshet, and each says why.
var idleFlags = []struct{ name, preset, why string }{
	{"kube-api-qps", "20", "calls to the API server are not throttled here"},
	{"kube-api-burst", "30", "calls to the API server are not throttled here"},
	{"disable-compression", "true", "answers of the API server are compressed when it says so"},
	{"metrics-service-bind-address", "", "there is no service between the controllers and the metrics adapter: they are one program"},
	{"metrics-service-address", "", "there is no service between the controllers and the metrics adapter: they are one program"},
	{"metrics-service-grpc-authority", "", "there is no service between the controllers and the metrics adapter: they are one program"},
	{"operator-service-name", "", "there is no service between the controllers and the metrics adapter: they are one program"},
	{"metrics-server-service-name", "", "the certificate of external metrics is --tls-cert-file"},
	{"enable-apiservice-patching", "true", "no APIService is written"},
	{"cache-miss-to-direct-client", "false", "webhooks answer from indexes"},
	{"http-max-idle-conns", "0", "connections are kept for each source"},
	{"http-max-idle-conns-per-host", "1000", "connections are kept for each source"},
	{"http-idle-conn-timeout", "90s", "connections are kept for each source"},
	{"k8s-cluster-name", "", "it would name the source of CloudEvents, which are not sent"},
	{"msg", "", "the log begins with its own line"},
	{"v", "", "use --log-level"},
	{"logtostderr", "false", "logs go to standard error"},
	{"stderrthreshold", "", "use --log-level"},
	{"zap-devel", "false", "use --log-level and --log-format"},
	{"zap-stacktrace-level", "", "use --log-level and --log-format"},
	{"zap-time-encoding", "", "times are RFC 3339"},
}

// addKEDAFlags takes the flags that KEDA's users give beside Freshet's own.
func (o *options) addKEDAFlags(fs *pflag.FlagSet) {
	for _, f := range idleFlags {
		fs.String(f.name, f.preset, "no effect: "+f.why)
		_ = fs.MarkDeprecated(f.name, "it has no effect: "+f.why) // the flag exists
	}
	// Such flags are given without a value, too.
	for _, name := range []string{"disable-compression", "enable-apiservice-patching", "cache-miss-to-direct-client", "logtostderr", "zap-devel"} {
		fs.Lookup(name).NoOptDefVal = "true"
	}
	fs.BoolVar(&o.prometheus, "enable-prometheus-metrics", o.prometheus, "serve metrics on --metrics-bind-address")
	fs.Func("zap-log-level", "KEDA's name of --log-level: debug, info, error, or a number, of which all above 0 are debug", o.zapLevel)
	fs.Func("zap-encoder", "KEDA's name of --log-format: json or console", o.zapEncoder)
}

func (o *options) zapLevel(text string) error {
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		text = "debug"
	}
	o.logLevel = text
	return nil // validate tells of others
}

func (o *options) zapEncoder(text string) error {
	switch text {
	case "json":
		o.logFormat = "json"
	case "console":
		o.logFormat = "text"
	default:
		return fmt.Errorf("%q is neither json nor console", text)
	}
	return nil
}

// lease is how the leader is elected.
type lease struct {
	// life is how long others wait for a leader that is silent, renew how long the
	// leader tries to be heard before it gives up, and retry how often it tries.
	life, renew, retry time.Duration
}

// leaseFromEnv takes what concerns the election from the environment.
func (o *options) leaseFromEnv(getenv func(string) string) {
	o.lease = lease{life: 15 * time.Second, renew: 10 * time.Second, retry: 2 * time.Second}
	for _, v := range []struct {
		name string
		to   *time.Duration
	}{
		{"KEDA_OPERATOR_LEADER_ELECTION_LEASE_DURATION", &o.lease.life},
		{"KEDA_OPERATOR_LEADER_ELECTION_RENEW_DEADLINE", &o.lease.renew},
		{"KEDA_OPERATOR_LEADER_ELECTION_RETRY_PERIOD", &o.lease.retry},
	} {
		text := getenv(v.name)
		if text == "" {
			continue
		}
		d, err := time.ParseDuration(text)
		if err != nil {
			o.envFaults = append(o.envFaults, fmt.Errorf("environment variable %s is %q, which is not a duration such as 10s", v.name, text))
			continue
		}
		*v.to = d
	}
}

// validateLease adds the faults of what concerns the election.
func (o *options) validateLease(add func(format string, args ...any)) {
	const jitter = 1.2 // of the election's own
	l := o.lease
	if l.retry <= 0 || float64(l.renew) <= jitter*float64(l.retry) || l.life <= l.renew {
		add("the election has a lease of %s, a deadline of %s and tries every %s: the lease must be longer than the deadline, and that than 1.2 times the last",
			l.life, l.renew, l.retry)
	}
}
