package main

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

const (
	onePlace  = "there is no service between the controllers and the metrics adapter: they are one program"
	unlimited = "calls to the API server are not throttled here"
	kept      = "connections are kept for each source"
	useLog    = "use --log-level and --log-format"
	stderr    = "logs go to standard error"
	unaudited = "queries of external metrics are audited by the API server that passes them on: see its --audit-policy-file"
	oneFile   = "the cluster of --kubeconfig is asked"

	unpushed   = "metrics are not pushed: have an OpenTelemetry collector scrape /metrics of --metrics-bind-address, which its prometheus receiver does"
	unstreamed = "values are not streamed over gRPC: read them from /metrics or from external.metrics.k8s.io"
)

// idleFlags are flags of KEDA's programs that have nothing to do here. They are
// taken, so that arguments of before still start Freshet, and each says why. Those of
// bool are given without a value, too.
var idleFlags = []struct{ name, preset, why string }{
	{"kube-api-qps", "20", unlimited},
	{"kube-api-burst", "30", unlimited},
	{"disable-compression", "true", "answers of the API server are compressed when it says so"},
	{"metrics-service-bind-address", "", onePlace},
	{"metrics-service-address", "", onePlace},
	{"metrics-service-grpc-authority", "", onePlace},
	{"operator-service-name", "", onePlace},
	{"cache-miss-to-direct-client", "false", "webhooks answer from indexes"},
	{"http-max-idle-conns", "0", kept},
	{"http-max-idle-conns-per-host", "1000", kept},
	{"http-idle-conn-timeout", "90s", kept},
	{"k8s-cluster-name", "", "it would name the source of CloudEvents, which are not sent"},
	{"msg", "", "the log begins with its own line"},
	{"zap-devel", "false", useLog},
	{"zap-stacktrace-level", "", useLog},
	{"zap-time-encoding", "", "times are RFC 3339"},
	{"v", "", "use --log-level"},
	{"vmodule", "", "use --log-level"},
	{"stderrthreshold", "", "use --log-level"},
	{"logtostderr", "false", stderr},
	{"alsologtostderr", "false", stderr},
	{"one_output", "false", stderr},
	{"log_dir", "", stderr},
	{"log_file", "", stderr},
	{"log_file_max_size", "", stderr},
	{"log-flush-frequency", "", "nothing of the log is kept back"},
	{"log_backtrace_at", "", useLog},
	{"add_dir_header", "false", useLog},
	{"skip_headers", "false", useLog},
	{"skip_log_headers", "false", useLog},
}

// refusedFlags are flags of KEDA's programs that ask for what is not there, or may
// mean either of two things: to start without it would be to leave somebody blind who
// counts on it. Those of bool may ask for nothing.
var refusedFlags = []struct {
	name     string
	yesNo    bool
	sentence string
}{
	{"port", false, "it is of the metrics with one of KEDA's programs, and of the webhooks with another: give --metrics-bind-address=:PORT or --webhook-port=PORT"},
	{"enable-opentelemetry-metrics", true, unpushed},
	{"enable-high-cardinality-metrics-labels", true, "one request serves many objects, so that metrics of requests cannot name them: use keda_scaler_metrics_latency_seconds"},
	{"authentication-kubeconfig", false, oneFile},
	{"authorization-kubeconfig", false, oneFile},
	{"lister-kubeconfig", false, oneFile},
	{"audit-log-path", false, unaudited},
	{"audit-policy-file", false, unaudited},
	{"audit-webhook-config-file", false, unaudited},
}

// addKEDAFlags takes the flags that KEDA's users give beside Freshet's own.
func (o *options) addKEDAFlags(fs *pflag.FlagSet) {
	for _, f := range idleFlags {
		fs.String(f.name, f.preset, "no effect: "+f.why)
		_ = fs.MarkDeprecated(f.name, "it has no effect: "+f.why) // the flag exists
		if f.preset == "true" || f.preset == "false" {
			fs.Lookup(f.name).NoOptDefVal = "true"
		}
	}
	for _, f := range refusedFlags {
		fs.Func(f.name, "refused: "+f.sentence, func(text string) error {
			if yes, err := strconv.ParseBool(text); f.yesNo && err == nil && !yes {
				return nil
			}
			return fmt.Errorf("freshet does not take it: %s", f.sentence)
		})
		_ = fs.MarkHidden(f.name) // the flag exists
		if f.yesNo {
			fs.Lookup(f.name).NoOptDefVal = "true"
		}
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

// idleVariables are variables that KEDA reads and that have no effect here, with why.
// They may be set for other programs too, so that they refuse nothing.
var idleVariables = []struct{ name, why string }{
	{"KEDA_CHECK_UNEXPECTED_SCALERS_PARAMS", "keys of trigger metadata that are not known are always told"},
	{"RAW_METRICS_GRPC_PROTOCOL", unstreamed},
	{"RAW_METRICS_MODE", unstreamed},
	{"OTEL_EXPORTER_OTLP_PROTOCOL", unpushed},
	{"OTEL_EXPORTER_OTLP_ENDPOINT", unpushed},
	{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", unpushed},
	{"AZURE_ENVIRONMENT_FILEPATH", "the addresses of a private cloud are parameters of triggers and authentications"},
	{"SPANNER_EMULATOR_HOST", "there is no trigger that reads Spanner"},
}

// idleFromEnv notes what is set and has no effect.
func (o *options) idleFromEnv(getenv func(string) string) {
	for _, v := range idleVariables {
		switch getenv(v.name) {
		case "", "false", "disabled":
		default:
			o.idle = append(o.idle, v.name+": "+v.why)
		}
	}
}

// tellIdle says once what is set and has no effect.
func (o *options) tellIdle(log *slog.Logger) {
	if len(o.idle) > 0 {
		log.Warn("variables of the environment have no effect", "variables", strings.Join(o.idle, "; "))
	}
}
