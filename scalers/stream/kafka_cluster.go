package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/segmentio/kafka-go/sasl"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/conn"
)

// KafkaCluster says which Kafka cluster to read, and as whom.
type KafkaCluster struct {
	// Addresses of brokers as host:port, separated by commas. One that answers is
	// enough: it knows the others.
	Brokers []string `param:"bootstrapServers" from:"metadata,env"`
	// Connect with TLS.
	TLSMode string `param:"tls" from:"metadata,auth" default:"disable" enum:"enable,disable"`
	// Authorities, client certificate and checks of a TLS connection.
	TLS conn.TLS
	// As whom to sign in.
	SASL KafkaSASL
}

func (k *KafkaCluster) useTLS() bool { return k.TLSMode == "enable" }

// bind keeps the identity that the cluster is shown, where it is.
func (k *KafkaCluster) bind(s scalers.Setting) error {
	if k.SASL.mechanism() == mskIAM {
		k.SASL.Identity = s.Identity
	}
	return nil
}

// validate checks the rules that span parameters.
func (k *KafkaCluster) validate() error {
	var faults []error
	if len(k.Brokers) == 0 {
		faults = append(faults, errors.New("parameter bootstrapServers names no broker"))
	}
	for _, address := range k.Brokers {
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
			faults = append(faults, fmt.Errorf("parameter bootstrapServers holds %q, which is not of the form host:port", address))
		}
	}
	if k.useTLS() {
		_, err := k.TLS.Config()
		faults = append(faults, err)
	}
	return errors.Join(append(faults, k.SASL.validate(k.useTLS()))...)
}

// kafkaSource is one cluster as one user.
type kafkaSource struct {
	// Brokers are the addresses to begin with, sorted.
	Brokers []string
	// UseTLS and TLS say how to connect.
	UseTLS bool
	TLS    conn.TLS
	// SASL says as whom to sign in; it holds only what has an effect.
	SASL KafkaSASL
}

// source is the connection of a validated cluster.
func (k *KafkaCluster) source() kafkaSource {
	s := kafkaSource{Brokers: slices.Compact(slices.Sorted(slices.Values(k.Brokers))), UseTLS: k.useTLS(), SASL: k.SASL.used()}
	if s.UseTLS {
		s.TLS = k.TLS
	} else if s.SASL.Mode == oauthBearer { // the token endpoint has a certificate too
		s.TLS.CA = k.TLS.CA
	}
	return s
}

// String names the brokers to begin with.
func (s kafkaSource) String() string { return "kafka " + strings.Join(s.Brokers, ",") }

// Open prepares the connection; the first read dials.
func (s kafkaSource) Open(context.Context) (*kafkaConn, error) {
	d := &kafkaDialer{}
	var err error
	if s.UseTLS {
		if d.tls, err = s.TLS.Config(); err != nil {
			return nil, err
		}
	}
	if d.sasl, err = s.SASL.open(s.TLS.CA); err != nil {
		return nil, err
	}
	return newKafkaConn(s.Brokers, d), nil
}

// kafkaDialer connects to brokers as one user.
type kafkaDialer struct {
	// tls is nil where connections have none.
	tls *tls.Config
	// sasl is nil where nobody signs in.
	sasl sasl.Mechanism
}
