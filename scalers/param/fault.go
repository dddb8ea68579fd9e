package param

import (
	"fmt"
	"strings"
)

// Origin is a place that the value of a parameter may come from.
type Origin uint8

// The places a value may come from.
const (
	// Metadata is the trigger's own metadata.
	Metadata Origin = iota + 1
	// Env is the environment of the target's container: metadata
	// "<key>FromEnv" names the variable.
	Env
	// Auth is what the referenced TriggerAuthentication resolves to.
	Auth
)

// String names the place as a user knows it.
func (o Origin) String() string {
	switch o {
	case Metadata:
		return "metadata"
	case Env:
		return "env"
	case Auth:
		return "authentication"
	default:
		return fmt.Sprintf("Origin(%d)", uint8(o))
	}
}

// Fault is one thing that is wrong with the parameters of a trigger.
type Fault struct {
	// Key is the parameter, by the name the user gave it or its first name.
	Key string
	// From are the places where the parameter may be given.
	From []Origin
	// Problem is what is wrong, without the value where that is a secret.
	Problem string
}

// Error says what is wrong and where to mend it.
func (f Fault) Error() string {
	places := make([]string, 0, len(f.From))
	for _, o := range f.From {
		switch o {
		case Metadata:
			places = append(places, "metadata "+f.Key)
		case Env:
			places = append(places, "metadata "+f.Key+"FromEnv")
		case Auth:
			places = append(places, "authentication parameter "+f.Key)
		}
	}
	if len(places) == 0 {
		return fmt.Sprintf("parameter %s %s", f.Key, f.Problem)
	}
	return fmt.Sprintf("parameter %s %s (set in %s)", f.Key, f.Problem, strings.Join(places, " or "))
}

// Faults are all faults of one trigger, in the order of its fields.
type Faults []Fault

// Error joins the faults.
func (fs Faults) Error() string {
	texts := make([]string, len(fs))
	for i, f := range fs {
		texts[i] = f.Error()
	}
	return strings.Join(texts, "; ")
}
