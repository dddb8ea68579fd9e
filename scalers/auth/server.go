package auth

import (
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/identity"
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
			r.log().Warn("a store of credentials cannot be reached", "server", s.name, "cause", identity.Cause(err))
		}
		s.failures++
		s.err = scalers.UnavailableError("%s cannot be reached: %s", s.name, identity.Cause(err))
		s.until = now.Add(backoff(s.failures, r.refreshPeriod()))
	}
}
