package stream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/segmentio/kafka-go"

	"github.com/freshet-io/freshet/scalers"
)

// kafkaError gives an error code of a broker its class. What is what it is about,
// as in: topic "orders". Code 0 is no error.
func kafkaError(code int16, what string) error {
	err := kafka.Error(code)
	switch err {
	case 0:
		return nil
	case kafka.TopicAuthorizationFailed:
		return scalers.AuthenticationError("the user may not read %s: give it the right Describe on the topic: %w", what, codeError(code))
	case kafka.GroupAuthorizationFailed:
		return scalers.AuthenticationError("the user may not read the offsets: give it the right Describe on the group: %w", codeError(code))
	case kafka.ClusterAuthorizationFailed:
		return scalers.AuthenticationError("the user may not read %s: give it the right Describe on the cluster: %w", what, codeError(code))
	case kafka.InvalidTopic, kafka.InvalidGroupId:
		return scalers.ConfigurationError("%s has a name that Kafka does not allow: %w", what, codeError(code))
	case kafka.SASLAuthenticationFailed:
		return scalers.AuthenticationError("the broker refused the credentials: check parameters sasl, username and password: %w", codeError(code))
	case kafka.IllegalSASLState:
		return scalers.ConfigurationError("the broker's port has no SASL: set parameter sasl to none, or take its port with SASL: %w", codeError(code))
	case kafka.UnsupportedVersion:
		return scalers.ConfigurationError("%s: the broker speaks no version of Kafka's protocol that Freshet does: %w", what, codeError(code))
	default:
		return scalers.UnavailableError("%s: %w", what, codeError(code))
	}
}

// codeError is an error code of a broker.
type codeError int16

// Error is the code's name and number.
func (e codeError) Error() string {
	if e < 0 {
		return fmt.Sprintf("the broker met an error that it does not know (code %d)", int16(e))
	}
	if title := kafka.Error(e).Title(); title != "" {
		return fmt.Sprintf("%s (code %d)", title, int16(e))
	}
	return fmt.Sprintf("error code %d", int16(e))
}

// linkError gives an error of a connection its class, and names the broker. On a
// connection without SASL and TLS a broker that hangs up may want either.
func linkError(address string, bare bool, err error) error {
	var (
		classed *scalers.Error
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		remote  *net.OpError
		record  tls.RecordHeaderError
		wrap    = func(class scalers.Class, advice string) error {
			return &scalers.Error{Class: class, Err: fmt.Errorf("broker %s: %s: %w", address, advice, err)}
		}
	)
	switch {
	case errors.As(err, &classed):
		return fmt.Errorf("broker %s: %w", address, err)
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid):
		return wrap(scalers.Configuration, "its certificate is not trusted: check parameter ca")
	case errors.As(err, &remote) && remote.Op == "remote error": // an alert
		return wrap(scalers.Authentication, "it refused the TLS connection: check parameters cert and key")
	case errors.As(err, &record):
		return wrap(scalers.Configuration, "it does not speak TLS: set parameter tls to disable, or take its port with TLS")
	case hungUp(err) && bare:
		return wrap(scalers.Unavailable, "it hung up, as ports with TLS or SASL do: check parameters tls and sasl")
	case hungUp(err):
		return wrap(scalers.Unavailable, "it hung up")
	default:
		return fmt.Errorf("broker %s: %w", address, err)
	}
}

// hungUp tells whether the other side closed the connection.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
