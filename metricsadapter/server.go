package metricsadapter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	openapicommon "k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/apiserver"
	basecmd "sigs.k8s.io/custom-metrics-apiserver/pkg/cmd"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/cmd/options"
	generatedcore "sigs.k8s.io/custom-metrics-apiserver/pkg/generated/openapi/core"
	generatedmetrics "sigs.k8s.io/custom-metrics-apiserver/pkg/generated/openapi/externalmetrics"
)

// Options say where and how the adapter serves.
type Options struct {
	// Kubeconfig reaches the cluster that authenticates and authorizes callers;
	// "" is the cluster this process runs in.
	Kubeconfig string
	// BindAddress and Port are where it listens, with TLS.
	BindAddress net.IP
	Port        int
	// CertFile and KeyFile hold the serving certificate, and are read again when they
	// change. Without them Certificate has it; without both it is a self-signed one in
	// memory.
	CertFile, KeyFile string
	Certificate       dynamiccertificates.CertKeyContentProvider
	// ClientCAFile has the authorities of callers' certificates, instead of those that
	// the cluster names; "" leaves these.
	ClientCAFile string
	// MinTLS and Ciphers are what a caller has to speak; 0 and nil leave it to the
	// library.
	MinTLS  uint16
	Ciphers []uint16
	// Groups are further API groups that the server serves.
	Groups []Group
}

// Group is an API group beside external metrics.
type Group struct {
	// Info has its kinds, all of them in the Scheme, and who answers for them.
	Info   *genericapiserver.APIGroupInfo
	Scheme *runtime.Scheme
	// Definitions describe its kinds.
	Definitions openapicommon.GetOpenAPIDefinitions
}

// Server serves external.metrics.k8s.io. Callers are authenticated and
// authorized by the cluster.
type Server struct {
	server *genericapiserver.GenericAPIServer
	// proxy is whom the front proxy's certificate is verified by; nil when the
	// cluster names nobody.
	proxy dynamiccertificates.CAContentProvider
	// certificate is what it serves with; nil when it had one from the start.
	certificate dynamiccertificates.CertKeyContentProvider
}

// NewServer prepares the server and binds its port, so that an address in use
// is an error here.
func NewServer(o Options, p *Provider) (*Server, error) {
	settings := options.NewCustomMetricsAdapterServerOptions()
	settings.SecureServing.BindAddress = o.BindAddress
	settings.SecureServing.BindPort = o.Port
	settings.SecureServing.ServerCert.CertDirectory = "" // keep a self-signed certificate in memory
	settings.SecureServing.ServerCert.CertKey.CertFile = o.CertFile
	settings.SecureServing.ServerCert.CertKey.KeyFile = o.KeyFile
	settings.Authentication.RemoteKubeConfigFile = o.Kubeconfig
	settings.Authentication.ClientCert.ClientCA = o.ClientCAFile
	settings.Authorization.RemoteKubeConfigFile = o.Kubeconfig
	settings.Features.EnableProfiling = false
	base := &basecmd.AdapterBase{
		CustomMetricsAdapterServerOptions: settings,
		Name:                              "freshet",
		RemoteKubeConfigFile:              o.Kubeconfig,
		ClientQPS:                         -1,
		FlagSet:                           pflag.NewFlagSet("adapter", pflag.ContinueOnError),
	}
	base.WithExternalMetrics(p)
	describe(base, o.Groups)
	config, err := base.Config()
	if err != nil {
		return nil, fmt.Errorf("preparing the metrics adapter: %w", err)
	}
	config.GenericConfig.BuildHandlerChainFunc = withQuick(p)
	serving := config.GenericConfig.SecureServing
	serving.MinTLSVersion, serving.CipherSuites = o.MinTLS, o.Ciphers
	if o.CertFile == "" && o.Certificate != nil {
		serving.Cert = o.Certificate
	}
	server, err := base.Server()
	if err != nil {
		return nil, fmt.Errorf("preparing the metrics adapter: %w", err)
	}
	for _, g := range o.Groups {
		if err := server.GenericAPIServer.InstallAPIGroup(g.Info); err != nil {
			return nil, fmt.Errorf("preparing the API group %s: %w", g.Info.PrioritizedVersions[0].Group, err)
		}
	}
	s := &Server{server: server.GenericAPIServer}
	if o.CertFile == "" {
		s.certificate = o.Certificate
	}
	if headers := config.GenericConfig.Authentication.RequestHeaderConfig; headers != nil {
		s.proxy = headers.CAContentProvider
	}
	return s, nil
}

// describe has the server tell of the kinds of all groups what they are.
func describe(base *basecmd.AdapterBase, groups []Group) {
	schemes := []*runtime.Scheme{apiserver.Scheme}
	for _, g := range groups {
		schemes = append(schemes, g.Scheme)
	}
	all := func(ref openapicommon.ReferenceCallback) map[string]openapicommon.OpenAPIDefinition {
		defs := generatedcore.GetOpenAPIDefinitions(ref)
		maps.Copy(defs, generatedmetrics.GetOpenAPIDefinitions(ref))
		for _, g := range groups {
			maps.Copy(defs, g.Definitions(ref))
		}
		return defs
	}
	base.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(all, openapinamer.NewDefinitionNamer(schemes...))
	base.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(all, openapinamer.NewDefinitionNamer(schemes...))
	for _, info := range []*spec.Info{base.OpenAPIConfig.Info, base.OpenAPIV3Config.Info} {
		info.Title, info.Version = base.Name, "1.0.0"
	}
}

// Ready returns nil once there is a certificate to serve with, and the API server is
// recognized as what passes on queries of others. Until then, for a moment after the
// start, nobody could be answered, or queries would be refused as those of strangers.
func (s *Server) Ready(*http.Request) error {
	if s.certificate != nil {
		if certificate, _ := s.certificate.CurrentCertKeyContent(); len(certificate) == 0 {
			return fmt.Errorf("there is no certificate yet to serve external metrics with, of %s", s.certificate.Name())
		}
	}
	if s.proxy != nil && len(s.proxy.CurrentCABundleContent()) == 0 {
		return errors.New("the authority of the front proxy is not read yet from the ConfigMap kube-system/extension-apiserver-authentication")
	}
	return nil
}

// Run serves until ctx ends and answers what is in flight.
func (s *Server) Run(ctx context.Context) error {
	if err := s.server.PrepareRun().RunWithContext(ctx); err != nil {
		return fmt.Errorf("serving external metrics: %w", err)
	}
	return nil
}
