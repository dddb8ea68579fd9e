package main

import (
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
)

var unexported = cmp.AllowUnexported(options{}, tlsOptions{}, watchOptions{}, certificateOptions{}, webhookOptions{}, lease{})

// parse makes options of an environment and of flags.
func parse(t *testing.T, env map[string]string, args ...string) *options {
	t.Helper()
	t.Setenv("KUBECONFIG", env["KUBECONFIG"])
	o := newOptions(func(name string) string { return env[name] })
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	o.addFlags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return o
}

// faultsOf are the texts of the faults that validate finds.
func faultsOf(o *options) []string {
	err := o.validate()
	if err == nil {
		return nil
	}
	var all interface{ Unwrap() []error }
	if !errors.As(err, &all) {
		return []string{err.Error()}
	}
	var faults []string
	for _, fault := range all.Unwrap() {
		faults = append(faults, fault.Error())
	}
	return faults
}

func TestOptionsDefaults(t *testing.T) {
	o := parse(t, nil)
	if faults := faultsOf(o); faults != nil {
		t.Errorf("the defaults have faults: %q", faults)
	}
	want := options{
		metricsAddress: ":8080", prometheus: true, probeAddress: ":8081", adapterAddress: "0.0.0.0", adapterPort: 6443,
		leaderElect: true, leaderElectionID: "operator.keda.sh", namespace: "keda",
		sourceTimeout: 3 * time.Second, workers: 16, jobWorkers: 16, tokenLife: time.Hour, logLevel: "info", logFormat: "json",
		authorities: []string{"/custom/ca"}, tls: tlsOptions{min: tls.VersionTLS12}, serviceTLS: tlsOptions{min: tls.VersionTLS12}, keepAlive: true,
		lease: lease{life: 15 * time.Second, renew: 10 * time.Second, retry: 2 * time.Second},
		certificates: certificateOptions{
			rotate: true, secret: "kedaorg-certs", dir: "/certs", life: 2160 * time.Hour,
			service: "freshet", domain: "cluster.local", patch: true,
		},
		webhooks: webhookOptions{configuration: "keda-admission", patch: true, service: "keda-admission-webhooks"},
	}
	if diff := cmp.Diff(want, *o, unexported); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
}

func TestOptionsFromTheEnvironment(t *testing.T) {
	cases := []struct {
		reason string
		env    map[string]string
		args   []string
		want   func(*options)
		faults []string
	}{
		{
			reason: "what KEDA's users set",
			env: map[string]string{
				"POD_NAMESPACE": "scaling", "WATCH_NAMESPACE": "shop, lab,,", "KEDA_HTTP_DEFAULT_TIMEOUT": "1500",
				"KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES": "4", "KEDA_CLUSTER_OBJECT_NAMESPACE": "keys", "KEDA_RESTRICT_SECRET_ACCESS": "true",
				"KEDA_BOUND_SERVICE_ACCOUNT_TOKEN_EXPIRY": "90m", "KEDA_SCALEDJOB_CTRL_MAX_RECONCILES": "2",
			},
			want: func(o *options) {
				o.namespace, o.watch.namespaces, o.clusterNamespace = "scaling", []string{"shop", "lab"}, "keys"
				o.sourceTimeout, o.workers, o.jobWorkers, o.restrictSecrets, o.tokenLife = 1500*time.Millisecond, 4, 2, true, 90*time.Minute
			},
		},
		{
			reason: "a flag counts for more",
			env: map[string]string{
				"POD_NAMESPACE": "scaling", "WATCH_NAMESPACE": "shop", "KEDA_HTTP_DEFAULT_TIMEOUT": "1500",
				"KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES": "4", "KEDA_CLUSTER_OBJECT_NAMESPACE": "keys", "KEDA_RESTRICT_SECRET_ACCESS": "true",
				"KEDA_BOUND_SERVICE_ACCOUNT_TOKEN_EXPIRY": "90m", "KEDA_SCALEDJOB_CTRL_MAX_RECONCILES": "2",
			},
			args: []string{
				"--namespace=mine", "--watch-namespaces=a,b", "--source-timeout=2s", "--workers=9", "--job-workers=8",
				"--cluster-object-namespace=all", "--restrict-secret-access=false", "--bound-token-expiry=2h",
			},
			want: func(o *options) {
				o.namespace, o.watch.namespaces, o.clusterNamespace = "mine", []string{"a", "b"}, "all"
				o.sourceTimeout, o.workers, o.jobWorkers, o.tokenLife = 2*time.Second, 9, 8, 2*time.Hour
			},
		},
		{
			reason: "blanks are no namespaces: all are watched",
			env:    map[string]string{"WATCH_NAMESPACE": " , "},
			want:   func(*options) {},
		},
		{
			reason: "what is no number is a fault, and the default stays",
			env:    map[string]string{"KEDA_HTTP_DEFAULT_TIMEOUT": "3s", "KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES": "many"},
			want:   func(*options) {},
			faults: []string{
				`environment variable KEDA_HTTP_DEFAULT_TIMEOUT is "3s", which is not a positive integer`,
				`environment variable KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES is "many", which is not a positive integer`,
			},
		},
		{
			reason: "so is what is not yes or no, and what is no duration",
			env:    map[string]string{"KEDA_RESTRICT_SECRET_ACCESS": "yes", "KEDA_BOUND_SERVICE_ACCOUNT_TOKEN_EXPIRY": "1"},
			want:   func(*options) {},
			faults: []string{
				`environment variable KEDA_RESTRICT_SECRET_ACCESS is "yes": use true or false`,
				`environment variable KEDA_BOUND_SERVICE_ACCOUNT_TOKEN_EXPIRY is "1", which is not a duration such as 1h`,
			},
		},
		{
			reason: "the election",
			env: map[string]string{
				"KEDA_OPERATOR_LEADER_ELECTION_LEASE_DURATION": "60s", "KEDA_OPERATOR_LEADER_ELECTION_RENEW_DEADLINE": "40s",
				"KEDA_OPERATOR_LEADER_ELECTION_RETRY_PERIOD": "5s",
			},
			want: func(o *options) { o.lease = lease{life: time.Minute, renew: 40 * time.Second, retry: 5 * time.Second} },
		},
		{
			reason: "an election that nobody can hold, and one that is no duration",
			env:    map[string]string{"KEDA_OPERATOR_LEADER_ELECTION_LEASE_DURATION": "10s", "KEDA_OPERATOR_LEADER_ELECTION_RETRY_PERIOD": "2"},
			want:   func(o *options) { o.lease.life = 10 * time.Second },
			faults: []string{
				`environment variable KEDA_OPERATOR_LEADER_ELECTION_RETRY_PERIOD is "2", which is not a duration such as 10s`,
				"the election has a lease of 10s, a deadline of 10s and tries every 2s: the lease must be longer than the deadline, and that than 1.2 times the last",
			},
		},
		{
			reason: "KEDA's names of the log's flags, and flags that have no effect",
			args: []string{
				"--zap-log-level=3", "--zap-encoder=console", "--zap-time-encoding=rfc3339", "--kube-api-qps=50", "--kube-api-burst=60",
				"--disable-compression", "--http-idle-conn-timeout=10s", "--metrics-service-bind-address=:9666",
				"--v=0", "--logtostderr", "--k8s-cluster-name=shop", "--enable-prometheus-metrics=false",
			},
			want: func(o *options) { o.logLevel, o.logFormat, o.prometheus = "debug", "text", false },
		},
		{
			reason: "secrets are not restricted",
			env:    map[string]string{"KEDA_RESTRICT_SECRET_ACCESS": "false"},
			want:   func(*options) {},
		},
		{
			reason: "0 and less are faults",
			env:    map[string]string{"KEDA_HTTP_DEFAULT_TIMEOUT": "0", "KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES": "-1"},
			want:   func(*options) {},
			faults: []string{
				`environment variable KEDA_HTTP_DEFAULT_TIMEOUT is "0", which is not a positive integer`,
				`environment variable KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES is "-1", which is not a positive integer`,
			},
		},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			want, got := parse(t, nil), parse(t, tc.env, tc.args...)
			tc.want(want)
			if diff := cmp.Diff(tc.faults, faultsOf(got)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			got.envFaults = nil
			if diff := cmp.Diff(*want, *got, unexported); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOptionsKubeconfigFromTheEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o := parse(t, map[string]string{"KUBECONFIG": file})
	if o.kubeconfig != file {
		t.Errorf("the kubeconfig is %q, want that of the environment", o.kubeconfig)
	}
	if faults := faultsOf(o); faults != nil {
		t.Errorf("faults: %q", faults)
	}
}

func TestOptionsValidate(t *testing.T) {
	cases := []struct {
		reason string
		args   []string
		faults []string
	}{
		{"metrics may be switched off", []string{"--metrics-bind-address=0"}, nil},
		{"probes may be switched off", []string{"--health-probe-bind-address=0"}, nil},
		{"an address without a host is every host", []string{"--metrics-bind-address=:0"}, nil},
		{"an IPv6 address", []string{"--bind-address=::", "--metrics-bind-address=[::1]:8080"}, nil},
		{"a level of another case", []string{"--log-level=DEBUG", "--log-format=text"}, nil},
		{"no port", []string{"--metrics-bind-address=localhost"}, []string{`--metrics-bind-address is "localhost", which is not of the form host:port`}},
		{"a port that is a word", []string{"--health-probe-bind-address=:http"}, []string{`--health-probe-bind-address is ":http", which is not of the form host:port`}},
		{"a port beyond all ports", []string{"--metrics-bind-address=:65536"}, []string{`--metrics-bind-address is ":65536", which is not of the form host:port`}},
		{"a host where an IP address is needed", []string{"--bind-address=localhost"}, []string{`--bind-address is "localhost", which is not an IP address`}},
		{"no secure port", []string{"--secure-port=0"}, []string{"--secure-port is 0, which is not between 1 and 65535"}},
		{"a secure port beyond all ports", []string{"--secure-port=65536"}, []string{"--secure-port is 65536, which is not between 1 and 65535"}},
		{"a certificate without its key", []string{"--tls-cert-file=options.go"}, []string{"--tls-cert-file and --tls-private-key-file go together: one of them is missing"}},
		{"a key without its certificate", []string{"--tls-private-key-file=options.go"}, []string{"--tls-cert-file and --tls-private-key-file go together: one of them is missing"}},
		{"no deadline", []string{"--source-timeout=0s"}, []string{"--source-timeout is 0s: every call needs a deadline above 0"}},
		{"a token that lives too short", []string{"--bound-token-expiry=59m"}, []string{"--bound-token-expiry is 59m0s, which is not between 1h and 6h"}},
		{"a token that lives too long", []string{"--bound-token-expiry=6h1s"}, []string{"--bound-token-expiry is 6h0m1s, which is not between 1h and 6h"}},
		{"files of a folder that is a file", []string{"--filepath-auth-root-path=options.go"}, []string{`--filepath-auth-root-path is "options.go", which is not a folder`}},
		{"files of a folder", []string{"--filepath-auth-root-path=."}, nil},
		{"no webhooks", []string{"--webhook-port=-1"}, []string{"--webhook-port is -1, which is not between 0 and 65535"}},
		{"a certificate that lives too short", []string{"--cert-validity=9s"}, []string{"--cert-validity is 9s, and at least 10s is needed"}},
		{"a Service of no name", []string{"--webhooks-service-name="}, []string{`--webhooks-service-name is "": ` + validation.IsDNS1123Label("")[0]}},
		{"a Service of external metrics of no name", []string{"--metrics-server-service-name="}, []string{`--metrics-server-service-name is "": ` + validation.IsDNS1123Label("")[0]}},
		{"authorities that are not there", []string{"--client-ca-file=nowhere"}, []string{
			"--client-ca-file: stat nowhere: no such file or directory (without it, the authorities that the cluster names count)",
		}},
		{"labels that select", []string{"--watch-label-selector=shard in (a, b),!old", "--watch-label-selector-for-triggerauth=shard"}, nil},
		{"labels that do not", []string{"--watch-label-selector=a b"}, []string{
			`--watch-label-selector is "a b", which selects no labels: unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt`,
		}},
		{"a Secret of a bad name", []string{"--cert-secret-name=A"}, []string{`--cert-secret-name is "A": ` + validation.IsDNS1123Subdomain("A")[0]}},
		{"certificates in files that are not there", []string{"--webhook-port=9443", "--enable-cert-rotation=false", "--cert-dir=nowhere"}, []string{
			"--cert-dir: stat nowhere/tls.crt: no such file or directory (--enable-cert-rotation has Freshet make a certificate)",
			"--cert-dir: stat nowhere/tls.key: no such file or directory (--enable-cert-rotation has Freshet make a certificate)",
		}},
		{"files that are not needed", []string{"--enable-cert-rotation=false", "--cert-dir=nowhere"}, nil},
		{"no workers", []string{"--workers=0"}, []string{"--workers is 0, and at least 1 is needed"}},
		{"none for Jobs", []string{"--job-workers=0"}, []string{"--job-workers is 0, and at least 1 is needed"}},
		{"a level that does not exist", []string{"--log-level=loud"}, []string{`--log-level is "loud": use debug, info, warn or error`}},
		{"a format that does not exist", []string{"--log-format=xml"}, []string{`--log-format is "xml": use json or text`}},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			if diff := cmp.Diff(tc.faults, faultsOf(parse(t, nil, tc.args...))); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOptionsValidateAll: whoever has made many mistakes is told of all at once,
// each by the name of what is wrong.
func TestOptionsValidateAll(t *testing.T) {
	o := parse(t, map[string]string{"KEDA_HTTP_DEFAULT_TIMEOUT": "3s"},
		"--kubeconfig="+filepath.Join(t.TempDir(), "none"), "--metrics-bind-address=a", "--health-probe-bind-address=b", "--bind-address=c",
		"--secure-port=-1", "--tls-cert-file=options.go", "--namespace=Not_A_Name", "--watch-namespaces=shop,Neither!", "--source-timeout=-1s",
		"--cluster-object-namespace=Nor_This", "--filepath-auth-root-path="+filepath.Join(t.TempDir(), "none"), "--bound-token-expiry=0s",
		"--workers=-1", "--job-workers=-1", "--log-level=e", "--log-format=f")
	faults := faultsOf(o)
	named := []string{
		"KEDA_HTTP_DEFAULT_TIMEOUT", "--kubeconfig", "--metrics-bind-address", "--health-probe-bind-address", "--bind-address",
		"--secure-port", "--tls-cert-file", `namespace "Not_A_Name"`, `namespace "Neither!"`, "--cluster-object-namespace",
		"--filepath-auth-root-path", "--bound-token-expiry", "--source-timeout", "--workers", "--job-workers", "--log-level", "--log-format",
	}
	if len(faults) != len(named) {
		t.Fatalf("%d faults, want %d:\n%s", len(faults), len(named), strings.Join(faults, "\n"))
	}
	for i, name := range named {
		if !strings.Contains(faults[i], name) {
			t.Errorf("fault %d is %q, which does not name %s", i, faults[i], name)
		}
	}
	if !errors.Is(o.validate(), os.ErrNotExist) {
		t.Error("the cause of the fault of --kubeconfig is lost")
	}
}

// TestServiceTLS: what Freshet's own servers accept is what sources are spoken to
// with, unless it is said for itself.
func TestServiceTLS(t *testing.T) {
	const suite = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
	for _, tt := range []struct {
		env     map[string]string
		min     uint16
		ciphers []uint16
	}{
		{nil, tls.VersionTLS12, nil},
		{map[string]string{"KEDA_HTTP_MIN_TLS_VERSION": "TLS13"}, tls.VersionTLS13, nil},
		{map[string]string{"KEDA_SERVICE_MIN_TLS_VERSION": "TLS13"}, tls.VersionTLS13, nil},
		{map[string]string{"KEDA_HTTP_TLS_CIPHER_LIST": suite}, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}},
		{map[string]string{"KEDA_HTTP_TLS_CIPHER_LIST": "TLS_RSA_WITH_AES_128_CBC_SHA", "KEDA_SERVICE_TLS_CIPHER_LIST": suite},
			tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}},
	} {
		var c tls.Config
		o := parse(t, tt.env)
		if o.serviceTLS.tls(&c); c.MinVersion != tt.min || !slices.Equal(c.CipherSuites, tt.ciphers) || faultsOf(o) != nil {
			t.Errorf("%v gives %x, %x, %q", tt.env, c.MinVersion, c.CipherSuites, faultsOf(o))
		}
		served := adapterOptions(o, nil)
		if served.MinTLS != tt.min || !slices.Equal(served.Ciphers, tt.ciphers) {
			t.Errorf("%v gives external metrics %x, %x", tt.env, served.MinTLS, served.Ciphers)
		}
	}
	for value, word := range map[string]string{"TLS_RSA_WITH_AES_128_CBC_SHA": "AES_128_GCM_SHA256, or TLS13", "RC4": `"RC4" is no suite`} {
		if faults := faultsOf(parse(t, map[string]string{"KEDA_SERVICE_TLS_CIPHER_LIST": value})); len(faults) != 1 || !strings.Contains(faults[0], word) {
			t.Errorf("the faults of %s are %q", value, faults)
		}
	}
	if faults := faultsOf(parse(t, map[string]string{"KEDA_SERVICE_MIN_TLS_VERSION": "1.3"})); len(faults) != 1 || !strings.Contains(faults[0], "KEDA_SERVICE_MIN_TLS_VERSION") {
		t.Errorf("the faults of 1.3 are %q", faults)
	}
}

func TestTLSOptions(t *testing.T) {
	if o := parse(t, map[string]string{"KEDA_HTTP_MIN_TLS_VERSION": "TLS13"}); o.tls.min != tls.VersionTLS13 || faultsOf(o) != nil {
		t.Errorf("TLS13 is %x, %q", o.tls.min, faultsOf(o))
	}
	if faults := faultsOf(parse(t, map[string]string{"KEDA_HTTP_MIN_TLS_VERSION": "1.3"})); len(faults) != 1 ||
		!strings.Contains(faults[0], "KEDA_HTTP_MIN_TLS_VERSION") || !strings.Contains(faults[0], "TLS13") {
		t.Errorf("the faults of 1.3 are %q", faults)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := parse(t, nil, "--ca-dir", dir).applyTLS(); err == nil || !strings.Contains(err.Error(), "ca.crt") {
		t.Errorf("a file that is no certificate gives %v", err)
	}
	if err := parse(t, nil, "--ca-dir", filepath.Join(dir, "missing")).applyTLS(); err != nil {
		t.Errorf("a folder that is not there gives %v", err)
	}
}

func TestMetricsAddress(t *testing.T) {
	for args, want := range map[string]string{
		"": ":8080", "--metrics-bind-address=:9000": ":9000", "--enable-prometheus-metrics=false": "0",
	} {
		o := parse(t, nil)
		if args != "" {
			o = parse(t, nil, args)
		}
		if got := o.metricsAt(); got != want {
			t.Errorf("with %q metrics are served at %s, want %s", args, got, want)
		}
	}
}
