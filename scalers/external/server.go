package external

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
	"github.com/freshet-io/freshet/scalers/external/externalscaler"
	"github.com/freshet-io/freshet/scalers/param"
)

// Server says which scaler to ask, and what it is told of the object.
type Server struct {
	// Address of the gRPC server as host:port. A name that resolves to several
	// addresses is asked in turn.
	Address string `param:"scalerAddress"`
	// Connect with TLS. A caCert or a client certificate asks for it too.
	EnableTLS bool `param:"enableTLS,optional"`
	// Accept any server certificate, which lets anyone in between read and change
	// the traffic.
	UnsafeSSL bool `param:"unsafeSsl,optional"`
	// PEM certificates of the authorities to trust instead of the system's.
	CA string `param:"caCert,optional" from:"auth"`
	// PEM client certificate; needs tlsClientKey.
	ClientCert string `param:"tlsClientCert,optional" from:"auth"`
	// PEM key of the client certificate.
	ClientKey param.Secret `param:"tlsClientKey,optional" from:"auth"`
	// File of an authority's certificate.
	CertFile string `param:"tlsCertFile" removed:"give the certificate itself as caCert in the authentication"`

	// Object and Namespace name the object that is asked about.
	Object, Namespace string
	// Sent is the metadata that the scaler is told: all of it, and in the place of
	// a variable's name the value. Values may be secrets of the workload.
	Sent map[string]param.Secret
	// Formula tells that a formula stands in for the metrics' targets.
	Formula bool

	// secrets are the values of variables, which no text may show.
	secrets []string
}

const fromEnv = "FromEnv"

// Bind keeps what the scaler is told. A variable that has no value is left out.
func (s *Server) Bind(setting scalers.Setting) error {
	s.Object, s.Namespace, s.Formula = setting.Object.Name, setting.Object.Namespace, setting.Formula
	s.Sent = make(map[string]param.Secret, len(setting.Metadata))
	for key, value := range setting.Metadata {
		if strings.HasSuffix(key, fromEnv) {
			variable := value
			if value = setting.Env[variable]; value == "" {
				continue
			}
			if !utf8.ValidString(value) {
				return fmt.Errorf("metadata %s: the value of the variable %s is not text, and the protocol carries nothing else", key, variable)
			}
			s.secrets = append(s.secrets, value)
		}
		s.Sent[key] = param.NewSecret(value)
	}
	slices.SortFunc(s.secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // one may be part of another
	return nil
}

// Validate checks the rules that span parameters.
func (s *Server) Validate() error {
	_, errAddress := s.target()
	var errCA, errPair error
	if _, err := (conn.TLS{CA: s.CA}).Config(); err != nil {
		errCA = errors.New("parameter caCert holds no PEM certificate")
	}
	if (s.ClientCert == "") != s.ClientKey.Empty() {
		errPair = errors.New("parameters tlsClientCert and tlsClientKey go together: one of them is missing")
	} else if _, err := (conn.TLS{Cert: s.ClientCert, Key: s.ClientKey}).Config(); err != nil {
		errPair = errors.New("parameters tlsClientCert and tlsClientKey are not a PEM certificate and its key")
	}
	return errors.Join(errAddress, errCA, errPair)
}

// target is the address as host:port. Port 443 is that of an address without
// one.
func (s *Server) target() (string, error) {
	address := strings.TrimPrefix(strings.TrimPrefix(s.Address, "dns:///"), "passthrough:///")
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port, err = net.SplitHostPort(address + ":443")
	}
	if err != nil || host == "" || port == "" || strings.ContainsAny(address, "/?# ") {
		return "", fmt.Errorf("parameter scalerAddress is %q, which is not of the form host:port", s.Address)
	}
	return net.JoinHostPort(host, port), nil
}

// Source is the server, with TLS where anything asks for it.
func (s *Server) Source() scalers.Source[*client] {
	source := server{UseTLS: s.EnableTLS || s.CA != "" || s.ClientCert != ""}
	source.Address, _ = s.target() // is valid
	if source.UseTLS {
		source.TLS = conn.TLS{CA: s.CA, Cert: s.ClientCert, Key: s.ClientKey, UnsafeSSL: s.UnsafeSSL}
	}
	return source
}

// Stem stands for metrics that the scaler did not name yet.
func (s *Server) Stem() string { return "external-" + s.Address }

// ref is how the scaler is told of the object.
func (s *Server) ref() *externalscaler.ScaledObjectRef {
	ref := &externalscaler.ScaledObjectRef{
		Name: s.Object, Namespace: s.Namespace, ScalerMetadata: make(map[string]string, len(s.Sent)),
	}
	for key, value := range s.Sent {
		ref.ScalerMetadata[key] = value.Reveal()
	}
	return ref
}
