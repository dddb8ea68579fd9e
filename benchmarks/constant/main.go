// Command constant is a metrics adapter that answers every external metric with
// the same number: custom-metrics-apiserver as it comes, with the settings of
// Freshet's adapter. What a read of it costs is what the library costs; the
// fleet benchmark reads it beside the adapter that it measures.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/metrics/pkg/apis/external_metrics"
	basecmd "sigs.k8s.io/custom-metrics-apiserver/pkg/cmd"
	adapteroptions "sigs.k8s.io/custom-metrics-apiserver/pkg/cmd/options"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "constant:", err)
		os.Exit(1)
	}
}

// options are the flags, named as Freshet's.
type options struct {
	kubeconfig, address string
	port                int
}

func command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:           "constant",
		Short:         "Serve external metrics that are always 7",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.kubeconfig, "kubeconfig", os.Getenv("KUBECONFIG"), "file that says how to reach the cluster that authenticates and authorizes callers")
	cmd.Flags().StringVar(&o.address, "bind-address", "127.0.0.1", "address to serve on")
	cmd.Flags().IntVar(&o.port, "secure-port", 6444, "port to serve on, with TLS")
	return cmd
}

func (o options) validate() error {
	if o.kubeconfig == "" {
		return errors.New("--kubeconfig is missing: callers are authenticated by a cluster")
	}
	if net.ParseIP(o.address) == nil {
		return fmt.Errorf("--bind-address is %q, which is not an IP address", o.address)
	}
	if o.port < 1 || o.port > 65535 {
		return fmt.Errorf("--secure-port is %d, which is not between 1 and 65535", o.port)
	}
	return nil
}

// allowFor is how long Freshet's adapter remembers that a caller may read a
// metric; with the library's 10 s, this server would mostly ask the API server.
const allowFor = 5 * time.Minute

func run(ctx context.Context, o options) error {
	if err := o.validate(); err != nil {
		return err
	}
	settings := adapteroptions.NewCustomMetricsAdapterServerOptions()
	settings.SecureServing.BindAddress = net.ParseIP(o.address)
	settings.SecureServing.BindPort = o.port
	settings.SecureServing.ServerCert.CertDirectory = "" // a self-signed certificate in memory
	settings.Authentication.RemoteKubeConfigFile = o.kubeconfig
	settings.Authorization.RemoteKubeConfigFile = o.kubeconfig
	settings.Authorization.AllowCacheTTL = allowFor
	settings.Features.EnableProfiling = false
	base := &basecmd.AdapterBase{
		CustomMetricsAdapterServerOptions: settings,
		Name:                              "constant",
		RemoteKubeConfigFile:              o.kubeconfig,
		ClientQPS:                         -1,
		FlagSet:                           pflag.NewFlagSet("constant", pflag.ContinueOnError),
	}
	base.WithExternalMetrics(constant{})
	server, err := base.Server()
	if err != nil {
		return fmt.Errorf("preparing the server: %w", err)
	}
	if err := server.GenericAPIServer.PrepareRun().RunWithContext(ctx); err != nil {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}

// constant is a provider whose every metric exists and is 7.
type constant struct{}

// ListAllExternalMetrics names a placeholder.
func (constant) ListAllExternalMetrics() []provider.ExternalMetricInfo {
	return []provider.ExternalMetricInfo{{Metric: "externalmetrics"}}
}

// GetExternalMetric answers 7.
func (constant) GetExternalMetric(_ context.Context, _ string, _ labels.Selector, info provider.ExternalMetricInfo) (*external_metrics.ExternalMetricValueList, error) {
	return &external_metrics.ExternalMetricValueList{Items: []external_metrics.ExternalMetricValue{{
		MetricName: info.Metric, Timestamp: metav1.Now(), Value: *resource.NewQuantity(7, resource.DecimalSI),
	}}}, nil
}
