package vault

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	vaultapi "github.com/hashicorp/vault/api"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/identity"
	"github.com/freshet-io/freshet/scalers/param"
)

// explain gives an error its class and a text without what was sent.
func (s *store) explain(err error, doing string, sent param.Secret) error {
	var response *vaultapi.ResponseError
	if !errors.As(err, &response) {
		return identity.Unanswered(s.server, doing, err)
	}
	said := &refusal{text: fmt.Sprintf("%s, %s: status %d%s", s.server, doing, response.StatusCode, saying(response, sent)), response: response}
	switch response.StatusCode {
	case http.StatusForbidden, http.StatusUnauthorized:
		return scalers.AuthenticationError("%w", said)
	case http.StatusTooManyRequests:
		return scalers.RateLimitedError(0, "%w", said)
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUnprocessableEntity:
		return scalers.ConfigurationError("%w", said)
	default:
		return scalers.UnavailableError("%w", said)
	}
}

// saying is what Vault says about it, without what was sent to it.
func saying(response *vaultapi.ResponseError, sent param.Secret) string {
	if response.RawError || len(response.Errors) == 0 {
		return ""
	}
	return identity.Saying(strings.Join(response.Errors, "; "), sent)
}

// refusal is an answer of Vault that is none. The library's error would show
// more than is good.
type refusal struct {
	text     string
	response *vaultapi.ResponseError
}

// Error is the text.
func (r *refusal) Error() string { return r.text }

// As finds the library's error, for its status.
func (r *refusal) As(target any) bool {
	if t, ok := target.(**vaultapi.ResponseError); ok {
		*t = r.response
		return true
	}
	return false
}
