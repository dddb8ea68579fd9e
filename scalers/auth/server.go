package auth

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/freshet-io/freshet/scalers"
)

// server is one that questions are asked of. Once no connection to it is had, it
// is left alone for a while: one call then finds out whether it is back, and the
// other questions are answered from memory or with the error.
type server struct {
	name string
	// err is set while it cannot be reached, failures how often it could not.
	err      error
	failures int
	// until is when to try again; calls is how many are made at the moment.
	until time.Time
	calls int
}

// shut tells for how long the server is not to be asked; 0 lets a call through.
func (s *server) shut(now time.Time) time.Duration {
	switch {
	case s.err == nil:
		return 0
	case now.Before(s.until):
		return max(s.until.Sub(now), time.Second)
	case s.calls > 0: // the one that finds out
		return time.Second
	default:
		return 0
	}
}

func (s *server) begin() { s.calls++ }

// end is called with the outcome of a call: whether a connection was had counts.
func (s *server) end(r *Resolver, now time.Time, err error, unreachable bool) {
	s.calls--
	switch {
	case s.name == "":
	case !unreachable && s.err != nil:
		r.log().Info("a store of credentials is reached again", "server", s.name)
		s.err, s.failures = nil, 0
	case unreachable && s.err != nil && now.Before(s.until): // a call from before
	case unreachable:
		if s.err == nil {
			r.log().Warn("a store of credentials cannot be reached", "server", s.name, "cause", cause(err))
		}
		s.failures++
		s.err = scalers.UnavailableError("%s cannot be reached: %s", s.name, cause(err))
		s.until = now.Add(backoff(s.failures, r.refreshPeriod()))
	}
}

// Unanswered is the error of a call that got no answer from a server. Of err, the
// error of a client library, it tells the cause and nothing that may be secret.
func Unanswered(server, doing string, err error) error {
	why := cause(err)
	return scalers.UnavailableError("%w", &unanswered{text: fmt.Sprintf("%s, %s: %s", server, doing, why), cause: why})
}

type unanswered struct{ text, cause string }

// Error is the text.
func (u *unanswered) Error() string { return u.text }

// cause is why a server did not answer, without what was asked for.
func cause(err error) string {
	var known *unanswered
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &known):
		return known.cause
	case errors.As(err, &certificate):
		return certificate.Error()
	case errors.As(err, &op) && op.Addr != nil:
		return fmt.Sprintf("%s %s: %v", op.Op, op.Addr, op.Err)
	case errors.As(err, &op):
		return fmt.Sprintf("%s: %v", op.Op, op.Err)
	case scalers.IsTimeout(err):
		return "it did not answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it closed the connection"
	default:
		return "it did not answer as such a server does"
	}
}
