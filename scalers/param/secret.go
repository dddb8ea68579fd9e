package param

import (
	"fmt"
	"log/slog"
	"unique"
)

const redacted = "[redacted]"

// Secret is a text that does not print itself: every way of formatting,
// logging or marshalling it yields a placeholder. [Secret.Reveal] is the only
// way to the text. Secrets of one text are equal.
type Secret struct {
	// text is behind a pointer, which is all that reflection prints.
	text unique.Handle[string]
}

// NewSecret makes a Secret of text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: unique.Make(text)}
}

// Reveal returns the text, for the one place that hands it to a server.
func (s Secret) Reveal() string {
	if s.Empty() {
		return ""
	}
	return s.text.Value()
}

// Empty tells whether there is no text.
func (s Secret) Empty() bool { return s == Secret{} }

// String hides the text; it is empty only when the secret is.
func (s Secret) String() string {
	if s.Empty() {
		return ""
	}
	return redacted
}

// Format hides the text from every verb of package fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText hides the text from JSON, YAML and XML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides the text from log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
