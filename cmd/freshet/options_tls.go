package main

import (
	"crypto/tls"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/freshet-io/freshet/scalers/conn"
)

// tlsFromEnv takes what concerns TLS to sources from the environment.
func (o *options) tlsFromEnv(getenv func(string) string) {
	o.minTLS = tls.VersionTLS12
	version, err := conn.MinTLS(getenv(conn.MinTLSVariable))
	if err != nil {
		o.envFaults = append(o.envFaults, fmt.Errorf("environment variable %s: %w", conn.MinTLSVariable, err))
		return
	}
	o.minTLS = version
}

func (o *options) addTLSFlags(fs *pflag.FlagSet) {
	fs.StringSliceVar(&o.authorities, "ca-dir", []string{"/custom/ca"}, "folders of PEM certificates of authorities to trust, beside the system's, when speaking to sources")
}

// applyTLS makes what was asked for hold for every connection to a source.
func (o *options) applyTLS() error {
	roots, err := conn.RootCAs(o.authorities...)
	if err != nil {
		return fmt.Errorf("--ca-dir: %w", err)
	}
	conn.Defaults.MinTLS, conn.Defaults.RootCAs = o.minTLS, roots
	return nil
}
