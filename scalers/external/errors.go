package external

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/freshet-io/freshet/scalers"
)

// failed gives the error of a call its class, and names the method. It is nil
// without one.
func (s *Server) failed(ctx context.Context, method string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil: // ended by us
		return fmt.Errorf("calling %s: %w", method, ctx.Err())
	}
	st := status.Convert(err)
	if st.Code() == codes.DeadlineExceeded && strings.HasPrefix(st.Message(), "stream terminated") {
		return fmt.Errorf("calling %s: %w", method, context.DeadlineExceeded) // the server saw ours pass first
	}
	said := s.oneLine(st.Message())
	if said != "" {
		said = ": " + said
	}
	switch code := st.Code(); code {
	case codes.Unauthenticated, codes.PermissionDenied:
		return scalers.AuthenticationError("%s is refused (%s): check tlsClientCert of the authentication and what the scaler expects in the metadata%s",
			method, code, said)
	case codes.Unimplemented:
		return scalers.ConfigurationError("%s is not implemented by the server: check that scalerAddress is that of an external scaler%s", method, said)
	case codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition:
		return scalers.ConfigurationError("%s answers %s: check what the scaler expects in the metadata%s", method, code, said)
	case codes.ResourceExhausted:
		if strings.HasPrefix(st.Message(), "grpc: received message larger than max") {
			return scalers.ConfigurationError("%s answers with more than %d MiB", method, mostReply>>20)
		}
		return scalers.RateLimitedError(0, "%s answers %s%s", method, code, said)
	case codes.Unavailable:
		return scalers.UnavailableError("calling %s%s%s", method, said, hint(st.Message()))
	default:
		return scalers.UnavailableError("%s answers %s%s", method, code, said)
	}
}

// hint says what to check when the two sides do not agree on TLS.
func hint(message string) string {
	switch {
	case strings.Contains(message, "authentication handshake failed"):
		return " (check caCert, tlsClientCert and tlsClientKey of the authentication, and whether the scaler speaks TLS at all)"
	case strings.Contains(message, "error reading server preface"):
		return " (if the scaler speaks TLS, set enableTLS or give caCert)"
	}
	return ""
}

// ended is the end of a stream: nil when the server ended it well after it had
// said anything.
func (s *Server) ended(ctx context.Context, method string, said bool, err error) error {
	switch {
	case !errors.Is(err, io.EOF):
		return s.failed(ctx, method, err)
	case said:
		return nil
	default:
		return scalers.UnavailableError("%s ends without a message", method)
	}
}

// mostSaid bounds what is shown of a server's words.
const mostSaid = 300

// oneLine is what the server says, without values of variables that it was told:
// they may be secrets.
func (s *Server) oneLine(text string) string {
	for _, secret := range s.secrets {
		const least = 4 // shorter ones would tear words apart
		if len(secret) >= least {
			text = strings.ReplaceAll(text, secret, "[redacted]")
		}
	}
	text = strings.ToValidUTF8(text, "?")
	if len(text) > mostSaid {
		text = strings.ToValidUTF8(text[:mostSaid], "") + " …"
	}
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}

// quote is what the server says, in quotes.
func (s *Server) quote(text string) string {
	return strconv.Quote(s.oneLine(text))
}
