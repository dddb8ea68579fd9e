package queue

import (
	"errors"
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/freshet-io/freshet/scalers"
)

// loginError gives an error of connecting and logging in its class.
func (s amqpServer) loginError(err error) error {
	var said *amqp.Error
	if !errors.As(err, &said) {
		return fmt.Errorf("logging in: %w", err)
	}
	switch {
	case said == amqp.ErrSASL && s.Username == "":
		return scalers.AuthenticationError("the server does not take a client certificate for a login: give a user and a password")
	case said == amqp.ErrSASL:
		return scalers.AuthenticationError("the server does not take a user name and a password: it may want a client certificate")
	case !said.Server:
		// A server that does not say why it hangs up may also do so for the password.
		return scalers.UnavailableError("the server broke the connection off before the login was done: %w", err)
	case said.Code == amqp.AccessRefused:
		return scalers.AuthenticationError("the server refused the login of %s: %w", s.user(), err)
	case said.Code == amqp.NotAllowed && strings.Contains(said.Reason, "not found"):
		return scalers.ConfigurationError("there is no virtual host %q: %w", s.VHost, err)
	case said.Code == amqp.NotAllowed && strings.Contains(said.Reason, "refused"):
		return scalers.AuthenticationError("%s may not use virtual host %q: %w", s.user(), s.VHost, err)
	default:
		return scalers.UnavailableError("logging in: %w", err)
	}
}

// user names who logs in.
func (s amqpServer) user() string {
	if s.Username == "" {
		return "the client certificate"
	}
	return fmt.Sprintf("user %q", s.Username)
}

// queueError gives what the server says of a queue its class.
func (r *amqpRead) queueError(queue string, said *amqp.Error) error {
	where := fmt.Sprintf("queue %q in virtual host %q", queue, r.vhost)
	switch {
	case said.Code == amqp.NotFound && strings.Contains(said.Reason, "no queue"):
		return scalers.ConfigurationError("there is no %s: make it, or correct parameter queueName or the virtual host: %w", where, said)
	case said.Code == amqp.AccessRefused:
		return scalers.AuthenticationError("the user may not read %s: %w", where, said)
	case said.Code == amqp.ResourceLocked:
		return scalers.ConfigurationError("%s is for the connection that made it alone: read it over HTTP: %w", where, said)
	default: // among them a queue whose node is down
		return scalers.UnavailableError("reading %s: %w", where, said)
	}
}
