package auth

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/freshet-io/freshet/scalers"
)

// Resolved is what a trigger authenticates with. It does not print the values
// of its parameters: every way of formatting, logging or marshalling it shows
// their names.
type Resolved struct {
	// Params are the parameters, by name.
	Params map[string]string
	// Identity is what to sign in by.
	Identity scalers.Identity
	// Refresh is when to resolve again because no watch tells of a change; 0 is
	// never. It counts for an error too.
	Refresh time.Duration
}

func (r Resolved) shown() map[string]any {
	return map[string]any{
		"params": slices.Sorted(maps.Keys(r.Params)), "provider": r.Identity.Provider, "refresh": r.Refresh.String(),
	}
}

// String names the parameters.
func (r Resolved) String() string { return fmt.Sprint(r.shown()) }

// Format names the parameters, for every verb of package fmt.
func (r Resolved) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(r.String())) }

// MarshalJSON names the parameters.
func (r Resolved) MarshalJSON() ([]byte, error) { return json.Marshal(r.shown()) } //nolint:wrapcheck // texts marshal

// MarshalText names the parameters, for XML and keys of maps.
func (r Resolved) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// LogValue names the parameters.
func (r Resolved) LogValue() slog.Value { return slog.StringValue(r.String()) }
