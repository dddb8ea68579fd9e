package main

import (
	"crypto/tls"
	"fmt"
	"slices"

	"github.com/spf13/pflag"

	"github.com/freshet-io/freshet/scalers/conn"
)

// tlsOptions are what TLS has to be like.
type tlsOptions struct {
	// min is the oldest version.
	min uint16
	// ciphers are the suites to use up to TLS 1.2; nil are Go's own choice.
	ciphers []uint16
}

// Variables of what Freshet's own servers accept; without, what sources are spoken
// to with.
const (
	serviceMinTLS  = "KEDA_SERVICE_MIN_TLS_VERSION"
	serviceCiphers = "KEDA_SERVICE_TLS_CIPHER_LIST"
)

// tlsFromEnv takes what concerns TLS, to sources and of Freshet's own servers, from
// the environment.
func (o *options) tlsFromEnv(getenv func(string) string) {
	o.tls.min = tls.VersionTLS12
	o.tls.fromEnv(o, getenv, conn.MinTLSVariable, conn.CiphersVariable)
	o.serviceTLS = o.tls
	o.serviceTLS.fromEnv(o, getenv, serviceMinTLS, serviceCiphers)
	o.keepAlive = !o.envBool(getenv, conn.KeepAliveVariable)
}

func (t *tlsOptions) fromEnv(o *options, getenv func(string) string, minimum, ciphers string) {
	if text := getenv(minimum); text != "" {
		version, err := conn.MinTLS(text)
		if err != nil {
			o.envFaults = append(o.envFaults, fmt.Errorf("environment variable %s: %w", minimum, err))
		} else {
			t.min = version
		}
	}
	if text := getenv(ciphers); text != "" {
		list, err := conn.Ciphers(text)
		if err != nil {
			o.envFaults = append(o.envFaults, fmt.Errorf("environment variable %s: %w", ciphers, err))
		} else {
			t.ciphers = list
		}
	}
}

func (o *options) addTLSFlags(fs *pflag.FlagSet) {
	fs.StringSliceVar(&o.authorities, "ca-dir", []string{"/custom/ca"}, "folders of PEM certificates of authorities to trust, beside the system's, when speaking to sources")
}

// validateTLS adds the faults of what concerns TLS.
func (o *options) validateTLS(add func(format string, args ...any)) {
	s := &o.serviceTLS
	if s.ciphers == nil || s.min >= tls.VersionTLS13 {
		return
	}
	// The server of the metrics adapter speaks HTTP/2, whose definition asks for one of these.
	needed := []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	if !slices.ContainsFunc(s.ciphers, func(id uint16) bool { return slices.Contains(needed, id) }) {
		add("the ciphers of Freshet's own servers (%s) need %s or %s, or TLS13 in %s",
			serviceCiphers, tls.CipherSuiteName(needed[0]), tls.CipherSuiteName(needed[1]), serviceMinTLS)
	}
}

// applyTLS makes what was asked for hold for every connection to a source.
func (o *options) applyTLS() error {
	roots, err := conn.RootCAs(o.authorities...)
	if err != nil {
		return fmt.Errorf("--ca-dir: %w", err)
	}
	conn.Defaults.MinTLS, conn.Defaults.Ciphers, conn.Defaults.RootCAs = o.tls.min, o.tls.ciphers, roots
	conn.Defaults.OneRequest = !o.keepAlive
	return nil
}
