// Package identity is what the packages below it share, which sign in to clouds
// by the identity of a pod or by keys. A program that imports one of them has
// conn.OpenSigner sign for that cloud; one that does not is built without the
// cloud's libraries.
package identity

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/freshet-io/freshet/scalers"
	"github.com/freshet-io/freshet/scalers/param"
)

// Kept holds what is costly to make and keeps what it fetches, such as access
// tokens, by what it is made for. Its zero value is empty, and safe for
// concurrent use. What nobody asked for in an hour goes.
type Kept[V any] struct {
	mu    sync.Mutex
	all   map[param.Fingerprint]*kept[V]
	swept time.Time
}

type kept[V any] struct {
	value V
	used  time.Time
}

const unused = time.Hour

// Get returns what is kept for the key, or makes it. A failure is not kept. Make
// does not block.
func (k *Kept[V]) Get(key param.Fingerprint, make func() (V, error)) (V, error) {
	return k.get(key, make, time.Now())
}

func (k *Kept[V]) get(key param.Fingerprint, create func() (V, error), now time.Time) (V, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if found := k.all[key]; found != nil {
		found.used = now
		return found.value, nil
	}
	value, err := create()
	if err != nil {
		var none V
		return none, err
	}
	if k.all == nil {
		k.all, k.swept = map[param.Fingerprint]*kept[V]{}, now
	}
	if now.Sub(k.swept) >= unused {
		k.swept = now
		for key, other := range k.all {
			if now.Sub(other.used) >= unused {
				delete(k.all, key)
			}
		}
	}
	k.all[key] = &kept[V]{value: value, used: now}
	return value, nil
}

// Cause is why a server did not answer, in words that hold nothing of what was
// asked for: errors of client libraries do.
func Cause(err error) string {
	var silent *silence
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &silent):
		return silent.cause
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

// Unanswered is the error of a call that got no answer: it tells the cause of err
// and nothing else of it.
func Unanswered(server, doing string, err error) error {
	why := Cause(err)
	return scalers.UnavailableError("%w", &silence{text: fmt.Sprintf("%s, %s: %s", server, doing, why), cause: why})
}

type silence struct{ text, cause string }

// Error is the text.
func (s *silence) Error() string { return s.text }

// Saying is what a server says about a refusal, as the end of a sentence: in one
// line, not long, and without the secrets that were sent.
func Saying(text string, sent ...param.Secret) string {
	for _, secret := range sent {
		if !secret.Empty() {
			text = strings.ReplaceAll(text, secret.Reveal(), "[redacted]")
		}
	}
	text = strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "")
	const most = 300
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	if text == "" {
		return ""
	}
	return ": " + text
}
